package runner

import "fmt"

// SetEnv sets a variable for the steps after this one. Several lines are fine.
func (r *Runner) SetEnv(name, value string) error {
	return r.fileCommand("GITHUB_ENV", name, value)
}

// TempDir is the job's directory for files that go with it; empty outside
// Actions.
func (r *Runner) TempDir() string { return r.getenv("RUNNER_TEMP") }

// NoIdentity says for what the job would have needed an identity.
func NoIdentity(forWhat string) error {
	return fmt.Errorf(
		"%s: this job has no OIDC identity: add `id-token: write` to the `permissions` of the job (GitHub gives none to pull "+
			"requests from forks, and there is none outside Actions)",
		forWhat,
	)
}
