package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
)

// maxWrappers bounds how many kustomizations outside of overlays are rendered.
const maxWrappers = 100

// wrappers renders the kustomizations that the change touches, itself or in what
// they refer to, and that no overlay renders. Their new images are held to the
// same list as manifests outside. What judged says was told already.
func (s *session) wrappers(ctx context.Context, judged map[string]bool) error {
	dirs := s.touchedKustomizations()
	for i, dir := range dirs {
		at := Finding{File: kustomizationOf(s.head.Files, dir), Rule: RuleRender, State: evidence.Refused}
		if i == maxWrappers && s.base != nil {
			at.Message = fmt.Sprintf("the change touches more than %d kustomizations that no overlay renders: split it", maxWrappers)
			s.add(at)
			return nil
		}
		if err := s.wrapper(ctx, dir, at, judged); err != nil {
			return err
		}
	}
	return nil
}

// kustomizationOf is the file of a directory's kustomization.
func kustomizationOf(files map[string][]byte, dir string) string {
	for _, base := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if _, ok := files[path.Join(dir, base)]; ok {
			return path.Join(dir, base)
		}
	}
	return ""
}

func (s *session) wrapper(ctx context.Context, dir string, at Finding, judged map[string]bool) error {
	before, problemBefore := s.outerOnce(ctx, s.baseRender, dir)
	after, err := s.outerOnce(ctx, s.headRender, dir)
	if troubled(ctx, err) {
		return err
	}
	if err != nil {
		s.unrendered(dir, at, problemBefore, err)
		return nil
	}
	s.compare(deployers.Comparison{File: at.File, Where: dir, Env: s.deployers.EnvironmentOf(dir), Before: before, After: after})
	if s.base != nil && kustomizationOf(s.was, dir) == "" {
		s.leavesOut(dir, at.File, after)
	}
	if s.isTop(dir) && !isComponent(s.head.Files[at.File]) {
		top := at
		top.Env = s.deployers.EnvironmentOf(dir)
		if err := s.checklist(ctx, top, before, after); err != nil {
			return err
		}
	}
	at.Rule = RuleDigest
	own, err := s.overlaysIn(ctx, dir, at)
	if err != nil {
		return err
	}
	for _, image := range s.newImages("", before, after) {
		if !own[image.Text] && !judged[image.Text] {
			s.outsideImage(at, image)
		}
	}
	return nil
}

