package check

import (
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// deployers are what deploys the rest, by group and kind, and what it deploys
// from: what goes with one is everything that it deployed, and what one says
// decides what a cluster runs. A group without kinds stands for all of them.
var deployers = map[string][]string{
	"argoproj.io":                      {"Application", "ApplicationSet", "AppProject"},
	"argocd-image-updater.argoproj.io": nil,
	"kustomize.toolkit.fluxcd.io":      nil,
	"helm.toolkit.fluxcd.io":           nil,
	"source.toolkit.fluxcd.io":         nil,
	"source.extensions.fluxcd.io":      nil,
	"image.toolkit.fluxcd.io":          nil,
	"fluxcd.controlplane.io":           nil,
	"fleet.cattle.io":                  nil,
	"helm.cattle.io":                   nil,
}

func deploys(o render.Object) bool {
	group, _, _ := strings.Cut(o.APIVersion, "/")
	kinds, known := deployers[group]
	return known && (kinds == nil || slices.Contains(kinds, o.Kind)) ||
		o.Kind == "ConfigMap" && strings.HasPrefix(o.Name, "argocd-") ||
		o.Kind != "ConfigMap" && hasKey(o.Content, "argocd.argoproj.io/secret-type")
}

// hasKey reports whether a mapping has the key, at any depth: a Secret of Argo CD
// names clusters and repositories, also as the template of another object.
func hasKey(v any, key string) bool {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v[key]; ok {
			return true
		}
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), func(e any) bool { return hasKey(e, key) })
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return hasKey(e, key) })
	}
	return false
}

// whenOnly are the fields of deployers that say when and how something is
// deployed, and never what. Every other field chooses what a cluster runs.
var whenOnly = []string{
	"apiVersion", "kind", "status", "spec.syncPolicy.automated", "spec.syncPolicy.syncOptions", "spec.syncPolicy.retry",
	"spec.info", "spec.revisionHistoryLimit", "spec.description", "spec.interval", "spec.retryInterval", "spec.timeout",
	"spec.prune", "spec.wait", "spec.suspend",
	"spec.dependsOn", "spec.healthChecks", "spec.healthCheckExprs", "spec.install", "spec.upgrade", "spec.rollback",
	"spec.uninstall", "spec.test", "spec.maxHistory",
	"spec.driftDetection", "spec.chart.spec.interval",
}

// chosen is what a deployer says of what is deployed. The version of a chart that
// comes from a Helm repository is not part of it: the repository is.
func chosen(o render.Object) map[string]any {
	content, _ := chosenBelow("", o.Content).(map[string]any)
	metadata := make(map[string]any)
	for key, value := range admission.Annotations(o.Content) {
		if strings.HasPrefix(key, "argocd-image-updater.argoproj.io/") {
			metadata[key] = value
		}
	}
	if admission.Off(admission.Annotations(o.Content)) {
		metadata["left out"] = true
	}
	if o.Kind != "Secret" {
		content["metadata"] = metadata
	}
	if spec, ok := content["spec"].(map[string]any); ok {
		if policy, ok := spec["syncPolicy"].(map[string]any); ok && len(policy) == 0 {
			delete(spec, "syncPolicy")
		}
	}
	return content
}

func chosenBelow(at string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			below := strings.TrimPrefix(at+"."+k, ".")
			if !slices.Contains(whenOnly, below) && k != versionOf(v) {
				out[k] = chosenBelow(below, e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = chosenBelow(at, e)
		}
		return out
	}
	return v
}

// versionOf names the field that holds the version of a chart of a Helm
// repository; empty for anything else.
func versionOf(source map[string]any) string {
	name, _ := source["chart"].(string)
	from, _ := source["sourceRef"].(map[string]any)
	switch {
	case name == "":
	case from != nil && from["kind"] == "HelmRepository":
		return "version"
	case from == nil && source["path"] == nil:
		return "targetRevision"
	}
	return ""
}
