package configrepo

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
)

// Commit makes the commit and moves the branch to it.
func (g *GitHub) Commit(ctx context.Context, r Request) (string, error) {
	if err := r.validate(); err != nil {
		return "", err
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
	g.mu.Lock()
	defer g.mu.Unlock()
	g.moves = nil
	return sha, nil
}

// changes are those of the request that change anything.
func (g *GitHub) changes(ctx context.Context, r Request) ([]github.TreeChange, error) {
	files, err := g.tree(ctx, r.Parent)
	if err != nil {
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
