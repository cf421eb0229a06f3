package actions

// ofFork is what a pull request from a fork gets: it may read what it asked to
// write, and has no identity.
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflows-in-forked-repositories
func (p *plan) ofFork() *plan {
	permissions := make(map[string]string)
	for scope, access := range p.permissions {
		if access == "write" {
			access = "read"
		}
		permissions[scope] = access
	}
	return &plan{permissions: permissions}
}
