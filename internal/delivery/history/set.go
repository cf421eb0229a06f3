package history

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Set is what an application runs in a place: the image of each of its parts, in their
// order. The zero Ref stands where a part names none.
type Set []imageref.Ref

// Runs reports whether every image of the set is one that can run.
func (s Set) Runs() bool {
	return len(s) > 0 && !slices.ContainsFunc(s, func(ref imageref.Ref) bool { return !Runs(ref) })
}

// empty reports whether the set names no digest at all.
func (s Set) empty() bool {
	return !slices.ContainsFunc(s, func(ref imageref.Ref) bool { return !ref.IsZero() })
}

// Only is the image of an application that has one; zero where there are several.
func (s Set) Only() imageref.Ref {
	if len(s) != 1 {
		return imageref.Ref{}
	}
	return s[0]
}

// Equal reports whether both name the same images.
func (s Set) Equal(o Set) bool { return slices.Equal(s, o) }

// Key tells sets apart, as the key of a map.
func (s Set) Key() string { return strings.Join(s.texts(imageref.Ref.String), "\n") }

// Short names the digests for people.
func (s Set) Short() string { return strings.Join(s.texts(imageref.Ref.Short), ", ") }

func (s Set) texts(of func(imageref.Ref) string) (list []string) {
	for _, ref := range s {
		list = append(list, of(ref))
	}
	return list
}

// With is the set with the images of another that has any, each in the place of the
// part's own.
func (s Set) With(o Set) Set {
	all := slices.Clone(s)
	for i, ref := range o {
		if !ref.IsZero() {
			all[i] = ref
		}
	}
	return all
}

// At is the set at the places of another's images alone.
func (s Set) At(o Set) Set {
	at := slices.Clone(s)
	for i := range at {
		if i >= len(o) || o[i].IsZero() {
			at[i] = imageref.Ref{}
		}
	}
	return at
}

// Images are the images of the set, without the parts that name none.
func (s Set) Images() []imageref.Ref {
	return slices.DeleteFunc(slices.Clone(s), imageref.Ref.IsZero)
}

// Named finds the part of each image by its repository. Parts that no image is of have
// the zero Ref.
func Named(app config.App, images []imageref.Ref) (Set, error) {
	parts := app.Parts()
	set := make(Set, len(parts))
	for _, image := range images {
		i := slices.IndexFunc(parts, func(p config.App) bool { return p.Image.Name() == image.Repository() })
		switch {
		case i < 0:
			var there []string
			for _, p := range parts {
				there = append(there, p.Image.Name())
			}
			what := "the application's repository"
			if app.Several() {
				what = "the repositories of " + app.Name
			}
			return nil, outcome.Usagef("%s is not in %s, %s in %s", image, strings.Join(there, ", "), what, config.FileName)
		case !set[i].IsZero() && set[i] != image:
			return nil, outcome.Usagef("both %s and %s are of %s: name one digest for each image", set[i].Short(), image.Short(),
				parts[i].Image.Name())
		}
		set[i] = image
	}
	return set, nil
}

// Moved is an image of an application with several that takes the place of another.
type Moved struct {
	Part     string       `json:"part"` // its name under images
	Image    imageref.Ref `json:"image"`
	Previous imageref.Ref `json:"previous"` // that ran there before
}

// MovedParts lists the images of a set that move, where the application has several.
func MovedParts(app config.App, to, from Set) (list []Moved) {
	if !app.Several() {
		return nil
	}
	for i, part := range app.Parts() {
		if i < len(to) && !to[i].IsZero() {
			list = append(list, Moved{Part: part.Part, Image: to[i], Previous: from[i]})
		}
	}
	return list
}

// Places are where the parts of an application are named in one environment, in their
// order. All are in one file.
type Places []overlay.Place

// ReadSet finds what the application runs in env according to the files of one commit.
func ReadSet(files map[string][]byte, app config.App, env string) (Places, error) {
	var places Places
	for _, part := range app.Parts() {
		place, err := Read(files, part, env)
		if err != nil {
			return nil, err
		}
		places = append(places, place)
	}
	return places, nil
}

// Set is what the places name.
func (p Places) Set() Set {
	set := make(Set, len(p))
	for i, place := range p {
		set[i] = place.Ref
	}
	return set
}

// File is the file that names them.
func (p Places) File() string { return p[0].File }

// Tag is the first tag that stands where a digest should; empty without one.
func (p Places) Tag() string {
	i := slices.IndexFunc(p, func(place overlay.Place) bool { return place.Tag != "" })
	if i < 0 {
		return ""
	}
	return p[i].Tag
}

// Lack are the images of a set that the places do not name yet, or name beside a tag.
func (p Places) Lack(set Set) Set {
	lack := slices.Clone(set)
	for i, place := range p {
		if place.Ref == set[i] && place.Tag == "" {
			lack[i] = imageref.Ref{}
		}
	}
	return lack
}

// Missing says in words which parts run nothing yet; empty where all run.
func (p Places) Missing(app config.App, env string) string {
	for i, part := range app.Parts() {
		switch {
		case Runs(p[i].Ref) && p[i].Tag == "":
		case app.Several():
			return fmt.Sprintf("%s of %s does not run in %s yet", part.Part, app.Name, env)
		default:
			return "nothing runs in " + env + " yet"
		}
	}
	return ""
}

// Together finds the newest period in which all images of a set ran in env at once, at or
// before a revision, and lets it begin no earlier than waybill.yaml had all of them in
// the place.
func Together(ctx context.Context, repo Reader, w Where, set Set) (Period, bool, error) {
	if len(set) == 1 {
		return Ran(ctx, repo, w, set[0])
	}
	p, found, err := Stands(ctx, repo, w, set)
	if !found || err != nil {
		return Period{}, false, err
	}
	p, found, err = Declared(ctx, repo, w, p)
	return p, found && p.ran(), err
}

// Stands finds the newest period in which all images of a set ran in env at once, as Find
// does for one. A set that lacks an image ran nowhere: what stood in its place, if anything
// did, is not known.
func Stands(ctx context.Context, repo Reader, w Where, set Set) (Period, bool, error) {
	if len(set) == 1 {
		return Find(ctx, repo, w, set[0])
	}
	if !set.Runs() {
		return Period{}, false, nil
	}
	for p, err := range History(ctx, repo, w) {
		if err != nil {
			return Period{}, false, err
		}
		if p.Set.Equal(set) && p.ran() {
			return p, true, nil
		}
	}
	return Period{}, false, nil
}
