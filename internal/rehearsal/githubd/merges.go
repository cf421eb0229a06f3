package githubd

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

func mergePull(c *call) (*answer, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	var in struct {
		SHA         string
		MergeMethod string `json:"merge_method"`
		CommitTitle string `json:"commit_title"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	sha, err := c.s.merge(c.Context(), c.repo, c.token, merging{n, in.SHA, in.MergeMethod, in.CommitTitle})
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{"sha": sha, "merged": true, "message": "Pull Request successfully merged"})
}

// MergePull merges a pull request as a user, by the API's rules.
func (s *Server) MergePull(ctx context.Context, name string, n int, user, method string) (string, error) {
	repo := s.lookup(name)
	if repo == nil {
		return "", fmt.Errorf("merge pull request %s#%d: no such repository", name, n)
	}
	sha, err := s.merge(ctx, repo, &Token{User: user}, merging{number: n, method: method})
	if err != nil {
		return "", fmt.Errorf("merge pull request %s#%d: %w", name, n, err)
	}
	return sha, nil
}

// merging says how a pull request is merged.
type merging struct {
	number                int
	expect, method, title string // head, merge or squash or rebase, of the commit; each may be empty
}

func (s *Server) merge(ctx context.Context, repo *repository, token *Token, m merging) (string, error) {
	refused := func(format string, args ...any) error {
		return &apiError{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf(format, args...)}
	}
	lock := s.refLock(repo)
	lock.Lock()
	defer lock.Unlock()
	s.mu.Lock()
	found := repo.pull(m.number)
	var p pull
	if found != nil {
		p = *found
	}
	missing, strict, needed := repo.missingStatus(p.HeadSHA), repo.strict(), len(repo.Required)
	s.mu.Unlock()
	switch {
	case found == nil:
		return "", notFound()
	case p.State != "open" || p.Draft:
		return "", refused("Pull Request is not mergeable")
	case m.expect != "" && m.expect != p.HeadSHA:
		return "", &apiError{Status: http.StatusConflict, Message: "Head branch was modified. Review and try the merge again."}
	case missing != "":
		return "", refused("Required status check %q is expected.", missing)
	}
	dir := s.gitDir(repo)
	base := s.head(ctx, dir, "refs/heads/"+p.BaseRef)
	if strict && !s.within(ctx, dir, base, p.HeadSHA) { // https://github.com/RakuenSoftware/aimee/pull/2460
		return "", refused("%d of %[1]d required status checks are expected.", needed)
	}
	if m.title == "" {
		m.title = fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", m.number, repo.Owner, p.HeadRef, p.Title)
	}
	sha := s.mergeCommit(ctx, dir, joint{base, p.HeadSHA, m.title, token.User})
	switch {
	case sha == "":
		return "", refused("Pull Request is not mergeable")
	case m.method == "squash":
		var err error
		if sha, err = git.RunEnv(
			ctx, dir, append(s.identity(token.User), s.o.Env...), "commit-tree", sha+"^{tree}", "-p", base, "-m",
			fmt.Sprintf("%s (#%d)", p.Title, m.number),
		); err != nil {
			return "", err
		}
	case m.method == "rebase":
		if sha = s.rebase(ctx, dir, base, p.HeadSHA, token.User); sha == "" {
			return "", refused("Pull Request is not mergeable")
		}
	case m.method != "" && m.method != "merge":
		return "", unprocessable("Invalid request.\n\n%q is not a member of [\"merge\", \"squash\", \"rebase\"].", m.method)
	}
	if _, err := git.RunEnv(ctx, dir, s.o.Env, "update-ref", "refs/heads/"+p.BaseRef, sha, base); err != nil {
		return "", &apiError{Status: http.StatusConflict, Message: "Base branch was modified. Review and try the merge again."}
	}
	p = s.merged(found, token.User, base, sha)
	s.refMoved(ctx, repo, token, move{"refs/heads/" + p.BaseRef, base, sha})
	s.emit(s.pullEvent(repo, p, "closed", token))
	return sha, nil
}

// within reports whether a commit is part of the history of another.
func (s *Server) within(ctx context.Context, dir, commit, of string) bool {
	_, err := git.RunEnv(ctx, dir, s.o.Env, "merge-base", "--is-ancestor", commit, of)
	return err == nil
}

// joint is a commit that joins two others.
type joint struct{ base, head, message, user string }

// mergeCommit makes the merge of head into base, or gives empty on conflict.
func (s *Server) mergeCommit(ctx context.Context, dir string, j joint) string {
	tree, err := git.RunEnv(ctx, dir, s.o.Env, "merge-tree", "--write-tree", j.base, j.head)
	if err != nil {
		return ""
	}
	commit, err := git.RunEnv(
		ctx, dir, append(s.identity(j.user), s.o.Env...), "commit-tree", strings.SplitN(tree, "\n", 2)[0], "-p", j.base, "-p",
		j.head, "-m", j.message,
	)
	if err != nil {
		return ""
	}
	return commit
}

// merged marks a pull request as merged.
func (s *Server) merged(found *pull, user, onto, sha string) (p pull) {
	s.change(func(*state) {
		found.State, found.Merged, found.MergedBy, found.MergeSHA, found.Onto = "closed", true, user, sha, onto
		found.MergedAt, found.Closed, found.Updated = s.now(), s.now(), s.now()
		p = *found
	})
	return p
}

// rebase puts the commits of head that base lacks onto it, one by one, and
// gives the last; empty on conflict.
func (s *Server) rebase(ctx context.Context, dir, base, head, user string) string {
	list, err := git.RunEnv(ctx, dir, s.o.Env, "rev-list", "--reverse", "--no-merges", base+".."+head)
	if err != nil {
		return ""
	}
	onto := base
	for _, commit := range strings.Fields(list) {
		// A commit with the tree of onto, beside the one that is picked: their
		// merge base is what the latter was made from.
		beside, err := git.RunEnv(
			ctx, dir, append(s.identity(user), s.o.Env...), "commit-tree", onto+"^{tree}", "-p", commit+"^", "-m", "onto",
		)
		if err != nil {
			return ""
		}
		tree, err := git.RunEnv(ctx, dir, s.o.Env, "merge-tree", "--write-tree", beside, commit)
		if err != nil {
			return ""
		}
		message, err := git.RunEnv(ctx, dir, s.o.Env, "log", "-1", "--format=%B", commit)
		if err != nil {
			return ""
		}
		onto, err = git.RunEnv(
			ctx, dir, append(s.identity(user), s.o.Env...), "commit-tree", strings.SplitN(tree, "\n", 2)[0], "-p", onto, "-m",
			message,
		)
		if err != nil {
			return ""
		}
	}
	return onto
}
