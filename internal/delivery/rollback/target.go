package rollback

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// deployments are what ran in a place, newest first and without placeholders, and what
// its overlay names now.
type deployments struct {
	app  config.App
	env  config.Environment
	past []history.Period
	now  history.Set
}

// target is the set to return to. Going back by steps passes over what is known to
// have been bad; note says what that was.
func (r *Roller) target(ctx context.Context, d deployments, req Request) (to history.Set, note string, err error) {
	if i := slices.IndexFunc(req.To, history.Placeholder); i >= 0 {
		return nil, "", outcome.Usagef("%s is a placeholder: no image has that digest", req.To[i])
	}
	if len(req.To) > 0 {
		to, err := d.with(req)
		return to, "", err
	}
	if req.Steps < 1 {
		return nil, "", outcome.Usagef("--steps %d: say how many deployments to go back, 1 or more", req.Steps)
	}
	line := advances(d.past)
	if len(line) > 0 && line[len(line)-1].Equal(d.now) { // else what stands there is no digest
		line = line[:len(line)-1]
	}
	var notes []string
	left := req.Steps
	for _, set := range slices.Backward(line) {
		bad, unknown := r.bad(ctx, d, set)
		switch {
		case bad != "":
			notes = append(notes, fmt.Sprintf("passed over %s: %s", set.Short(), bad))
			continue
		case unknown != nil:
			notes = append(notes, fmt.Sprintf("nobody could say whether %s was good: %v", set.Short(), unknown))
		}
		if left--; left == 0 {
			return set, strings.Join(notes, "; "), nil
		}
	}
	return nil, "", outcome.Usagef("%s has no deployment %d back in %s: %s", d.app.Name, req.Steps, d.env.Name,
		joined(listed(d.past), strings.Join(notes, "; ")))
}

// with is the newest set that ran with the images that are asked for.
func (d deployments) with(req Request) (history.Set, error) {
	to, err := history.Named(d.app, req.To)
	if err != nil {
		return nil, err
	}
	for _, p := range d.past {
		if p.Set.With(to).Equal(p.Set) {
			return p.Set, nil
		}
	}
	if !req.AllowNew {
		return nil, outcome.Refusedf("%s never ran in %s: %s. Name one of those, or say --allow-new", named(to), d.env.Name, listed(d.past))
	}
	return d.now.With(to), nil
}

// named spells out the images of a set.
func named(set history.Set) string {
	var list []string
	for _, image := range set.Images() {
		list = append(list, image.String())
	}
	if len(list) > 1 {
		return "the set of " + strings.Join(list, ", ")
	}
	return strings.Join(list, "")
}

// bad says why a set was not good where it ran last. Trouble with a source holds no
// rollback up: unknown tells of it.
func (r *Roller) bad(ctx context.Context, d deployments, set history.Set) (why string, unknown error) {
	i := slices.IndexFunc(d.past, func(p history.Period) bool { return p.Set.Equal(set) })
	if i < 0 {
		return "", nil
	}
	why, unknown = r.Judge.Bad(ctx, d.app, d.env, d.past[i].Of(set[0]))
	return text.OneLine(why), unknown
}

// joined are the texts that are not empty.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "; ")
}
