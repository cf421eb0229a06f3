package promote

import (
	"context"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// kept says which image of an application with several would stay beside a set that moves,
// although no overlay names it: a patch, a base or a chart of the target brings it. It is
// empty where there is none, or the environment before runs it too. check says the same of
// a pull request; where Waybill commits, nobody else asks.
func (c candidate) kept(ctx context.Context, now view) (string, error) {
	if !c.app.Several() || len(c.change.Edits) == 0 || c.from.Name == "" {
		return "", nil
	}
	on := now.rendering(c.change.Copies).With(c.change.Place.File, c.change.After)
	after, err := on.App(ctx, c.app, c.to.Name)
	if err != nil {
		return "", err
	}
	before, err := on.App(ctx, c.app, c.from.Name)
	if err != nil {
		return "", err
	}
	known := render.Images(before)
	for _, image := range c.was.With(c.moving) {
		known = append(known, image.String())
	}
	for _, image := range render.Images(after) {
		name, digest, _ := strings.Cut(image, "@")
		if tag := strings.LastIndexByte(name, ':'); tag > strings.LastIndexByte(name, '/') {
			name = name[:tag]
		}
		same := func(o string) bool { return strings.HasSuffix(o, "@"+digest) }
		ref, err := imageref.ParseLocal(name)
		if err != nil || digest == "" || slices.ContainsFunc(known, same) {
			continue
		}
		if _, own := c.app.PartOf(ref.Name()); own {
			return image, nil
		}
	}
	return "", nil
}
