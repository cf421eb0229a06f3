package verdict

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Queue is the group of a merge queue that is judged; empty outside of one. Whoever may
// write to the repository can name any two commits.
type Queue struct{ Head, Base string }

// base is the commit since which roots count as touched: where the checkout leaves the
// default branch. The base that GitHub names may be an older one, against which a change
// that was merged since and is taken back looks like none. It is the head of another group
// only where the queue itself says that this one is built on that.
func (r Request) base(ctx context.Context) (string, error) {
	branch, err := r.Site.DefaultBranch(ctx)
	if err != nil {
		return "", err
	}
	if pull := r.Site.Pull; pull.Merged || pull.BaseRef != branch {
		return pull.BaseSHA, nil
	}
	left, err := r.left(ctx)
	if err != nil || r.Queue.Base == "" || r.within(ctx, r.Queue.Base, left) {
		return left, err
	}
	groups, err := r.Site.API.MergeQueue(ctx, r.Site.Repo, branch)
	if err != nil {
		return "", fmt.Errorf("find what the group %.7s is built on: %w", r.Queue.Head, err)
	}
	before := slices.DeleteFunc(groups, func(g github.Group) bool {
		return g.Number == r.Site.Pull.Number || g.Head == r.Queue.Head || !r.within(ctx, g.Head, "HEAD")
	})
	is := func(g github.Group) bool { return g.Head == r.Queue.Base }
	// What two groups before it change is of both of them: the last one counts.
	later := func(g github.Group) bool { return !r.within(ctx, g.Head, r.Queue.Base) }
	if !slices.ContainsFunc(before, is) || slices.ContainsFunc(before, later) {
		return "", outcome.Refusedf("%.7s is neither on %s nor the last group that the merge queue has before %.7s: nothing is judged since then",
			r.Queue.Base, branch, r.Queue.Head)
	}
	return r.Queue.Base, nil
}

// left is where the checkout leaves the default branch. GitHub is asked where the branch has
// moved to a commit that the clone does not have.
func (r Request) left(ctx context.Context) (string, error) {
	tip, err := r.Site.Tip(ctx)
	if err != nil {
		return "", err
	}
	if sha, err := git.Run(ctx, r.Site.Top, "--no-replace-objects", "merge-base", tip, "HEAD"); err == nil {
		return sha, nil
	}
	sha, err := git.Head(ctx, r.Site.Top)
	if err != nil {
		return "", err
	}
	compared, err := r.Site.API.Compare(ctx, r.Site.Repo, tip, sha)
	if err != nil {
		return "", err
	}
	return compared.MergeBase, nil
}

// within reports whether a commit is part of the history of another, as far as the clone
// knows.
func (r Request) within(ctx context.Context, commit, of string) bool {
	_, err := git.Run(ctx, r.Site.Top, "--no-replace-objects", "merge-base", "--is-ancestor", commit, of)
	return err == nil
}
