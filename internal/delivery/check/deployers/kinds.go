package deployers

import (
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// deployers are what deploys the rest, by group and kind, and what it deploys
// from: what goes with one is everything that it deployed, and what one says
// decides what a cluster runs. So does what changes objects on their way into the
// cluster. A group without kinds stands for all of them.
var deployers = map[string][]string{
	"argoproj.io":                      {"Application", "ApplicationSet", "AppProject", "ArgoCD"},
	"promoter.argoproj.io":             nil,
	"kargo.akuity.io":                  nil,
	"argocd-image-updater.argoproj.io": nil,
	"kustomize.toolkit.fluxcd.io":      nil,
	"helm.toolkit.fluxcd.io":           nil,
	"source.toolkit.fluxcd.io":         nil,
	"source.extensions.fluxcd.io":      nil,
	"image.toolkit.fluxcd.io":          nil,
	"fluxcd.controlplane.io":           nil,
	"fleet.cattle.io":                  nil,
	"helm.cattle.io":                   nil,
	"configsync.gke.io":                nil,
	"configmanagement.gke.io":          nil,
	"kappctrl.k14s.io":                 nil,
	"packaging.carvel.dev":             nil,
	"addons.cluster.x-k8s.io":          nil,
	"apps.open-cluster-management.io":  nil,
	"work.open-cluster-management.io":  nil,
	"operators.coreos.com":             {"Subscription", "CatalogSource"},
	"olm.operatorframework.io":         nil,
	"helm.crossplane.io":               nil,
	"gitops.kluctl.io":                 nil,
	"core.oam.dev":                     nil,
	"infra.contrib.fluxcd.io":          nil,
	"admissionregistration.k8s.io":     {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration"},
	"mutations.gatekeeper.sh":          nil,
	"policies.kyverno.io": {
		"MutatingPolicy", "NamespacedMutatingPolicy", "GeneratingPolicy", "NamespacedGeneratingPolicy",
	},
}

// namesOfDeployers are parts of every group, and of what else tells a deployer.
var namesOfDeployers = []string{
	"argo", "fluxcd.", "cattle.io", "kargo.", "gke.io", "k14s.io", "carvel.dev", "x-k8s.io", "open-cluster-management", "coreos.com",
	"operatorframework", "crossplane.io", "kluctl", "oam.dev", "admissionregistration", "gatekeeper.sh", "kyverno.io",
}

// deploys reports whether an object is a deployer.
func deploys(o render.Object) bool {
	group, _, _ := strings.Cut(o.APIVersion, "/")
	kinds, known := deployers[group]
	return known && (kinds == nil || slices.Contains(kinds, o.Kind)) ||
		group == "kyverno.io" && (hasKey(o.Content, "mutate") || hasKey(o.Content, "generate")) ||
		o.Kind == "ConfigMap" && strings.HasPrefix(o.Name, "argocd-") ||
		o.Kind != "ConfigMap" && hasKey(o.Content, "argocd.argoproj.io/secret-type")
}

// updaters begin the annotations and labels by which tools in the cluster replace images
// there. https://keel.sh/docs/#providers
// https://docs.redhat.com/en/documentation/openshift_container_platform/4.19/html/images/triggering-updates-on-imagestream-changes
var updaters = []string{"keel.sh/", "image.openshift.io/triggers", "fluxcd.io/automated", "flux.weave.works/automated"}

// updates are what an object says to those tools.
func updates(o render.Object) map[string]string {
	found := make(map[string]string)
	for _, list := range []map[string]string{admission.Annotations(o.Content), admission.Labels(o.Content)} {
		for key, value := range list {
			if slices.ContainsFunc(updaters, func(name string) bool { return strings.HasPrefix(key, name) }) {
				found[key] = value
			}
		}
	}
	if group, _, _ := strings.Cut(o.APIVersion, "/"); group == "apps.openshift.io" {
		spec, _ := o.Content["spec"].(map[string]any)
		triggers, _ := spec["triggers"].([]any)
		for _, trigger := range triggers {
			if t, _ := trigger.(map[string]any); t["type"] == "ImageChange" {
				found["spec.triggers"] = inWords(spec["triggers"])
			}
		}
	}
	return found
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
		delete(content, "metadata")
	}
	if o.Kind != "Secret" && len(metadata) > 0 {
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
