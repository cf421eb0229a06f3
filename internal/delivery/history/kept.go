package history

import (
	"context"

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
	known := make(Digests)
	known.Named(e.Set...)
	known.Found(render.FindImages(before, fields))
	for _, image := range Beside(e.App, render.FindImages(after, fields), known) {
		return image.Text, nil
	}
	return "", nil
}

// Digests are those that a place may run, whoever brings them.
type Digests map[string]bool

// Named adds the digests of references.
func (d Digests) Named(refs ...imageref.Ref) {
	for _, ref := range refs {
		d[ref.Digest()] = true
	}
}

// Found adds the digests of rendered images.
func (d Digests) Found(images []render.Image) {
	for _, image := range images {
		_, digest := imageref.Split(image.Text)
		d[digest] = true
	}
}

// Beside lists the images of an application that a place runs beside what is known: its
// own, by a digest that can run.
func Beside(app config.App, found []render.Image, known Digests) (beside []render.Image) {
	for _, image := range found {
		name, digest := imageref.Split(image.Text)
		repository, err := imageref.ParseLocal(name)
		if err != nil || known[digest] {
			continue
		}
		ref, err := imageref.New(repository, digest)
		if _, own := app.PartOf(repository.Name()); own && err == nil && Runs(ref) {
			beside = append(beside, image)
		}
	}
	return beside
}
