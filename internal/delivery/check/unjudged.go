package check

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
)

// unjudged reports what a changed file brings into a cluster that nobody can judge
// here, because no place renders it.
func (s *session) unjudged(file string) {
	shown := render.Visible(file)
	if s.chartAbove(file) != "" {
		return // freeCharts judges it
	}
	data, there := s.head.Files[file]
	switch ext := path.Ext(file); {
	case slices.Contains(choosing, path.Base(file)):
		s.weaker(file, 0, shown+" changes what files a deployer gets from git")
	case s.head.Large[file] != "" && deployers.IsManifest(file):
		s.weaker(file, 0, shown+" is too large to be read, so nothing of it is judged")
	case there && (ext == ".jsonnet" || ext == ".libsonnet"):
		s.weaker(file, 0, shown+" is Jsonnet, of which nothing is judged")
	case there && deployers.IsManifest(file) && ext != "" && !render.IsKustomization(file): // that says itself that it does not render
		if _, err := deployers.Documents(file, data); err != nil && !s.broken(file) {
			s.weaker(file, 0, shown+" cannot be read, so nothing of it is judged")
		}
	}
	if path.Base(file) == "fleet.yaml" {
		s.weaker(file, 0, shown+" overrides what Fleet deploys, and changes")
	}
	if s.base != nil { // else there is nothing to take away
		s.programmed(file)
		for _, o := range s.deployers.ChosenBy(file) {
			s.weaker(file, 0, render.Visible(file+" changes, from which "+o.String()+" makes what it deploys, and no place has it"))
		}
	}
}

// choosing are files that choose which files a deployer gets.
// https://fluxcd.io/flux/components/source/gitrepositories/#sourceignore-file
// https://fleet.rancher.io/ref-fleet-yaml
var choosing = []string{".gitattributes", ".gitmodules", ".sourceignore", ".fleetignore"}

// programmed reports a file of any kind that a program makes manifests of: Jsonnet that
// imports it, or a plugin that an Application has for its directory.
func (s *session) programmed(file string) {
	if s.deployers.Imports(path.Base(file)) {
		s.weaker(file, 0, render.Visible(file+" changes, which Jsonnet may read"))
	}
	for _, p := range s.deployers.Plugins(file) {
		s.once(file, render.Visible(
			p.Dir+" changes, of which a plugin makes what "+p.Application.String()+" deploys, and nobody judges that"))
	}
}

// marked reports what a changed file says to those who hand it out or write to it: a
// pointer leads to what git does not hold, and a marker has Flux choose an image.
func (s *session) marked(file string) {
	was, now := string(s.was[file]), string(s.head.Files[file])
	if strings.HasPrefix(now, lfsPointer) && (deployers.IsManifest(file) || s.headRender.Read(file)) {
		s.weaker(file, 0, render.Visible(file+" is a pointer of Git LFS: nothing of what it leads to is judged"))
	}
	for _, marker := range marker.FindAllString(now, -1) {
		if !strings.Contains(was, marker) {
			s.weaker(file, 0, render.Visible(file+" newly has the marker "+marker+", by which Flux writes images"))
		}
	}
}

// lfsPointer begins a file that Git LFS keeps elsewhere.
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
const lfsPointer = "version https://git-lfs.github.com/spec/"

// marker is what Flux's image automation looks for.
// https://fluxcd.io/flux/guides/image-update/#configure-image-update-for-custom-resources
var marker = regexp.MustCompile(`\{"\$imagepolicy":[^}\n]*\}`)

// broken reports a file that something deploys and that is no YAML: its deployment
// fails. It returns whether the file is such a one.
func (s *session) broken(file string) bool {
	_, err := limit.Documents(file, s.head.Files[file])
	if err == nil || limit.TooMuch(err) || !s.deployed(file) {
		return false
	}
	if _, before := limit.Documents(file, s.was[file]); !same(before, err) {
		s.add(Finding{File: file, Rule: RuleRender, State: evidence.Refused,
			Message: render.Visible("something deploys this file, and it cannot be read: " + err.Error())})
	}
	return true
}

// deployed reports whether a file lies where deployers look: below platform/ or
// clusters/, beside a kustomization, or in a directory that a deployer names.
func (s *session) deployed(file string) bool {
	dir := path.Dir(file)
	return admission.Reads(file) || kustomizationOf(s.head.Files, dir) != "" ||
		s.deployers.Reads(file)
}

// once reports protection that goes with a directory, for all of its files.
func (s *session) once(dir, change string) {
	if !s.said[change] {
		s.said[change] = true
		s.weaker(dir, 0, change)
	}
}

// chartAbove is the directory of the chart that a file is part of; empty where it
// is of none.
func (s *session) chartAbove(file string) string {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		for _, files := range []map[string][]byte{s.was, s.head.Files} {
			if files[path.Join(dir, "Chart.yaml")] != nil {
				return dir
			}
		}
	}
	return ""
}

// withoutKustomization reports directories that have no kustomization any more:
// what is left there is deployed as it stands, and the rest goes.
func (s *session) withoutKustomization(ctx context.Context, file string) error {
	dir := path.Dir(file)
	if !render.IsKustomization(file) || s.was[file] == nil || kustomizationOf(s.head.Files, dir) != "" || s.isOverlay(dir) {
		return nil
	}
	before, err := s.outerOnce(ctx, s.baseRender, dir)
	if troubled(ctx, err) {
		return err
	}
	if err == nil {
		at := Finding{File: file, Env: s.deployers.EnvironmentOf(dir)}
		s.compare(deployers.Comparison{File: file, Where: dir, Env: at.Env, Before: before})
		if err := s.checklist(ctx, at, before, nil); err != nil {
			return err
		}
	}
	for other := range s.head.Files {
		if path.Dir(other) == dir && deployers.IsManifest(other) {
			s.once(file, render.Visible(file+" goes, and what is left in "+dir+" is deployed as it stands"))
		}
	}
	return nil
}
