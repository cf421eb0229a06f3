package check

import (
	"context"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// keptBeside lists the images of an application with several that a place goes on running
// beside a set that moves, and that its overlay does not name: a patch, a base or a chart
// brings them. They are part of what runs there together, so that they are judged with the
// set, unless the environments before run them too.
func (s *session) keptBeside(ctx context.Context, p place, v versions, after []render.Object) ([]render.Image, error) {
	move := s.rulesFor(p)
	befores := move.Config.Befores(move.App, p.env.Name)
	if s.base == nil || !p.app.Several() || len(befores) == 0 || !v.move() {
		return nil, nil
	}
	found, known := render.FindImages(after, s.fields(p.env.Name)), make(history.Digests)
	known.Named(v.now.Set()...)
	kept := history.Beside(p.app, found, known)
	for _, before := range befores {
		if len(kept) == 0 {
			break
		}
		objects, err := s.baseRender.App(ctx, move.App, before.Name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil { // else nothing is known to run there
			known.Found(render.FindImages(objects, s.fields(before.Name)))
			kept = history.Beside(p.app, kept, known)
		}
	}
	for i := range kept {
		kept[i].Text = withoutTag(kept[i].Text)
	}
	return kept, nil
}

// move reports whether a place gets another digest.
func (v versions) move() bool {
	for i, now := range v.now {
		if history.Runs(now.Ref) && (i >= len(v.was) || v.was[i].Ref != now.Ref) {
			return true
		}
	}
	return false
}
