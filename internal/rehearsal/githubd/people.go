package githubd

import (
	"strconv"
	"strings"
)

// SetPermission says what a user may do in a repository: admin, write, read or
// none. Users that were never named may write.
func (s *Server) SetPermission(name, user, permission string) {
	s.change(func(st *state) {
		if r := st.Repositories[strings.ToLower(name)]; r != nil {
			if r.Access == nil {
				r.Access = map[string]string{}
			}
			r.Access[strings.ToLower(user)] = permission
		}
	})
}

// association is what GitHub says beside somebody's words.
func (c *call) association(user string) string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if access := c.repo.Access[strings.ToLower(user)]; access == "read" || access == "none" || user == BotLogin {
		return "NONE"
	}
	return "MEMBER"
}

// https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
func collaboratorPermission(c *call) (*answer, error) {
	user := c.PathValue("user")
	c.s.mu.Lock()
	permission := c.repo.Access[strings.ToLower(user)]
	c.s.mu.Unlock()
	if permission == "" {
		permission = "write"
	}
	who := c.s.userJSON(user)
	who["role_name"] = permission
	return ok(map[string]any{"permission": permission, "role_name": permission, "user": who})
}

// https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files
func pullFiles(c *call) (*answer, error) {
	p, err := c.pull()
	if err != nil {
		return nil, err
	}
	base := p.BaseSHA
	if p.Merged { // the base has the commits now
		base = p.Onto
	}
	out, err := c.git("diff", "--raw", "--numstat", "--no-abbrev", "-z", "-M", base+"..."+p.HeadSHA)
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	byName := map[string]map[string]any{}
	fields := strings.Split(out, "\x00")
	for i := 0; i < len(fields); i++ {
		if f := strings.Fields(fields[i]); len(f) == 5 && strings.HasPrefix(f[0], ":") {
			status := map[byte]string{'A': "added", 'D': "removed", 'R': "renamed", 'C': "copied"}[f[4][0]]
			if status == "" {
				status = "modified"
			}
			i++
			m := map[string]any{"sha": f[3], "status": status, "additions": 0, "deletions": 0, "changes": 0}
			if status == "renamed" || status == "copied" {
				m["previous_filename"] = fields[i]
				i++
			}
			file := fields[i]
			m["filename"], m["blob_url"], m["raw_url"] = file, c.page("/blob/%s/%s", p.HeadSHA, file), c.page("/raw/%s/%s", p.HeadSHA, file)
			m["contents_url"] = c.api("/contents/%s?ref=%s", file, p.HeadSHA)
			byName[file] = m
			list = append(list, m)
			continue
		}
		counts := strings.SplitN(fields[i], "\t", 3)
		if len(counts) < 3 {
			continue
		}
		file := counts[2]
		if file == "" && i+2 < len(fields) { // renamed: the names follow
			file, i = fields[i+2], i+2
		}
		if m := byName[file]; m != nil {
			added, _ := strconv.Atoi(counts[0])
			deleted, _ := strconv.Atoi(counts[1])
			m["additions"], m["deletions"], m["changes"] = added, deleted, added+deleted
		}
	}
	return ok(paginate(c, list))
}
