package configrepo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
)

// Commit makes the commit and moves the branch to it.
func (g *GitHub) Commit(ctx context.Context, r Request) (string, error) {
	if err := r.validate(); err != nil {
		return "", err
	}
	if r.Expect == r.Parent {
		if sha, done, err := g.append(ctx, r); done || err != nil {
			return sha, err
		}
	}
	head, err := g.Head(ctx, r.Branch)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if head != r.Expect {
		return "", moved(r.Branch, r.Expect, head)
	}
	root, err := g.root(ctx, r.Parent)
	if err != nil {
		return "", err
	}
	changes, err := g.changes(ctx, r)
	if err != nil {
		return "", fmt.Errorf("commit to %s: %w", r.Branch, err)
	}
	tree, err := g.api.CreateTree(ctx, g.repo, root, changes)
	if err != nil {
		return "", err
	}
	if tree == root {
		return "", fmt.Errorf("commit to %s: %w", r.Branch, ErrUnchanged)
	}
	sha, err := g.api.CreateCommit(ctx, g.repo, r.Message, tree, r.Parent)
	if err != nil {
		return "", err
	}
	switch r.Expect {
	case r.Parent:
		err = g.api.FastForward(ctx, g.repo, r.Branch, sha)
	case "":
		err = g.api.UpdateRef(ctx, g.repo, r.Branch, github.ZeroOID, sha)
	default:
		err = g.api.UpdateRef(ctx, g.repo, r.Branch, r.Expect, sha)
	}
	if err := g.explain(ctx, r.Branch, r.Expect, sha, err); err != nil {
		return "", err
	}
	g.hasMoved()
	return sha, nil
}

func (g *GitHub) hasMoved() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.moves = nil
}

const (
	maxAppend = 1 << 20 // bytes of the files of one request
	unknown   = "-"     // a commit whose id is not known
)

// append makes the commit in one request, so that little time is left for other writers
// to be faster. It is not done where that could not say what the commit has to: GitHub
// then makes files that cannot be executed.
func (g *GitHub) append(ctx context.Context, r Request) (sha string, done bool, err error) {
	changes, err := g.changes(ctx, r)
	if err != nil {
		return "", false, fmt.Errorf("commit to %s: %w", r.Branch, err)
	}
	size := 0
	for _, c := range changes {
		if size += len(c.Content); size > maxAppend || c.Content != nil && c.Mode != modeFile {
			return "", false, nil
		}
	}
	sha, err = g.api.AppendCommit(ctx, g.repo, github.NewCommit{
		Branch: r.Branch, Head: r.Expect, Message: r.Message, Changes: changes,
	})
	switch {
	case err == nil:
	case github.IsStatus(err, http.StatusConflict): // GitHub says so itself, and nobody has to look
		return "", false, moved(r.Branch, r.Expect, "another commit")
	case github.Answered(err):
		return "", false, g.explain(ctx, r.Branch, r.Expect, unknown, err)
	default: // the answer was lost
		if sha = g.landed(ctx, r); sha == "" {
			return "", false, nil // the other way sees whether the branch has moved, and may be gone twice
		}
	}
	g.hasMoved()
	return sha, true, nil
}

// landed is the commit of a request whose answer was lost; empty if it did not arrive.
func (g *GitHub) landed(ctx context.Context, r Request) string {
	const newest = 20
	head, err := g.Head(ctx, r.Branch)
	if err != nil {
		return ""
	}
	commits, err := g.api.Commits(ctx, g.repo, head, "", newest)
	if err != nil {
		return ""
	}
	for _, e := range commits {
		if e.SHA == r.Parent {
			break
		}
		if strings.TrimSpace(e.Message) == strings.TrimSpace(r.Message) {
			return e.SHA
		}
	}
	return ""
}

// changes are those of the request that change anything.
func (g *GitHub) changes(ctx context.Context, r Request) ([]github.TreeChange, error) {
	files, err := g.tree(ctx, r.Parent)
	if err != nil {
		return nil, err
	}
	modes, paths := make(map[string]string), make([]string, 0, len(r.Changes))
	for name, e := range files {
		modes[name] = e.mode
	}
	for _, c := range r.Changes {
		paths = append(paths, c.Path)
	}
	if err := throughNothing(paths, modes); err != nil {
		return nil, err
	}
	changes := make([]github.TreeChange, 0, len(r.Changes))
	for _, c := range r.Changes {
		old, exists := files[c.Path]
		if c.Content == nil && !exists {
			return nil, fmt.Errorf("delete %s: %w", c.Path, ErrNotFound)
		}
		if exists && c.Content != nil && git.BlobID(c.Content) == old.sha {
			continue
		}
		mode := old.mode
		if c.Content != nil || mode == "" {
			if mode, err = keptMode(c.Path, old.mode, exists); err != nil {
				return nil, err
			}
		}
		changes = append(changes, github.TreeChange{Path: c.Path, Mode: mode, Content: c.Content})
	}
	if len(changes) == 0 {
		return nil, ErrUnchanged
	}
	return changes, nil
}

// DeleteBranch deletes a branch that is still at expect; one that is gone
// already is no error.
func (g *GitHub) DeleteBranch(ctx context.Context, branch, expect string) error {
	if err := validBranch(branch); err != nil {
		return err
	}
	return g.explain(ctx, branch, expect, "", g.api.UpdateRef(ctx, g.repo, branch, expect, github.ZeroOID))
}

// explain looks at the branch when GitHub refused to move it: it may have moved
// before, or the first of two tries did arrive.
func (g *GitHub) explain(ctx context.Context, branch, expect, want string, err error) error {
	if err == nil || !(github.IsStatus(err, http.StatusUnprocessableEntity) || github.IsStatus(err, http.StatusConflict) ||
		github.IsNotFound(err)) {
		return err
	}
	head, headErr := g.Head(ctx, branch)
	if headErr != nil && !errors.Is(headErr, ErrNotFound) {
		return err
	}
	switch head {
	case want:
		return nil
	case expect:
		if github.IsStatus(err, http.StatusConflict) {
			return moved(branch, expect, "another writer's hands") // GitHub moves it just now
		}
		return err
	}
	return moved(branch, expect, head)
}