// leavesOut reports a new kustomization that does not have all of the manifests which
// stood in its directory: a deployer took them as they stand, and now takes it.
func (s *session) leavesOut(dir, file string, after []render.Object) {
	has := make(map[string]bool)
	for _, o := range after {
		has[o.Kind+" "+o.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(s.was)) {
		if !deployers.IsManifest(name) || s.head.Files[name] == nil || !s.standsIn(dir, name) {
			continue
		}
		for _, o := range deployers.Manifests(name, s.was[name]) {
			if o.Kind != deployers.Values && !has[o.Kind+" "+o.Name] {
				s.once(file, render.Visible(fmt.Sprintf("%s is new, and leaves out what stands in its directory, such as %s of %s",
					file, o, name)))
				return
			}
		}
	}
}

// standsIn reports whether the base has a file in a directory or below it, with no
// kustomization or chart between them that makes something of it.
func (s *session) standsIn(dir, file string) bool {
	for at := path.Dir(file); ; at = path.Dir(at) {
		if kustomizationOf(s.was, at) != "" || s.was[path.Join(at, "Chart.yaml")] != nil {
			return false
		}
		if at == dir || at == "." {
			return at == dir
		}
	}
}

// unrendered reports a kustomization of which nothing can be judged. A component
// can need what includes it, and a place says itself that it does not render.
func (s *session) unrendered(dir string, at Finding, before, err error) {
	component := isComponent(s.head.Files[at.File]) && s.headRender.Local(dir) == nil
	switch {
	case component || s.isOverlay(dir):
	case same(before, err):
		s.weaker(at.File, 0, render.Visible(at.File+" changes what it renders, and nothing of it can be judged: "+err.Error()))
	default:
		at.Message = "no overlay renders this kustomization, and nothing of it can be judged: " + err.Error()
		s.add(at)
	}
}

// isOverlay reports whether a directory is a place, which says itself that it
// does not render.
func (s *session) isOverlay(dir string) bool {
	return slices.ContainsFunc(s.places(), func(p place) bool { return p.app.Overlay(p.env.Name) == dir })
}

// outerKey is a kustomization outside of overlays, in the base or in the head.
type outerKey struct {
	in  *render.Renderer
	dir string
}

// outerObjects are what it renders, or why it does not.
type outerObjects struct {
	objects []render.Object
	err     error
}

// outerOnce renders a kustomization outside of overlays, once for all who ask. Nobody
// changes the objects.
func (s *session) outerOnce(ctx context.Context, r *render.Renderer, dir string) ([]render.Object, error) {
	key := outerKey{r, dir}
	found, ok := s.outer[key]
	if !ok {
		found.objects, found.err = kustomize(ctx, r, dir)
		s.outer[key] = found
	}
	return found.objects, found.err
}

func kustomize(ctx context.Context, r *render.Renderer, dir string) ([]render.Object, error) {
	return limit.Do(ctx, "rendering "+dir, func() ([]render.Object, error) { return r.Kustomize(dir) })
}

// troubled reports whether an error is of this machine, and no verdict.
func troubled(ctx context.Context, err error) bool {
	return err != nil && (errors.As(err, new(*limit.Exceeded)) || ctx.Err() != nil)
}

// isComponent tells a component: it can need what includes it.
func isComponent(data []byte) bool { return strings.Contains("\n"+string(data), "\nkind: Component") }

// overlaysIn are the images of the overlays that a kustomization refers to: these
// are judged in their own places, for their own environment. A kustomization that
// newly brings an overlay into another environment deploys what nobody judged
// there.
func (s *session) overlaysIn(ctx context.Context, dir string, at Finding) (map[string]bool, error) {
	images := make(map[string]bool)
	was, env := s.placesIn(s.was, dir), s.deployers.EnvironmentOf(dir)
	for key, p := range s.placesIn(s.head.Files, dir) {
		if _, had := was[key]; !had && p.env.Name != env {
			s.bringsInto(env, p, at)
			continue
		}
		objects, err := kustomize(ctx, s.headRender, p.app.Overlay(p.env.Name))
		if troubled(ctx, err) {
			return nil, err
		}
		for _, image := range render.FindImages(objects, s.fields(p.env.Name)) {
			images[withoutTag(image.Text)] = true
		}
	}
	return images, nil
}

// bringsInto reports a kustomization that newly includes a place of another
// environment, or of which nothing says for which it is.
func (s *session) bringsInto(env string, p place, at Finding) {
	what := fmt.Sprintf("%s newly brings %s in %s (%s)", at.File, p.app.Name, p.env.Name, p.app.Overlay(p.env.Name))
	if env == "" {
		s.weaker(at.File, 0, render.Visible(what+" wherever that is deployed"))
		return
	}
	at.Message = render.Visible(what + " into " + env + ": what runs there is judged by the overlay of " + env + " alone. Refer to that")
	s.add(at)
}

// placesIn are the places whose overlay a kustomization refers to.
func (s *session) placesIn(files map[string][]byte, dir string) map[string]place {
	found, inside := make(map[string]place), render.References(files, dir)
	for _, p := range s.allPlaces() {
		at := p.app.Overlay(p.env.Name)
		if file := kustomizationOf(files, at); at != dir && inside[file] {
			found[p.app.Name+" "+p.env.Name+" "+at] = p
		}
	}
	return found
}

// touchedKustomizations are the directories of the head whose kustomizations no
// overlay renders and the change reaches.
func (s *session) touchedKustomizations() []string {
	var dirs []string
	for dir := range s.reached() {
		if file := kustomizationOf(s.head.Files, dir); file != "" && !s.headRender.Read(file) {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// isTop reports whether no other kustomization has that of a directory as a
// resource, so that it is one that a deployer takes as it is.
func (s *session) isTop(dir string) bool {
	s.namedOnce.Do(func() {
		s.namedDirs = make(map[string]bool)
		for file, data := range s.head.Files {
			if render.IsKustomization(file) {
				for _, entry := range resources(kustomization(file, data)) {
					s.namedDirs[path.Join(path.Dir(file), entry)] = true
				}
			}
		}
	})
	return !s.namedDirs[dir]
}

// reached are the directories of the head whose kustomizations the change reaches,
// found once. It goes from what is changed to what names it, so that its cost does
// not grow with what is not touched.
func (s *session) reached() map[string]bool {
	s.reachedOnce.Do(func() {
		namedBy := make(map[string][]string)
		s.namedBy, s.reachedDirs = namedBy, make(map[string]bool)
		open := slices.Clone(s.changed())
		reach := func(dir string) {
			if !s.reachedDirs[dir] {
				s.reachedDirs[dir] = true
				open = append(open, dir)
			}
		}
		for file := range s.head.Files {
			if render.IsKustomization(file) {
				dir := path.Dir(file)
				for _, name := range render.Named(s.head.Files, dir) {
					namedBy[name] = append(namedBy[name], dir)
				}
				if s.base != nil && render.NamesAnything(s.head.Files, dir) {
					reach(dir)
				}
			}
		}
		for len(open) > 0 {
			name := open[0]
			open = open[1:]
			if render.IsKustomization(name) { // also one that goes, and leaves another one there
				reach(path.Dir(name))
			}
			for _, dir := range namedBy[name] {
				reach(dir)
			}
		}
	})
	return s.reachedDirs
}
