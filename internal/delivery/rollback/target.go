package rollback

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// deployments are what ran in a place, newest first and without placeholders, and what
// its overlay names now.
type deployments struct {
	app  config.App
	env  config.Environment
	past []history.Period
	now  imageref.Ref
}

// target is the digest to return to. Going back by steps passes over what is known to
// have been bad; note says what that was.
func (r *Roller) target(ctx context.Context, d deployments, req Request) (to imageref.Ref, note string, err error) {
	if history.Placeholder(req.To) {
		return imageref.Ref{}, "", outcome.Usagef("%s is a placeholder: no image has that digest", req.To)
	}
	if !req.To.IsZero() {
		if !ranBefore(d.past, req.To) && !req.AllowNew {
			return imageref.Ref{}, "", outcome.Refusedf(
				"%s never ran in %s: %s. Name one of those, or say --allow-new", req.To, d.env.Name, listed(d.past),
			)
		}
		return req.To, "", nil
	}
	if req.Steps < 1 {
		return imageref.Ref{}, "", outcome.Usagef("--steps %d: say how many deployments to go back, 1 or more", req.Steps)
	}
	line := advances(d.past)
	if len(line) > 0 && line[len(line)-1] == d.now { // else what stands there is no digest
		line = line[:len(line)-1]
	}
	var notes []string
	left := req.Steps
	for _, ref := range slices.Backward(line) {
		bad, unknown := r.bad(ctx, d, ref)
		switch {
		case bad != "":
			notes = append(notes, fmt.Sprintf("passed over %s: %s", ref.Short(), bad))
			continue
		case unknown != nil:
			notes = append(notes, fmt.Sprintf("nobody could say whether %s was good: %v", ref.Short(), unknown))
		}
		if left--; left == 0 {
			return ref, strings.Join(notes, "; "), nil
		}
	}
	return imageref.Ref{}, "", outcome.Usagef("%s has no deployment %d back in %s: %s", d.app.Name, req.Steps, d.env.Name,
		joined(listed(d.past), strings.Join(notes, "; ")))
}

// bad says why a digest was not good where it ran last. Trouble with a source holds no
// rollback up: unknown tells of it.
func (r *Roller) bad(ctx context.Context, d deployments, ref imageref.Ref) (why string, unknown error) {
	i := slices.IndexFunc(d.past, func(p history.Period) bool { return p.Ref == ref })
	if i < 0 {
		return "", nil
	}
	why, unknown = r.Judge.Bad(ctx, d.app, d.env, d.past[i])
	return text.OneLine(why), unknown
}

// joined are the texts that are not empty.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), "; ")
}
