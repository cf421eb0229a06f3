package deployers

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/limit"
)

// IsSourceFile tells the files by which Argo CD overrides a directory.
// https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/#store-overrides-in-git
func IsSourceFile(file string) bool {
	return strings.HasPrefix(path.Base(file), ".argocd-source") && path.Ext(file) == ".yaml"
}

// overriding are the kinds that override what they deploy.
var overriding = []string{"Application", "ApplicationSet", "Kustomization", "HelmRelease", Values}

// opened reads what deployers and values hold as text (patches, values, manifests)
// or as parameters, and joins what they hold apart, so that images are found there.
func opened(objects []render.Object) []render.Object {
	out := slices.Clone(objects)
	for i, o := range out {
		if slices.Contains(overriding, o.Kind) {
			out[i].Content, _ = open("", o.Content, 0).(map[string]any)
		}
	}
	return out
}

func open(key string, v any, depth int) any {
	switch v := v.(type) {
	case string:
		if (key == "patch" || key == "values" || strings.Contains(v, "\n")) && depth < 200 && limit.YAML(key, []byte(v)) == nil {
			if inner := documentsIn(v); inner != nil {
				return open("", inner, depth+1)
			}
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = open(key, e, depth+1)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v)+1)
		for k, e := range v {
			out[k] = open(k, e, depth+1)
		}
		if at, ok := v["path"].(string); ok && v["op"] != nil { // a JSON patch
			out[path.Base(at)] = open(path.Base(at), v["value"], depth+1)
		}
		if key == "parameters" {
			if name, _ := v["name"].(string); name != "" {
				nested(out, name, v["value"])
			}
		}
		if registry, ok := registryOf(v); ok {
			join(out, registry)
		}
		return out
	}
	return v
}

// documentsIn is what a text of YAML holds, a list where it has several documents;
// nil where it is no mapping or list.
func documentsIn(text string) any {
	var list []any
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		var inner any
		if yaml.Unmarshal([]byte(document), &inner) != nil {
			return nil
		}
		switch inner.(type) {
		case map[string]any, []any:
			list = append(list, inner)
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return list
}

// registryOf is the registry that values set for every image of a chart.
func registryOf(values map[string]any) (string, bool) {
	global, _ := values["global"].(map[string]any)
	registry, ok := global["imageRegistry"].(string)
	return registry, ok && registry != ""
}

// join gives the registry to every image in parts that has none of its own.
func join(v any, registry string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			join(e, registry)
		}
	case map[string]any:
		if _, ok := v["repository"].(string); ok && v["registry"] == nil {
			v["registry"] = registry
		}
		for _, e := range v {
			join(e, registry)
		}
	}
}

// nested sets a parameter of Helm, such as image.repository.
func nested(out map[string]any, name string, value any) {
	steps := strings.Split(name, ".")
	if len(steps) > 1 && steps[len(steps)-2] == "image" && steps[len(steps)-1] != "pullPolicy" {
		steps = steps[len(steps)-2:]
		out["image"] = map[string]any{steps[1]: value}
		return
	}
	out[steps[len(steps)-1]] = value
}

// DeploysHere reports whether a deployer names a directory, and no chart that
// comes from elsewhere.
func DeploysHere(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, DeploysHere)
	case map[string]any:
		if _, kustomize := v["kustomize"]; kustomize {
			return true
		}
		if at, _ := v["path"].(string); at != "" && v["helm"] != nil {
			return true
		}
		for _, e := range v {
			if DeploysHere(e) {
				return true
			}
		}
	}
	return false
}
