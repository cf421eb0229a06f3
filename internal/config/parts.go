package config

import (
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// part is one image of an application that has several.
type part struct {
	name   string
	image  name.Repository
	values string // path in Helm values; empty is wherever its repository is named
}

// imagePaths are where Helm values name images: one path, or one for each part.
type imagePaths struct {
	one   string
	parts map[string]string
}

func (p *imagePaths) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&p.one)
	}
	return n.Decode(&p.parts)
}

// Several reports whether the application has its images under images: they move
// together, as a set.
func (a App) Several() bool { return len(a.parts) > 0 }

// Parts are the application once for each of its images, as if it had no other, in the
// order of their names. An application of one image is its only part.
func (a App) Parts() []App {
	if !a.Several() {
		return []App{a}
	}
	list := make([]App, len(a.parts))
	for i, p := range a.parts {
		one := a
		one.Part, one.Image, one.helm.Image, one.parts = p.name, p.image, p.values, nil
		list[i] = one
	}
	return list
}

// Images are the repositories of the application.
func (a App) Images() (images []name.Repository) {
	for _, one := range a.Parts() {
		images = append(images, one.Image)
	}
	return images
}

// PartOf is the part whose image lies in the repository.
func (a App) PartOf(repository string) (App, bool) {
	parts := a.Parts()
	i := slices.IndexFunc(parts, func(one App) bool { return one.Image.Name() == repository })
	if i < 0 {
		return App{}, false
	}
	return parts[i], true
}

// Title names the application for people, and the part, if this is one.
func (a App) Title() string {
	if a.Part == "" {
		return a.Name
	}
	return a.Name + "/" + a.Part
}

// images reads the image of an application, or its images. Each has a repository and a
// place in the values of its own: a digest could not be told from another's otherwise.
func (p *parser) images(at *yaml.Node, app *App, one string, several map[string]string, paths imagePaths) {
	path := child(child(at, "helm"), "image")
	if len(several) == 0 {
		var err error
		if app.Image, err = imageref.ParseRepository(one); err != nil {
			p.problem(child(at, "image"), "apps.%s.image: %v", app.Name, err)
		}
		if paths.parts != nil {
			p.problem(path, "apps.%s.helm.image: a path for each image is for an application with images; write one path", app.Name)
		}
		return
	}
	if paths.one != "" {
		p.problem(path, "apps.%s.helm.image: the application has several images; write a path for each, such as {%s: %s}", app.Name,
			slices.Min(slices.Collect(maps.Keys(several))), paths.one)
	}
	for _, name := range slices.Sorted(maps.Keys(paths.parts)) {
		if _, has := several[name]; !has {
			p.problem(child(path, name), "apps.%s.helm.image: there is no image %q under images", app.Name, name)
		}
	}
	images, values := make(map[string]string), make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(several)) {
		where := child(child(at, "images"), name)
		image, err := imageref.ParseRepository(several[name])
		if err != nil {
			p.problem(where, "apps.%s.images.%s: %v", app.Name, name, err)
			continue
		}
		if other, twice := images[repository(image)]; twice {
			p.problem(where, "apps.%s.images: %s and %s have one repository, so that nobody could tell their digests apart: "+
				"name it once, or give each its own", app.Name, other, name)
		}
		at := paths.parts[name]
		if other, twice := values[at]; twice && at != "" {
			p.problem(child(path, name), "apps.%s.helm.image: %s and %s have one path; give each its own", app.Name, other, name)
		}
		images[repository(image)], values[at] = name, name
		app.parts = append(app.parts, part{name: name, image: image, values: at})
	}
}
