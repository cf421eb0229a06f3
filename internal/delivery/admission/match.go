package admission

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waybill-dev/waybill/internal/text"
)

// matchResources says which objects a policy or binding is about.
type matchResources struct {
	ResourceRules        []resourceRule `json:"resourceRules"`
	ExcludeResourceRules []resourceRule `json:"excludeResourceRules"`
	NamespaceSelector    *selector      `json:"namespaceSelector"`
	ObjectSelector       *selector      `json:"objectSelector"`
	MatchPolicy          string         `json:"matchPolicy"` // Equivalent by default, or Exact
}

type resourceRule struct {
	APIGroups     []string `json:"apiGroups"`
	APIVersions   []string `json:"apiVersions"`
	Operations    []string `json:"operations"`
	Resources     []string `json:"resources"`
	ResourceNames []string `json:"resourceNames"`
	Scope         string   `json:"scope"` // *, Namespaced or Cluster
}

type selector struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values"`
	} `json:"matchExpressions"`
}

// request is one object on its way into the cluster.
type request struct {
	object, old    map[string]any
	operation      string
	group, version string
	kind, resource string
	name           string
	namespace      string // empty where it has none, or none that is known
	namespaced     bool
	doubt          string // why it may be that the policy does not apply
}

// Operations of a request.
const (
	opCreate = "CREATE"
	opUpdate = "UPDATE"
)

// nameLabel is on every namespace, by the API server.
const nameLabel = "kubernetes.io/metadata.name"

// clusterKinds are the built-in kinds that live in no namespace.
var clusterKinds = []string{
	"Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "StorageClass",
	"PriorityClass", "IngressClass",
	"RuntimeClass", "CSIDriver", "CSINode", "VolumeAttachment", "APIService", "MutatingWebhookConfiguration",
	"ValidatingWebhookConfiguration",
	policyKind, bindingKind, "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "CertificateSigningRequest", "FlowSchema",
	"PriorityLevelConfiguration",
	"ClusterIssuer", "ClusterSecretStore", "ClusterPolicy",
}

func (w *world) request(object, old map[string]any, namespace string) request {
	r := request{object: object, old: old, operation: opCreate, name: textAt(object, "metadata", "name"), kind: textAt(object, "kind")}
	if old != nil {
		r.operation = opUpdate
	}
	version, err := schema.ParseGroupVersion(textAt(object, "apiVersion"))
	if err == nil {
		r.group, r.version = version.Group, version.Version
	}
	r.namespaced = !slices.Contains(clusterKinds, r.kind)
	if known, ok := w.plurals[r.group+"/"+r.kind]; ok {
		r.resource, r.namespaced = known.plural, known.namespaced
	} else {
		plural, _ := meta.UnsafeGuessKindToResource(version.WithKind(r.kind))
		r.resource = plural.Resource
		if r.kind == "Endpoints" {
			r.resource = "endpoints"
		}
	}
	if r.namespaced {
		if r.namespace = textAt(object, "metadata", "namespace"); r.namespace == "" {
			r.namespace = namespace
		}
	}
	return r
}

// covers reports whether the rules are about the resource and operation.
func (m matchResources) covers(r request) bool {
	is := func(rule resourceRule) bool { return rule.covers(r, m.MatchPolicy == "Exact") }
	return (len(m.ResourceRules) == 0 || slices.ContainsFunc(m.ResourceRules, is)) && !slices.ContainsFunc(m.ExcludeResourceRules, is)
}

func (rule resourceRule) covers(r request, exact bool) bool {
	any := func(list []string, value string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, value)
	}
	if !any(rule.APIGroups, r.group) || !any(rule.Operations, r.operation) {
		return false
	}
	// An equivalent version is converted by the cluster; here it is judged as it
	// is written.
	if exact && !any(rule.APIVersions, r.version) {
		return false
	}
	if !slices.Contains(rule.Resources, "*/*") && !any(rule.Resources, r.resource) {
		return false
	}
	if len(rule.ResourceNames) > 0 && !slices.Contains(rule.ResourceNames, r.name) {
		return false
	}
	return rule.Scope == "" || rule.Scope == "*" || (rule.Scope == "Namespaced") == r.namespaced
}

// selects reports whether the selectors take the request; where a label is not
// known it may be that they do, and doubt says why.
func (m matchResources) selects(r request, w *world) (yes bool, doubt string) {
	if m.ObjectSelector != nil {
		own := m.ObjectSelector.matches(labels(r.object, "metadata", "labels"), nil) == matched
		before := r.old != nil && m.ObjectSelector.matches(labels(r.old, "metadata", "labels"), nil) == matched
		if !own && !before {
			return false, ""
		}
	}
	if m.NamespaceSelector == nil || !r.namespaced && r.kind != "Namespace" {
		return true, ""
	}
	if m.NamespaceSelector.everything() {
		return true, ""
	}
	namespace, given, known := r.namespace, map[string]string{}, []string(nil)
	if r.kind == "Namespace" {
		namespace, given = r.name, labels(r.object, "metadata", "labels")
	} else if object, ok := w.namespaces[namespace]; ok {
		given = labels(object, "metadata", "labels")
	} else if known = []string{nameLabel}; namespace == "" {
		known = []string{}
	}
	if namespace != "" {
		given[nameLabel] = namespace
	}
	switch m.NamespaceSelector.matches(given, known) {
	case matched:
		return true, ""
	case unmatched:
		return false, ""
	}
	if namespace == "" {
		return true, "its namespace is not said here"
	}
	return true, "the labels of namespace " + namespace + " are not in this repository"
}

func (s selector) everything() bool { return len(s.MatchLabels)+len(s.MatchExpressions) == 0 }

type verdict int

const (
	unmatched verdict = iota
	matched
	perhaps
)

// matches holds labels against the selector. known lists the keys of which is
// known whether they are there; nil is all of them.
func (s selector) matches(given map[string]string, known []string) verdict {
	result := matched
	for key, want := range s.MatchLabels {
		if result = worse(result, requirement(given, known, key, "In", []string{want})); result == unmatched {
			return unmatched
		}
	}
	for _, e := range s.MatchExpressions {
		if result = worse(result, requirement(given, known, e.Key, e.Operator, e.Values)); result == unmatched {
			return unmatched
		}
	}
	return result
}

func worse(a, b verdict) verdict {
	switch {
	case a == unmatched || b == unmatched:
		return unmatched
	case a == perhaps || b == perhaps:
		return perhaps
	}
	return matched
}

func requirement(given map[string]string, known []string, key, operator string, values []string) verdict {
	value, has := given[key]
	if !has && known != nil && !slices.Contains(known, key) {
		return perhaps
	}
	yes := false
	switch operator {
	case "In":
		yes = has && slices.Contains(values, value)
	case "NotIn":
		yes = !has || !slices.Contains(values, value)
	case "Exists":
		yes = has
	case "DoesNotExist":
		yes = !has
	}
	if yes {
		return matched
	}
	return unmatched
}

// names gives the object a name for people.
func (r request) String() string {
	name := r.name
	if r.namespace != "" {
		name = r.namespace + "/" + name
	}
	return text.OneLine(r.kind + " " + name)
}
