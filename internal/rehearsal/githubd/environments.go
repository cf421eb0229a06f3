package githubd

import (
	"fmt"
	"maps"
	"strings"
)

// environment is an environment of a repository's Actions: secrets and
// variables for jobs that name it, on the branches that it is limited to.
// https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
type environment struct {
	Branches      []string // patterns, of tags after "tag:"; none is every ref, unless it is limited
	Limited       bool     // to Branches, even to none
	Secrets, Vars map[string]string
}

// SetEnvironment makes an environment, limited to the branches that match one
// of the patterns.
func (s *Server) SetEnvironment(repository, name string, branches ...string) error {
	return s.inEnvironment(repository, name, func(e *environment) { e.Branches = branches })
}

// SetEnvironmentSecret sets a secret of an environment.
func (s *Server) SetEnvironmentSecret(repository, name, key, value string) error {
	return s.inEnvironment(repository, name, func(e *environment) { e.Secrets[key] = value })
}

// SetEnvironmentVariable sets a variable of an environment.
func (s *Server) SetEnvironmentVariable(repository, name, key, value string) error {
	return s.inEnvironment(repository, name, func(e *environment) { e.Vars[key] = value })
}

func (s *Server) inEnvironment(repository, name string, f func(*environment)) error {
	err := fmt.Errorf("repository %s does not exist", repository)
	s.change(func(st *state) {
		r := st.Repositories[strings.ToLower(repository)]
		if r == nil {
			return
		}
		if r.Environments == nil {
			r.Environments = map[string]*environment{}
		}
		if r.Environments[name] == nil {
			r.Environments[name] = &environment{Secrets: map[string]string{}, Vars: map[string]string{}}
		}
		f(r.Environments[name])
		err = nil
	})
	return err
}

// RunVariables gives the secrets and variables that a run on ref sees: the
// organisation's, the repository's, and those of the named environments that admit the ref. GitHub
// fails a job whose environment does not admit its ref; act knows no
// environments, so such a run goes on here without what the environment holds.
func (s *Server) RunVariables(repository, ref string, environments []string) (secrets, vars map[string]string) {
	if repo := s.lookup(repository); repo != nil {
		secrets, vars = s.sharedWith(repo)
	}
	ownSecrets, ownVars := s.Variables(repository)
	maps.Copy(secrets, ownSecrets)
	maps.Copy(vars, ownVars)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.state.Repositories[strings.ToLower(repository)]
	for _, name := range environments {
		if r == nil || r.Environments[name] == nil || !r.Environments[name].admits(ref) {
			continue
		}
		maps.Copy(secrets, r.Environments[name].Secrets)
		maps.Copy(vars, r.Environments[name].Vars)
	}
	return secrets, vars
}

// admits compares GITHUB_REF with the branch patterns; a deployment of a
// commit has no ref, and is on no branch.
func (e *environment) admits(ref string) bool {
	if len(e.Branches) == 0 && !e.Limited {
		return true
	}
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	return isBranch && matchesFilter(branch, e.Branches, nil)
}
