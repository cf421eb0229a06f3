package apply

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// mergeHead is the head to merge when all of its plan is applied; it is empty where
// nobody asks for that, or the head has no plan.
func (o Order) mergeHead(ctx context.Context) (string, error) {
	pull := o.Site.Pull
	if o.Asked == nil || o.Unlocks() || pull == nil || pull.Merged || pull.State != "open" {
		return "", nil
	}
	rules, err := o.Site.Terraform(ctx)
	if err != nil || rules.Merge == "" {
		return "", err
	}
	claim, found, err := comment.FindClaim(ctx, o.Site)
	if err != nil || !found || claim.Head != pull.HeadSHA {
		return "", err
	}
	return pull.HeadSHA, nil
}

// merge merges the pull request, if head is still its head and up to date with the
// default branch, and every root that its plan changes was applied by that plan. What
// else a merge needs, GitHub asks by the rules of the branch.
func (o Order) merge(ctx context.Context) error {
	s, head := o.Site, o.MergeHead
	switch {
	case s.Pull == nil:
		return outcome.Usagef("which pull request is merged? Give --pull-request N")
	case s.Pull.Merged:
		return nil // somebody was faster
	case s.Pull.State != "open":
		return outcome.Refusedf("#%d is closed: it is not merged", s.Pull.Number)
	case s.Pull.HeadSHA != head:
		return outcome.Refusedf("the head of #%d is %.7s, and %.7s was applied: it is not merged", s.Pull.Number, s.Pull.HeadSHA, head)
	}
	rules, err := s.Terraform(ctx)
	if err != nil {
		return err
	}
	if rules.Merge == "" || !rules.BeforeMerge {
		return outcome.Refusedf("terraform.merge of the default branch does not let apply merge #%d", s.Pull.Number)
	}
	if err := o.allApplied(ctx); err != nil {
		return err
	}
	if err := mayApply(ctx, s); err != nil {
		return err
	}
	now, err := s.Now(ctx)
	if err == nil {
		err = stillOnTip(ctx, s, now)
	}
	if err != nil {
		return err
	}
	err = s.API.Merge(ctx, s.Repo, s.Pull.Number, head, rules.Merge)
	for _, status := range []int{http.StatusMethodNotAllowed, http.StatusConflict, http.StatusUnprocessableEntity} {
		if github.IsStatus(err, status) {
			return outcome.Refusedf("all is applied, and GitHub does not let #%d be merged: %w", s.Pull.Number, err)
		}
	}
	return err
}

// allApplied refuses a plan of which a root that changes was not applied.
func (o Order) allApplied(ctx context.Context) error {
	claim, found, err := comment.FindClaim(ctx, o.Site)
	if err == nil && found {
		claim, err = claim.Whole(ctx, o.Registry)
	}
	if err != nil {
		return err
	}
	if !found || claim.Head != o.Site.Pull.HeadSHA {
		return outcome.Refusedf("#%d has no plan of its head: it is not merged", o.Site.Pull.Number)
	}
	holds, err := comment.FindHolds(ctx, o.Site)
	if err != nil {
		return err
	}
	var missing []string
	for _, r := range claim.Roots {
		applied := slices.ContainsFunc(holds, func(h comment.Hold) bool {
			return h.Is(r.Dir, r.Workspace) && h.Plan == claim.Fingerprint
		})
		if r.Changes && !r.Removed && !applied {
			missing = append(missing, roots.Root{Dir: r.Dir, Workspace: r.Workspace}.Name())
		}
	}
	for _, w := range claim.Waits {
		missing = append(missing, w.Dir)
	}
	if len(missing) > 0 {
		return outcome.Refusedf("not applied yet: %s. #%d is not merged", text.Printable(strings.Join(missing, ", ")), o.Site.Pull.Number)
	}
	return nil
}
