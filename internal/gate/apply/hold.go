package apply

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/site"
)

// held refuses roots that another open pull request was applied to before its merge.
func (a *Applier) held(ctx context.Context, s *site.Site) error {
	return comment.Held(ctx, s, func(h comment.Hold) bool {
		return slices.ContainsFunc(a.roots, func(r root) bool { return h.Is(r.record.Dir, r.record.Workspace) })
	})
}

// hold makes the pull request hold the roots that are about to be applied before its
// merge, so that nobody else's plan takes that back, also when this run is killed. It
// gives what ends the hold of those that were left alone.
func (a *Applier) hold(ctx context.Context, result *Result) (release func(context.Context) error, err error) {
	s := result.Site
	if s.Pull == nil || s.Pull.Merged {
		return func(context.Context) error { return nil }, nil
	}
	before, err := comment.FindHolds(ctx, s)
	if err != nil {
		return nil, err
	}
	holds := slices.Clone(before)
	for i, r := range a.roots {
		if !a.Summaries[i].Changes() {
			continue
		}
		holds = slices.DeleteFunc(holds, func(h comment.Hold) bool { return h.Is(r.record.Dir, r.record.Workspace) })
		holds = append(holds, comment.Hold{Dir: r.record.Dir, Workspace: r.record.Workspace, Plan: result.Fingerprint})
	}
	release = func(ctx context.Context) error {
		kept := slices.DeleteFunc(slices.Clone(holds), func(h comment.Hold) bool {
			untouched := slices.ContainsFunc(result.Roots, func(r RootResult) bool {
				return r.State == Untouched && h.Is(r.Dir, r.Workspace)
			})
			return untouched && !slices.ContainsFunc(before, func(b comment.Hold) bool { return b.Is(h.Dir, h.Workspace) })
		})
		if len(kept) == len(holds) {
			return nil
		}
		return comment.KeepHolds(ctx, s, kept, "Nothing was applied, so this pull request holds nothing.\n")
	}
	if slices.Equal(holds, before) {
		return release, nil
	}
	return release, comment.KeepHolds(ctx, s, holds, "")
}
