package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Tell says how open pull requests hear that their plan no longer fits.
type Tell struct {
	Comment bool
	Gate    string // file of the workflow that decides, to be started for each; if empty, none is
}

// moved are the states that this run moved.
func (r *Result) moved() (moved []comment.Moved) {
	for _, root := range r.Roots {
		if root.State == Untouched || root.State == Unchanged || root.lineage == "" {
			continue
		}
		m := comment.Moved{Dir: root.Dir, Workspace: cmp.Or(root.Workspace, roots.DefaultWorkspace),
			Lineage: root.lineage, Serial: root.Serial}
		if r.Site.Pull != nil {
			m.By = r.Site.Pull.Number
		}
		moved = append(moved, m)
	}
	return moved
}

// tell says on every open pull request whose plan is of a state that moved that it
// must be planned again, and lets the gate say so too.
func (o Order) tell(ctx context.Context, result *Result) error {
	moved := result.moved()
	if !o.Tell.Comment || !o.Site.OnGitHub() || len(moved) == 0 {
		return nil
	}
	return o.eachOther(ctx, func(ctx context.Context, s *site.Site, claim comment.Claim) error {
		return o.tellOne(ctx, s, claim, moved)
	})
}

// eachOther does something for every other open pull request that has a plan.
func (o Order) eachOther(ctx context.Context, do func(context.Context, *site.Site, comment.Claim) error) error {
	pulls, err := o.Site.API.ListPulls(ctx, o.Site.Repo, "")
	if err != nil {
		return fmt.Errorf("find the pull requests whose plans no longer fit: %w", err)
	}
	var errs []error
	for _, pull := range pulls {
		if o.Site.Pull != nil && pull.Number == o.Site.Pull.Number {
			continue
		}
		s := o.Site.Of(&pull)
		claim, found, err := comment.FindClaim(ctx, s)
		if err == nil && found {
			claim, err = claim.Whole(ctx, o.Registry)
		}
		if err == nil && found {
			err = do(ctx, s, claim)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("say on #%d that its plan no longer fits: %w", pull.Number, err))
		}
	}
	return outcome.Join(errs...)
}

func (o Order) tellOne(ctx context.Context, s *site.Site, claim comment.Claim, moved []comment.Moved) error {
	now := claim.Before(moved)
	if len(now) == 0 {
		return nil
	}
	before, err := comment.FindMoved(ctx, s)
	if err != nil {
		return err
	}
	for _, b := range claim.Before(before) {
		same := func(m comment.Moved) bool { return m.Dir == b.Dir && m.Workspace == b.Workspace }
		if !slices.ContainsFunc(now, same) {
			now = append(now, b)
		}
	}
	if err := comment.KeepMoved(ctx, s, now); err != nil {
		return err
	}
	return o.startGate(ctx, s)
}

// startGate lets the gate decide anew about a pull request.
func (o Order) startGate(ctx context.Context, s *site.Site) error {
	if o.Tell.Gate == "" {
		return nil
	}
	branch, err := s.DefaultBranch(ctx)
	if err != nil {
		return err
	}
	err = s.API.Dispatch(ctx, s.Repo, o.Tell.Gate, branch, map[string]string{"pull_request": fmt.Sprint(s.Pull.Number)})
	if github.IsNotFound(err) {
		return fmt.Errorf("start %s, which needs the permission actions: write: %w", o.Tell.Gate, err)
	}
	return err
}
