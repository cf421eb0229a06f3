package check

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/limit"
)

// rendering is how many images a place runs on both sides.
type rendering struct{ before, after int }

// versions are what a place names in the base and in the head.
type versions struct{ was, now history.Places }

// rendered wants the head to render, and judges every image of it that the base
// does not have. unread is why the overlay cannot be read; nil if it can.
func (s *session) rendered(ctx context.Context, p place, at Finding, v versions, unread error) error {
	now := v.now
	var before []render.Object
	var problemBefore error
	if p.had {
		before, problemBefore = s.baseRender.App(ctx, p.was, p.env.Name)
	}
	after, err := s.headRender.App(ctx, p.app, p.env.Name)
	if errors.As(err, new(*limit.Exceeded)) {
		return err // of this machine, and no verdict
	}
	if errors.As(problemBefore, new(*limit.Exceeded)) { // what mends that must get in
		note := at
		note.Rule, note.Line, note.Message = RuleRender, 0, "everything here is judged as if it were new, because of "+
			"the base: "+problemBefore.Error()
		s.note(note)
	}
	if err != nil {
		if !same(problemBefore, err) && !same(unread, err) {
			at.Rule, at.Message = RuleRender, err.Error()
			s.add(at)
		}
		return ctx.Err()
	}
	if s.base != nil {
		s.mu.Lock()
		s.sets[p.key()] = rendering{before: len(render.Images(before)), after: len(render.Images(after))}
		s.mu.Unlock()
	}
	where := p.app.Overlay(p.env.Name)
	s.compare(deployers.Comparison{File: at.File, Where: where, Env: p.env.Name, Before: s.bumped(ctx, p, before, now), After: after})
	if err := s.manifests(ctx, p, at, before, after); err != nil {
		return err
	}
	if err := s.checklist(ctx, at, before, after); err != nil {
		return err
	}
	at.Rule, at.Line = RuleDigest, 0
	images := s.newImages(p.env.Name, before, after)
	kept, err := s.keptBeside(ctx, p, v, after)
	if err != nil {
		return err
	}
	for _, image := range kept {
		if !slices.ContainsFunc(images, func(o render.Image) bool { return o.Text == image.Text }) {
			images = append(images, image)
		}
	}
	for _, image := range images {
		if said(p.app, now, image.Text) {
			continue // at the overlay's own line
		}
		if err := s.image(ctx, p, at, v, image); err != nil {
			return err
		}
	}
	return nil
}

// said reports whether an image is one that the overlay names. What a deployer hands to a
// chart may be a tag with the digest behind it, beside the repository.
func said(app config.App, now history.Places, image string) bool {
	for i, part := range app.Parts() {
		if i >= len(now) {
			break
		}
		tag, digest := imageref.Split(image)
		if image == now[i].Ref.String() || now[i].Tag != "" && strings.HasPrefix(image, part.Image.Name()+":") ||
			deployer(now[i].Form) && !strings.Contains(tag, "/") && !now[i].Ref.IsZero() && digest == now[i].Ref.Digest() {
			return true
		}
	}
	return false
}

// deployer reports whether an overlay of the form may be a deployer itself, such as an
// Application or a HelmRelease.
func deployer(form overlay.Form) bool { return form == overlay.Application || form == overlay.Manifest }

// bumped is what the base renders with the head's digest, where the overlay is a
// deployer itself: the digest is judged by the place, and all else is compared.
func (s *session) bumped(ctx context.Context, p place, before []render.Object, now history.Places) []render.Object {
	if !p.had || len(now) == 0 || !deployer(now[0].Form) || !now.Set().Runs() {
		return before
	}
	edited, err := history.Edit(s.base.Files, p.was, p.env.Name, aligned(p.was, p.app, now.Set()))
	if err != nil {
		return before
	}
	objects, err := s.baseRender.With(edited.Place.File, edited.After).App(ctx, p.was, p.env.Name)
	if err != nil {
		return before
	}
	return objects
}

// newImages lists the images that only the second side has, each once.
func (s *session) newImages(env string, before, after []render.Object) []render.Image {
	fields := s.fields(env)
	seen := make(map[string]bool)
	for _, image := range render.FindImages(before, fields) {
		seen[withoutTag(image.Text)] = true
	}
	var images []render.Image
	for _, image := range render.FindImages(after, fields) {
		image.Text = withoutTag(image.Text)
		if !seen[image.Text] {
			seen[image.Text] = true
			images = append(images, image)
		}
	}
	return images
}

// fields are where images are looked for: what base or head add, without what
// the base says is none.
func (s *session) fields(env string) render.Fields {
	rules, own := s.rules.Images(env), s.cfg.Images(env)
	return render.Fields{Add: slices.Concat(rules.Fields, own.Fields), Ignore: rules.Ignore, Texts: true}
}

var byVariable = regexp.MustCompile(`\$\(|\$\{|\{\{`)

