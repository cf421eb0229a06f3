package check

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
)

// release is a chart that no application has, as somebody deploys it.
type release struct {
	helm   config.Helm
	values []string // texts, the later ones over the earlier ones
}

// freeCharts renders the charts that the change touches and no application has, with the
// values of each Application of the repository that names them; with their own values
// where none does. What they make is held to the same list as manifests outside. Without
// an Application whose values are all here, the change must say so as well: somebody
// else may deploy the chart with others.
func (s *session) freeCharts(ctx context.Context, judged map[string]bool) error {
	if s.base == nil {
		return nil // what nothing deploys would be taken for what runs
	}
	dirs := make(map[string]bool)
	for _, file := range s.changed() {
		if dir := s.freeChart(file); dir != "" {
			dirs[dir] = true
			s.newlyAsks(file)
		}
	}
	if len(dirs) == 0 {
		return nil
	}
	deployers := slices.Concat(s.plainDeployers(), s.headDeployers())
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		releases, all := s.releases(dir, deployers)
		before, beforeErr := s.released(ctx, s.baseRender, releases)
		after, err := s.released(ctx, s.headRender, releases)
		if troubled(ctx, err) || troubled(ctx, beforeErr) {
			return fmt.Errorf("render the chart %s: %w", dir, firstOf(err, beforeErr))
		}
		if err != nil {
			s.once(dir, render.Visible(dir+" is a chart that no application has, and changes: nothing of it is judged"))
			continue
		}
		if !all {
			s.once(dir, render.Visible(dir+" is a chart that no application has, and changes: it is judged with its own values alone"))
		}
		at := Finding{File: path.Join(dir, "Chart.yaml"), Env: s.environmentOf(dir), Rule: RuleDigest, State: evidence.Refused}
		s.compare(comparison{file: at.File, where: dir, env: at.Env, before: before, after: after})
		for _, image := range s.newImages("", before, after) {
			if !judged[image.Text] {
				s.outsideImage(at, image)
			}
		}
		if err := s.checklist(ctx, at, before, after); err != nil {
			return err
		}
	}
	return nil
}

// freeChart is the chart of no application that a file is part of, by the chart that
// holds its parts; empty where it is of none.
func (s *session) freeChart(file string) string {
	if s.headRender.Read(file) {
		return ""
	}
	dir := s.chartAbove(file)
	for dir != "" && path.Base(path.Dir(dir)) == "charts" {
		above := s.chartAbove(path.Dir(dir))
		if above == "" {
			break
		}
		dir = above
	}
	owned := false
	each(s.cfg, func(app config.App, env config.Environment) { owned = owned || app.Helm(env.Name).Chart == dir })
	if owned {
		return ""
	}
	return dir
}

// releases are how the Applications of both sides deploy a chart. all reports whether
// there is one, and every value of each is in the repository.
func (s *session) releases(dir string, deployers []render.Object) (list []release, all bool) {
	all = true
	for _, o := range deployers {
		for _, source := range sources(o) {
			if s.pathOf(source) != dir {
				continue
			}
			r, known := s.releaseOf(dir, source)
			if all = all && known; known {
				list = append(list, r)
			}
		}
	}
	if len(list) == 0 {
		all, list = false, []release{{helm: config.Helm{Chart: dir, Release: path.Base(dir), Namespace: "default"}}}
	}
	return list, all
}

// headDeployers are the deployers of the head's plain manifests.
func (s *session) headDeployers() (list []render.Object) {
	for _, file := range s.changed() {
		if mentionsDeployer(string(s.head.Files[file])) && isManifest(file) {
			list = append(
				list,
				slices.DeleteFunc(manifestsOf(file, s.head.Files[file]), func(o render.Object) bool { return !deploys(o) })...,
			)
		}
	}
	return list
}

// releaseOf reads a source of an Application; false where some of its values are not in
// the repository, or not known how to read.
// https://argo-cd.readthedocs.io/en/stable/user-guide/helm/
func (s *session) releaseOf(dir string, source map[string]any) (release, bool) {
	r := release{helm: config.Helm{Chart: dir, Release: path.Base(dir), Namespace: "default"}}
	helm, _ := source["helm"].(map[string]any)
	for key, value := range helm {
		text, _ := value.(string)
		switch key {
		case "releaseName":
			r.helm.Release = text
		case "namespace":
			r.helm.Namespace = text
		case "valueFiles", "values", "valuesObject", "ignoreMissingValueFiles":
		default:
			return r, false // parameters, say
		}
	}
	files, _ := helm["valueFiles"].([]any)
	for _, e := range files {
		name, _ := e.(string)
		if name == "" || strings.HasPrefix(name, "$") || strings.Contains(name, "://") || strings.Contains(name, "{{") {
			return r, false
		}
		at := path.Join(dir, name)
		if strings.HasPrefix(name, "/") {
			at = s.below(path.Clean(name[1:]))
		}
		r.helm.Values = append(r.helm.Values, at)
	}
	if text, _ := helm["values"].(string); text != "" {
		r.values = append(r.values, text)
	}
	if object := helm["valuesObject"]; object != nil {
		data, err := yaml.Marshal(object)
		if err != nil {
			return r, false
		}
		r.values = append(r.values, string(data))
	}
	return r, !strings.Contains(strings.Join(append(r.values, r.helm.Release, r.helm.Namespace), " "), "{{") // of an ApplicationSet
}

func (s *session) released(ctx context.Context, r *render.Renderer, releases []release) (all []render.Object, err error) {
	for _, one := range releases {
		objects, err := limit.Do(ctx, "rendering "+one.helm.Chart, func() ([]render.Object, error) {
			return r.Chart(one.helm, one.values)
		})
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
