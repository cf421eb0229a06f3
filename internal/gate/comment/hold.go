package comment

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// holdMarker begins the one comment that says which roots a pull request holds.
const holdMarker = "<!-- waybill:hold"

// Hold is a root that was applied before the merge of its pull request. Its state is
// then ahead of the default branch, whose plan would take back what was applied.
type Hold struct {
	Dir       string           `json:"dir"`
	Workspace string           `json:"workspace"`
	Plan      plan.Fingerprint `json:"plan"` // of the pull request, in full
}

// Is reports whether the two are about the same root.
func (h Hold) Is(dir, workspace string) bool {
	return roots.Root{Dir: h.Dir, Workspace: h.Workspace}.Is(dir, workspace)
}

// Name is the directory, with its workspace if that is not the default one.
func (h Hold) Name() string { return roots.Root{Dir: h.Dir, Workspace: h.Workspace}.Name() }

// FindHolds reads which roots the pull request holds.
func FindHolds(ctx context.Context, s *site.Site) ([]Hold, error) {
	return findList[Hold](ctx, s, holdMarker)
}

// KeepHolds makes these the roots that the pull request holds. released says why it
// holds none any more.
func KeepHolds(ctx context.Context, s *site.Site, holds []Hold, released string) error {
	if len(holds) == 0 {
		if err := s.API.RemoveLabel(ctx, s.Repo, s.Pull.Number, site.HoldLabel); err != nil {
			return err
		}
	}
	words := "🔒 **Applied before the merge.** Until this pull request is merged or closed, no other one is applied to these roots: its " +
		"plan would take back what this one did. `/unlock` ends that.\n"
	for _, h := range holds {
		words += "\n- " + markdown.Text(text.Flat(h.Name()))
	}
	if err := keepList(ctx, s, holdMarker, holds, listWords{words + "\n", released}); err != nil || len(holds) == 0 {
		return err
	}
	return s.API.AddLabels(ctx, s.Repo, s.Pull.Number, site.HoldLabel)
}

// Held says which of the roots other open pull requests hold, if the default branch lets
// plans be applied before the merge. is reports whether a root is among those that are
// asked about.
func Held(ctx context.Context, s *site.Site, is func(Hold) bool) error {
	if s.Pull == nil {
		return nil
	}
	rules, err := s.Terraform(ctx)
	if err != nil || !rules.BeforeMerge {
		return err
	}
	numbers, err := s.Holders(ctx)
	if err != nil {
		return err
	}
	var lines []string
	for _, number := range numbers {
		holds, err := FindHolds(ctx, s.Of(&github.PullRequest{Number: number}))
		if err != nil {
			return err
		}
		for _, h := range holds {
			if is(h) {
				name := text.Printable(h.Name())
				lines = append(lines, fmt.Sprintf("#%d was applied to %s before its merge, and holds it", number, name))
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return outcome.Pendingf("%s: merge or close that one, or comment /unlock on it; then comment /plan here", strings.Join(lines, "; "))
}
