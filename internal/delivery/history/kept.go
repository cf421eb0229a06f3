package history

import (
	"context"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Entry is a set that would enter an environment.
type Entry struct {
	App      config.App
	From, To string // environments
	Set      Set    // all that the place would run
	Config   *config.Config
}

// Kept says which image of an application with several a place would run beside a set,
// although its overlay does not name it: a patch, a base or a chart brings it. It is empty
// where there is none, or the environment before runs it too. check says the same of a pull
// request; where Waybill commits, nobody else asks.
func Kept(ctx context.Context, on *render.Renderer, e Entry) (string, error) {
	if !e.App.Several() {
		return "", nil
	}
	after, err := on.App(ctx, e.App, e.To)
	if err != nil {
		return "", err
	}
	before, err := on.App(ctx, e.App, e.From)
	if err != nil {
		return "", err
	}
	rules := e.Config.Images(e.To)
	fields := render.Fields{Add: rules.Fields, Ignore: rules.Ignore, Texts: true} // as check looks for images
	known := e.Set.texts(imageref.Ref.String)
	for _, image := range render.FindImages(before, fields) {
		known = append(known, image.Text)
	}
	for _, found := range render.FindImages(after, fields) {
		image := found.Text
		name, digest := repositoryOf(image)
		same := func(o string) bool { return strings.HasSuffix(o, "@"+digest) }
		repository, err := imageref.ParseLocal(name)
		if err != nil || digest == "" || slices.ContainsFunc(known, same) {
			continue
		}
		if _, own := e.App.PartOf(repository.Name()); own {
			return image, nil
		}
	}
	return "", nil
}
