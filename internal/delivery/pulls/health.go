package pulls

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/github"
)

// Said is what was said last, under a status's name, of the commit that brought a
// digest and of those after it, up to head: Argo CD reports on the commit that it
// has synced, which may be a later one. What was said after another digest took the
// place is of that one.
// https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/github/
func (f Forge) Said(ctx context.Context, head, status string, period history.Period) (rules.Said, error) {
	said, seen, err := f.API.Sayings(ctx, f.Repository, head, status)
	if err != nil {
		return rules.Said{}, err
	}
	end := slices.Index(seen, period.Commit)
	if end < 0 { // longer ago than one answer lists
		own, _, err := f.API.Sayings(ctx, f.Repository, period.Commit, status)
		if err != nil {
			return rules.Said{}, err
		}
		said, seen, end = append(said, own...), append(seen, period.Commit), len(seen)
	}
	since := make(map[string]bool)
	for _, commit := range seen[:end+1] {
		since[commit] = true
	}
	said = slices.DeleteFunc(said, func(s github.Said) bool {
		return !since[s.Commit] || !period.Until.IsZero() && s.At.After(period.Until)
	})
	if len(said) == 0 {
		return rules.Said{}, nil
	}
	slices.SortStableFunc(said, func(a, b github.Said) int { return b.At.Compare(a.At) }) // newest first
	last := said[0]
	out := rules.Said{State: last.State, Description: last.Description, By: last.By, Since: last.At}
	for _, s := range said[1:] {
		if s.State != last.State || s.By != last.By {
			break
		}
		out.Since = s.At
	}
	return out, nil
}