// image judges an image that the place newly runs beside the one that its
// overlay names.
func (s *session) image(ctx context.Context, p place, at Finding, v versions, image render.Image) error {
	where := render.Visible(fmt.Sprintf("%s (%s, %s)", image.Text, image.Object, image.Field))
	refuse := func(format string, args ...any) error {
		at.Message = fmt.Sprintf(format, args...)
		s.add(at)
		return nil
	}
	switch {
	case byVariable.MatchString(image.Text):
		if s.rules.Images(p.env.Name).Allows(image.Text) {
			return nil
		}
		return refuse("the rendered manifests run %s, which a variable of the cluster decides: nothing can be verified of it; "+
			"write IMAGE@sha256:…", where)
	case !strings.Contains(image.Text, "@"):
		return refuse("the rendered manifests run %s, which names no digest: a tag can be moved; write IMAGE@sha256:…", where)
	}
	parsed, err := name.NewDigest(image.Text, name.WeakValidation)
	if err != nil {
		return refuse("the rendered manifests run %s, which cannot be read as an image: %v", where, err)
	}
	ref, err := imageref.New(parsed.Repository, parsed.DigestStr())
	if err != nil {
		return refuse("the rendered manifests run %s, which cannot be read as an image: %v", where, err)
	}
	switch {
	case len(s.owners(ref.Repository())) > 0:
		if slices.Contains(v.now.Set(), ref) || history.Placeholder(ref) {
			return nil
		}
		return s.beside(ctx, p, at, v, ref)
	case s.rules.Images(p.env.Name).Allows(ref.Repository()):
		return nil
	}
	return refuse("the rendered manifests run %s", foreign(where))
}

func foreign(where string) string {
	return fmt.Sprintf("%s, which is no application's and not allowed: nothing is verified of it. "+
		"Declare it as an application, or allow its repository under policy.images.allow in %s; a change is judged by the list of "+
		"its base, so merge that first", where, config.FileName)
}

// owners are the applications whose image lies in the repository.
func (s *session) owners(repository string) []string {
	var owners []string
	for _, cfg := range []*config.Config{s.rules, s.cfg} {
		for _, name := range cfg.AppNames() {
			app, err := cfg.App(name)
			if err != nil || slices.Contains(owners, name) {
				continue
			}
			if _, has := app.PartOf(repository); has {
				owners = append(owners, name)
			}
		}
	}
	return owners
}

// beside judges an application's image that the rendered manifests run beside
// the one that the overlay names, as if it entered the owner's own place in that
// environment. Where several applications have the repository, one of them must
// allow it.
func (s *session) beside(ctx context.Context, p place, at Finding, v versions, ref imageref.Ref) error {
	owners := s.owners(ref.Repository())
	if slices.Contains(owners, p.app.Name) {
		owners = []string{p.app.Name}
	}
	var first *evidence.Waybill
	for _, owner := range owners {
		own, e := p, entering{now: ref}
		if owner == p.app.Name {
			e.was = partOf(p.app, v.was.Set(), ref)
			e.set = v.now.Set()
		} else {
			own = s.placeOf(owner, p.env)
			if places, err := history.ReadSet(s.head.Files, own.app, p.env.Name); err == nil {
				e.set = places.Set()
			}
		}
		if e.set, _ = withPart(own.app, e.set, ref); e.set == nil {
			e.set = history.Set{ref}
		}
		waybill, err := s.judge(ctx, own, e)
		if err != nil {
			return err
		}
		waybill.App = p.app.Name
		if first == nil || waybill.Decision.State() == evidence.Met {
			first = &waybill
		}
		if waybill.Decision.State() == evidence.Met {
			break
		}
	}
	s.report(*first, at)
	return nil
}

// partOf is the image of a set that lies in the repository of ref; zero without one.
func partOf(app config.App, set history.Set, ref imageref.Ref) imageref.Ref {
	for i, part := range app.Parts() {
		if i < len(set) && part.Image.Name() == ref.Repository() {
			return set[i]
		}
	}
	return imageref.Ref{}
}

// withPart is a set with ref in the place of its part; false where it is of none.
func withPart(app config.App, set history.Set, ref imageref.Ref) (history.Set, bool) {
	one, err := history.Named(app, []imageref.Ref{ref})
	if err != nil {
		return nil, false
	}
	if len(set) != len(one) {
		return one, true
	}
	return set.With(one), true
}

// placeOf is the place of another application in the environment, also where it
// has no overlay there.
func (s *session) placeOf(owner string, env config.Environment) place {
	p := place{env: env}
	var err error
	if p.app, err = s.cfg.App(owner); err != nil {
		p.app, _ = s.rules.App(owner)
	}
	p.was, p.had = s.baseApp(owner, env.Name)
	return p
}

// withoutTag cuts the tag off REPOSITORY:TAG@DIGEST: the digest decides.
func withoutTag(image string) string {
	if repository, digest := imageref.Split(image); digest != "" {
		return repository + "@" + digest
	}
	return image
}
