package deployers

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// sources are where a deployer finds manifests. One that is no mapping stays, so
// that nobody takes it for a place.
func sources(o render.Object) []map[string]any {
	spec, _ := o.Content["spec"].(map[string]any)
	switch o.Kind {
	case "Kustomization":
		return []map[string]any{spec}
	case "Application":
		list, _ := spec["sources"].([]any)
		if one, ok := spec["source"]; ok {
			list = append(slices.Clone(list), one)
		}
		found := make([]map[string]any, len(list))
		for i, e := range list {
			found[i], _ = e.(map[string]any)
		}
		return found
	}
	return nil
}

// repositoryOf is the repository and the revision of a source.
func repositoryOf(source map[string]any) string {
	return fmt.Sprint(source["repoURL"], " ", source["targetRevision"], " ", source["sourceRef"])
}

// pathOf is the directory that a source names, as a path of the config repository; one
// outside of that begins with "../".
func (c *Change) pathOf(source map[string]any) string {
	if at, _ := source["path"].(string); at != "" {
		return c.below(path.Clean(at))
	}
	return ""
}

// below is a path of the whole repository as one of the directory that is the config
// repository.
func (c *Change) below(at string) string {
	switch rest, in := strings.CutPrefix(at, c.Dir+"/"); {
	case c.Dir == "":
		return at
	case at == c.Dir:
		return "."
	case in:
		return rest
	}
	return "../" + at
}

// learnHome takes a repository for this one if a deployer of the base finds a
// place of the base there.
func (c *Change) learnHome(objects []render.Object) {
	places := make(map[string]bool)
	for _, p := range c.Was {
		places[p.App.Overlay(p.Env)], places[p.App.Helm(p.Env).Chart] = true, true
	}
	for _, o := range objects {
		for _, source := range sources(o) {
			if deploys(o) && places[c.pathOf(source)] {
				c.home[repositoryOf(source)] = true
			}
		}
	}
}

// ofSource are the fields that hold sources, and where are those beside them that
// a new deployer may have: where in the cluster it deploys to.
var (
	ofSource = []string{"source", "sources", "path", "sourceRef"}
	where    = []string{"project", "destination", "targetNamespace"}
)

// deploysPlaces reports whether a deployer, as the change has it, deploys nothing
// but places of waybill.yaml into their own environment, or still nothing, and is
// otherwise as it was.
func (c *Change) deploysPlaces(env string, o render.Object, before, now map[string]any) bool {
	was, had := before["spec"].(map[string]any)
	spec, _ := now["spec"].(map[string]any)
	for key := range maps.Keys(both(was, spec)) {
		if !slices.Contains(ofSource, key) && !(had && reflect.DeepEqual(was[key], spec[key])) && (had || !slices.Contains(where, key)) {
			return false
		}
	}
	if metadata, _ := now["metadata"].(map[string]any); len(metadata) > 0 {
		return false
	}
	list, old := sources(o), sources(render.Object{Kind: o.Kind, Content: before})
	wasNothing := !slices.ContainsFunc(old, func(source map[string]any) bool { return !c.isNothing(source) })
	return len(list) > 0 && !slices.ContainsFunc(list, func(source map[string]any) bool {
		return !c.home[repositoryOf(source)] || !c.isPlace(env, o, source) && !(wasNothing && c.isNothing(source))
	})
}

// both has the entries of both.
func both(a, b map[string]any) map[string]any {
	out := make(map[string]any, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// isPlace reports whether a source is the overlay of a place, or its chart with
// its values, in an environment, and nothing more.
func (c *Change) isPlace(env string, o render.Object, source map[string]any) bool {
	if o.Kind == "Application" {
		for key := range source {
			if !slices.Contains([]string{"repoURL", "targetRevision", "path", "helm"}, key) {
				return false
			}
		}
	}
	return slices.ContainsFunc(c.Places, func(p Place) bool {
		file, form, err := overlay.Find(c.Head, overlay.Target{Path: p.App.Overlay(p.Env), Image: p.App.Image})
		switch {
		case err != nil || p.Env != env:
			return false
		case form == overlay.Kustomize:
			return source["helm"] == nil && c.pathOf(source) == path.Dir(file)
		}
		chart := p.App.Helm(p.Env)
		own := append(slices.Clone(chart.Values), file)
		return form == overlay.Helm && c.pathOf(source) == chart.Chart && slices.Equal(c.valueFiles(source), own)
	})
}

// valueFiles are the files of values that a source of Argo CD names; nil where it
// has anything else that sets values.
func (c *Change) valueFiles(source map[string]any) []string {
	helm, _ := source["helm"].(map[string]any)
	list, _ := helm["valueFiles"].([]any)
	for key := range helm {
		if key != "valueFiles" && key != "releaseName" {
			return nil
		}
	}
	files := make([]string, len(list))
	for i, e := range list {
		name, _ := e.(string)
		files[i] = path.Join(c.pathOf(source), name)
		if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "$") {
			return nil
		}
	}
	return files
}

// isNothing reports whether a source of this repository names a directory, or
// values, that the head does not have: then it deploys nothing. Such are the
// words that a kustomization replaces.
func (c *Change) isNothing(source map[string]any) bool {
	at := c.pathOf(source)
	if at == "" || at == "." || strings.HasPrefix(at, "../") || source["chart"] != nil {
		return false
	}
	there := false
	for file := range c.Head {
		there = there || strings.HasPrefix(file, at+"/")
	}
	return !there || slices.ContainsFunc(c.valueFiles(source), func(file string) bool { return c.Head[file] == nil })
}

// EnvironmentOf is the environment that a path names as one of its directories;
// empty where it names none, or several.
func (c *Change) EnvironmentOf(at string) string {
	found := make(map[string]bool)
	for step := range strings.SplitSeq(at, "/") {
		if slices.Contains(c.Environments, step) {
			found[step] = true
		}
	}
	if len(found) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(found))[0]
}
