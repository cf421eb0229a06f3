package deployers

import (
	"context"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/limit"
)

// Release is a chart that no application has, as somebody deploys it.
type Release struct {
	helm   config.Helm
	values []string // texts, the later ones over the earlier ones
}

// Releases are how the Applications of both sides deploy a chart. all reports whether
// there is one, and every value of each is in the repository.
func (c *Change) Releases(dir string, deployers []render.Object) (list []Release, all bool) {
	all = true
	for _, o := range deployers {
		for _, source := range sources(o) {
			if c.pathOf(source) != dir {
				continue
			}
			r, known := c.releaseOf(dir, source)
			if all = all && known; known {
				list = append(list, r)
			}
		}
	}
	if len(list) == 0 {
		all, list = false, []Release{{helm: config.Helm{Chart: dir, Release: path.Base(dir), Namespace: "default"}}}
	}
	return list, all
}

// Among are the deployers of the head in plain manifests that are among the files.
func (c *Change) Among(files []string) (list []render.Object) {
	for _, file := range files {
		if mentionsDeployer(string(c.Head[file])) && IsManifest(file) {
			list = append(
				list,
				slices.DeleteFunc(Manifests(file, c.Head[file]), func(o render.Object) bool { return !deploys(o) })...,
			)
		}
	}
	return list
}

// releaseOf reads a source of an Application; false where some of its values are not in
// the repository, or not known how to read.
// https://argo-cd.readthedocs.io/en/stable/user-guide/helm/
func (c *Change) releaseOf(dir string, source map[string]any) (Release, bool) {
	r := Release{helm: config.Helm{Chart: dir, Release: path.Base(dir), Namespace: "default"}}
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
			at = c.below(path.Clean(name[1:]))
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

// Render gives the objects of all releases.
func Render(ctx context.Context, r *render.Renderer, releases []Release) (all []render.Object, err error) {
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
