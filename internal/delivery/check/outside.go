package check

import (
	"context"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// outside judges the images of plain manifests and kustomizations that the
// change touches and that no overlay renders, such as those of platform/ and
// clusters/. There is no place to judge an order by, so an application's image
// has no business there.
func (s *session) outside(ctx context.Context) error {
	if s.base != nil {
		s.charts()
	}
	var plain []string
	judged := make(map[string]bool)
	for _, file := range s.changed() {
		if deployers.IsSourceFile(file) {
			s.weaker(file, 0, render.Visible(file+" overrides what Argo CD deploys, and changes"))
		}
		if s.head.Links[file] != "" && !s.head.Followed[file] {
			s.weaker(file, 0, render.Visible(file+" is a link or a submodule: nothing of what it leads to is judged"))
		}
		s.marked(file)
		if s.headRender.Read(file) {
			continue
		}
		s.unjudged(file)
		if !deployers.IsManifest(file) {
			continue
		}
		if err := s.withoutKustomization(ctx, file); err != nil {
			return err
		}
		plain = append(plain, file)
		if s.base == nil {
			continue // values and templates that nothing deploys would be taken for images that run
		}
		before, after := deployers.Manifests(file, s.was[file]), deployers.Manifests(file, s.head.Files[file])
		s.compare(deployers.Comparison{File: file, Where: file, Env: s.deployers.EnvironmentOf(file), Before: before, After: after})
		for _, image := range s.newImages("", before, after) {
			judged[image.Text] = judged[image.Text] || image.Object.Kind != deployers.Values // of which only some are told
			s.outsideImage(Finding{File: file, Rule: RuleDigest, State: evidence.Refused}, image)
		}
	}
	if err := s.wrappers(ctx, judged); err != nil {
		return err
	}
	if err := s.freeCharts(ctx, judged); err != nil {
		return err
	}
	for _, file := range plain {
		if err := s.plainManifests(ctx, file); err != nil {
			return err
		}
	}
	return s.unknownCharts()
}

// plainManifests holds the manifests of a file that nothing renders against the
// checklist. What a chart or a kustomization makes of a file is held in its place.
func (s *session) plainManifests(ctx context.Context, file string) error {
	if s.headRender.Read(file) || render.IsKustomization(file) || deployers.IsSourceFile(file) {
		return nil
	}
	kinds, err := s.definitions()
	if err != nil {
		return err
	}
	own := func(data []byte) []render.Object {
		objects, err := deployers.Documents(file, data)
		if err != nil {
			return nil
		}
		inChart := s.chartAbove(file) != "" // whose values may have a kind
		return slices.DeleteFunc(objects, func(o render.Object) bool {
			return o.Kind == deployers.Values || !kinds.Knows(o) || inChart && o.APIVersion == ""
		})
	}
	before := slices.DeleteFunc(own(s.was[file]), func(o render.Object) bool { return s.movedFrom(file, o) })
	return s.checklist(ctx, Finding{File: file, Env: s.deployers.EnvironmentOf(file)}, before, own(s.head.Files[file]))
}

// movedFrom reports whether an object of a plain manifest newly stands in another one of the
// same directory at the top.
func (s *session) movedFrom(file string, o render.Object) bool {
	s.broughtOnce.Do(func() {
		s.brought = make(map[string][]string)
		for _, file := range slices.DeleteFunc(slices.Clone(s.changed()), func(file string) bool { return !deployers.IsManifest(file) }) {
			had := make(map[string]bool)
			for _, o := range deployers.Manifests(file, s.was[file]) {
				had[o.ID()] = true
			}
			for _, o := range deployers.Manifests(file, s.head.Files[file]) {
				if !had[o.ID()] {
					s.brought[o.ID()] = append(s.brought[o.ID()], file)
				}
			}
		}
	})
	top, _, _ := strings.Cut(file, "/")
	return slices.ContainsFunc(s.brought[o.ID()], func(other string) bool { return strings.HasPrefix(other, top+"/") })
}

// fetching are the kinds that deploy charts from anywhere, values of such, and kinds that
// look for newer images: the images they name themselves are the least of it, and an
// application's alone are judged there.
var fetching = []string{"Application", "ApplicationSet", "HelmRelease", deployers.Values, "ImageRepository", "ImageUpdater"}

func (s *session) outsideImage(at Finding, image render.Image) {
	where := render.Visible(image.Text + " (" + image.Object.String() + ", " + image.Field + ")")
	refuse := func(text string) {
		at.Message = "no application of " + config.FileName + " renders this file: " + text
		s.add(at)
	}
	parsed, err := name.ParseReference(image.Text, name.WeakValidation)
	repository := ""
	if err == nil {
		repository = imageref.Canonical(parsed.Context()).Name()
	}
	switch {
	case slices.Contains(fetching, image.Object.Kind) && !deployers.DeploysHere(image.Object.Content) && (err != nil ||
		len(s.owners(repository)) == 0):
	case byVariable.MatchString(image.Text) && s.rules.Images("").Allows(image.Text):
	case err != nil || !strings.Contains(image.Text, "@"):
		refuse("the manifest runs " + where + ", which names no digest: a tag can be moved; write IMAGE@sha256:…")
	case len(s.owners(repository)) > 0:
		refuse("the manifest runs " + where + ", an application's image outside of the application's overlays: " +
			"no order, soak or freeze can be judged here. Deploy it by its overlay")
	case !s.rules.Images("").Allows(repository):
		refuse("the manifest runs " + foreign(where))
	}
}
