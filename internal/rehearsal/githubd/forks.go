package githubd

import (
	"context"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// A fork is a repository of the same name and another owner, whose branches can
// be the heads of pull requests. What such a pull request starts gets a token
// that only reads, no secret and no identity.
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflows-in-forked-repositories

// headOf finds the head of a new pull request, OWNER:BRANCH or BRANCH, and brings
// a fork's commits over. fork is nil for a branch of the repository itself.
func (s *Server) headOf(ctx context.Context, repo *repository, head string) (branch, sha string, fork *repository) {
	owner, branch, other := strings.Cut(head, ":")
	if !other || strings.EqualFold(owner, repo.Owner) {
		branch = strings.TrimPrefix(head, repo.Owner+":")
		return branch, s.head(ctx, s.gitDir(repo), "refs/heads/"+branch), nil
	}
	if fork = s.lookup(owner + "/" + repo.Name); fork == nil {
		return branch, "", nil
	}
	return branch, s.fetchFork(ctx, repo, fork, branch), fork
}

func (s *Server) fetchFork(ctx context.Context, repo, fork *repository, branch string) string {
	sha := s.head(ctx, s.gitDir(fork), "refs/heads/"+branch)
	if sha == "" {
		return ""
	}
	if _, err := git.RunEnv(
		ctx, s.gitDir(repo), s.o.Env, "fetch", "--quiet", "--no-tags", s.gitDir(fork), "refs/heads/"+branch,
	); err != nil {
		return ""
	}
	return sha
}

// forkPullsFollow brings the pull requests that a fork's branch is the head of
// up to date.
func (s *Server) forkPullsFollow(ctx context.Context, fork *repository, token *Token, branch, after string) []Event {
	type moved struct {
		repo *repository
		p    *pull
	}
	var heads []moved
	s.change(func(st *state) {
		for _, repo := range st.Repositories {
			for _, p := range repo.Pulls {
				if p.State == "open" && strings.EqualFold(p.Fork, fork.fullName()) && p.HeadRef == branch {
					if after == zeroOID {
						p.State, p.Closed, p.Updated = "closed", s.now(), s.now()
						continue
					}
					heads = append(heads, moved{repo, p})
				}
			}
		}
	})
	var events []Event
	for _, m := range heads {
		if s.fetchFork(ctx, m.repo, fork, branch) == "" {
			continue
		}
		s.change(func(*state) { m.p.HeadSHA, m.p.Updated = after, s.now() })
		events = append(events, s.pullEvent(m.repo, s.refreshPull(ctx, m.repo, m.p, ofItself), "synchronize", token))
	}
	return events
}
