package pulls

import (
	"context"
	"slices"
	"time"

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
	same := 1
	for same < len(said) && said[same].State == last.State && said[same].By == last.By {
		out.Since = said[same].At
		same++
	}
	if last.State != "success" || same == 1 {
		return out, nil
	}
	out.Since, err = f.unbroken(ctx, status, said[:same], period)
	return out, err
}

// unbroken is since when commits, of which each had success last, have said nothing bad:
// what each had last hides what it had before. That a commit is being synced is nothing
// bad.
func (f Forge) unbroken(ctx context.Context, status string, said []github.Said, period history.Period) (time.Time, error) {
	var all []github.Status
	for _, s := range said {
		list, err := f.statuses(ctx, s.Commit)
		if err != nil {
			return time.Time{}, err
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b github.Status) int { return b.Updated.Compare(a.Updated) }) // newest first
	since := said[0].At
	for _, s := range all {
		switch {
		case s.Context != status || !period.Until.IsZero() && s.Updated.After(period.Until):
		case s.State == "failure" || s.State == "error":
			return since, nil
		case s.State == "success" && s.By == said[0].By:
			since = s.Updated
		}
	}
	return since, nil
}

// statuses are all that a commit ever had. Each application asks for those of the same
// commits, which are read once.
func (f Forge) statuses(ctx context.Context, commit string) ([]github.Status, error) {
	if f.Statuses == nil {
		return f.API.AllStatuses(ctx, f.Repository, commit)
	}
	if known, read := f.Statuses.Load(commit); read {
		return known.([]github.Status), nil
	}
	list, err := f.API.AllStatuses(ctx, f.Repository, commit)
	if err == nil {
		f.Statuses.Store(commit, list)
	}
	return list, err
}
