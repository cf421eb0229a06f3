package check

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
)

// maxWrappers bounds how many kustomizations outside of overlays are rendered.
const maxWrappers = 100

// wrappers renders the kustomizations that the change touches, itself or in what
// they refer to, and that no overlay renders. Their new images are held to the
// same list as manifests outside. What judged says was told already.
func (s *session) wrappers(judged map[string]bool) {
	dirs := s.touchedKustomizations()
	for i, dir := range dirs {
		at := Finding{File: path.Join(dir, "kustomization.yaml"), Rule: RuleRender, State: evidence.Refused}
		for _, base := range []string{"kustomization.yml", "Kustomization"} {
			if _, ok := s.head.Files[path.Join(dir, base)]; ok {
				at.File = path.Join(dir, base)
			}
		}
		if i == maxWrappers {
			at.Message = fmt.Sprintf("the change touches more than %d kustomizations that no overlay renders: split it", maxWrappers)
			s.add(at)
			return
		}
		s.wrapper(dir, at, judged)
	}
}

func (s *session) wrapper(dir string, at Finding, judged map[string]bool) {
	before, problemBefore := kustomize(s.baseRender, dir)
	after, err := kustomize(s.headRender, dir)
	if errors.As(err, new(*limit.Exceeded)) {
		at.State = evidence.Pending // of this machine, and no verdict
	}
	if err != nil {
		if !same(problemBefore, err) && !isComponent(s.head.Files[at.File]) && !s.isOverlay(dir) {
			at.Message = "no overlay renders this kustomization, and nothing of it can be judged: " + err.Error()
			s.add(at)
		}
		return
	}
	at.Rule = RuleDigest
	own := s.overlaysIn(dir)
	for _, image := range s.newImages("", before, after) {
		if !own[image.Text] && !judged[image.Text] {
			s.outsideImage(at, image)
		}
	}
}

// isOverlay reports whether a directory is a place, which says itself that it
// does not render.
func (s *session) isOverlay(dir string) bool {
	return slices.ContainsFunc(s.places(), func(p place) bool { return p.app.Overlay(p.env.Name) == dir })
}

func kustomize(r *render.Renderer, dir string) ([]render.Object, error) {
	return limit.Do(context.Background(), "rendering "+dir, func() ([]render.Object, error) { return r.Kustomize(dir) })
}

// isComponent tells a component: it can need what includes it.
func isComponent(data []byte) bool { return strings.Contains("\n"+string(data), "\nkind: Component") }

// overlaysIn are the images of the overlays that a kustomization refers to:
// these are judged in their own places.
func (s *session) overlaysIn(dir string) map[string]bool {
	images := make(map[string]bool)
	inside := render.References(s.head.Files, dir)
	for _, p := range s.places() {
		overlay := p.app.Overlay(p.env.Name)
		if overlay == dir || !inside[path.Join(overlay, "kustomization.yaml")] && !inside[path.Join(overlay, "kustomization.yml")] {
			continue
		}
		objects, err := kustomize(s.headRender, overlay)
		if err != nil {
			continue
		}
		for _, image := range render.FindImages(objects, s.fields(p.env.Name)) {
			images[withoutTag(image.Text)] = true
		}
	}
	return images
}

// touchedKustomizations are the directories of the head whose kustomizations no
// overlay renders and the change reaches. It goes from what is changed to what
// names it, so that its cost does not grow with what is not touched.
func (s *session) touchedKustomizations() []string {
	namedBy := make(map[string][]string)
	for file := range s.head.Files {
		if render.IsKustomization(file) {
			dir := path.Dir(file)
			for _, name := range render.Named(s.head.Files, dir) {
				namedBy[name] = append(namedBy[name], dir)
			}
		}
	}
	reached, open := make(map[string]bool), slices.Clone(s.changed())
	var dirs []string
	reach := func(dir string, rendered bool) {
		if !reached[dir] {
			reached[dir] = true
			open = append(open, dir)
			if !rendered {
				dirs = append(dirs, dir)
			}
		}
	}
	rendered := func(dir string) bool {
		return slices.ContainsFunc([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, func(base string) bool {
			return s.headRender.Read(path.Join(dir, base))
		})
	}
	for len(open) > 0 {
		name := open[0]
		open = open[1:]
		if _, ok := s.head.Files[name]; ok && render.IsKustomization(name) {
			reach(path.Dir(name), rendered(path.Dir(name)))
		}
		for _, dir := range namedBy[name] {
			reach(dir, rendered(dir))
		}
	}
	slices.Sort(dirs)
	return dirs
}
