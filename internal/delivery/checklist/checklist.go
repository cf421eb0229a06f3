// Package checklist judges what an overlay or a kustomization renders by the rules
// of a production checklist that no admission policy can see: how objects relate
// to each other, what lies in git, which versions a cluster gives up.
//
// A rule sees one rendering. What another rendering brings into the same namespace
// is not known to it, so that a reference can lead there.
package checklist

import (
	"slices"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
)

// Problem is what a rule finds wrong with one object.
type Problem struct {
	Object  render.Object
	Message string
}

// Rule is one line of the checklist.
type Rule struct {
	ID    string // the key in waybill.yaml, below manifests.rules
	Why   string
	Fix   string
	judge func(*Set) []Problem

	compare func(was, now *Set) []Problem // instead of judge, for rules about changes
}

// New says what the rule finds that it does not find in the rendering before. If was is nil,
// there is none: then everything is new, and nothing has changed.
func (r Rule) New(was, now *Set) []Problem {
	switch {
	case r.compare != nil && was == nil:
		return nil
	case r.compare != nil:
		return r.compare(was, now)
	}
	problems := r.judge(now)
	if len(problems) == 0 {
		return nil
	}
	known := make(map[string]bool)
	if was != nil {
		for _, p := range r.judge(was) {
			known[p.Object.ID()+p.Message] = true
		}
	}
	return slices.DeleteFunc(problems, func(p Problem) bool {
		key := p.Object.ID() + p.Message
		twice := known[key]
		known[key] = true
		return twice
	})
}

// Rules are all of them, in the order in which they are reported.
func Rules() []Rule {
	return []Rule{
		{"schema", "the cluster refuses the object, or passes over what it does not know",
			"correct the object; kubectl explain names the fields of a kind", (*Set).schema, nil},
		{"references", "pods do not start, or get no traffic, while what they refer to is missing",
			"correct the name, or render the other object with it", (*Set).references, nil},
		{"deprecated", "an upgrade of the cluster gives the version up, and the object with it",
			"write the version that stays", (*Set).deprecated, nil},
		{"probes", "without them traffic goes to pods that cannot answer, and pods that hang stay",
			"add a readinessProbe that asks whether it can answer, and a livenessProbe that asks whether it runs at all", (*Set).probes, nil},
		{"replicas", "a single pod is away with its node, and during every update of it",
			"set replicas to 2 or more, or add a HorizontalPodAutoscaler with minReplicas of 2 or more; " +
				"where one pod is meant, say why in the annotation " + OnePod, (*Set).replicas, nil},
		{"disruption", "the drain of a node may take all of its pods at once",
			"add a PodDisruptionBudget whose selector matches the pods", (*Set).disruption, nil},
		{"network-policy", "every pod of the cluster reaches the pods of a namespace that denies nothing",
			"add a NetworkPolicy with podSelector {}, policyTypes [Ingress, Egress] and no rules", (*Set).networkPolicy, nil},
		{"pod-security", "without it the namespace takes pods that get the node",
			"set the label pod-security.kubernetes.io/enforce to restricted or baseline", (*Set).podSecurity, nil},
		{"quota", "without one, one namespace can take the whole cluster",
			"add a ResourceQuota", (*Set).quota, nil},
		{"secret-data", "everybody who can read the repository, or a copy of it, has the secret",
			"keep the value in a secret store and write an ExternalSecret, or seal it; then change the value", (*Set).secretData, nil},
		{Removed, "what is deployed no longer is deleted in the cluster, and what uses it fails",
			"keep the object, or have a reviewer agree", nil, removed},
		{"rbac", "who may do more in the cluster can take more of it",
			"allow no more than is needed, or have a reviewer agree", nil, rbac},
		{"namespace-labels", "labels of a namespace choose its policies, its network and its mesh",
			"keep the labels, or have a reviewer agree", nil, namespaceLabels},
	}
}

// OnePod is the annotation by which a workload says why it runs as one pod.
const OnePod = "waybill.dev/one-pod"

// Set is one rendering.
type Set struct {
	objects   []render.Object
	workloads []workload
	schemas   *schema.Schemas
	minor     int // of the cluster's Kubernetes
}

// New makes a set of objects, which are held against the definitions of custom
// kinds and a minor version of Kubernetes.
func New(objects []render.Object, schemas *schema.Schemas, minor int) *Set {
	s := &Set{objects: objects, schemas: schemas, minor: minor}
	for _, o := range objects {
		if w, ok := workloadOf(o); ok {
			s.workloads = append(s.workloads, w)
		}
	}
	return s
}

// workload is an object that makes pods.
type workload struct {
	render.Object
	pod    map[string]any // spec of its pods
	labels map[string]any // of its pods
}

func workloadOf(o render.Object) (workload, bool) {
	var template map[string]any
	switch o.Kind {
	case "Pod":
		template = o.Content
	case "CronJob":
		template = mapping(o.Content, "spec", "jobTemplate", "spec", "template")
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "Rollout":
		template = mapping(o.Content, "spec", "template")
	}
	pod := mapping(template, "spec")
	return workload{Object: o, pod: pod, labels: mapping(template, "metadata", "labels")}, pod != nil
}

// stays reports whether the workload is one that runs all the time, in a number of
// pods that somebody chooses.
func (w workload) stays() bool {
	return w.Kind == "Deployment" || w.Kind == "StatefulSet" || w.Kind == "Rollout"
}

// at follows keys through mappings; nil where there is nothing.
func at(v any, keys ...string) any {
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func mapping(v any, keys ...string) map[string]any {
	m, _ := at(v, keys...).(map[string]any)
	return m
}

func text(v any, keys ...string) string {
	s, _ := at(v, keys...).(string)
	return s
}

func list(v any, keys ...string) []any {
	l, _ := at(v, keys...).([]any)
	return l
}

// number is an integer, however the reader of YAML made it; 0 where there is none.
func number(v any, keys ...string) int {
	switch n := at(v, keys...).(type) {
	case int:
		return n
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return 0
}

// of are the objects of a kind in a namespace.
func (s *Set) of(kind, namespace string) []render.Object {
	return slices.DeleteFunc(
		slices.Clone(s.objects), func(o render.Object) bool { return o.Kind != kind || !together(o.Namespace, namespace) },
	)
}

// together reports whether two objects can be in one namespace: where one names
// none, its deployer chooses it.
func together(a, b string) bool { return a == b || a == "" || b == "" }

func (s *Set) schema() (found []Problem) {
	for _, o := range s.objects {
		if encrypted(o) {
			continue
		}
		for _, p := range s.schemas.Problems(o) {
			found = append(found, Problem{o, p})
		}
	}
	return found
}

// encrypted reports whether SOPS holds the values of an object, which somebody
// decrypts on its way into the cluster.
func encrypted(o render.Object) bool { return o.Content["sops"] != nil }

func (s *Set) deprecated() (found []Problem) {
	for _, o := range s.objects {
		if p := schema.Deprecated(o, s.minor); p != "" {
			found = append(found, Problem{o, p})
		}
	}
	return found
}

func (s *Set) secretData() (found []Problem) {
	for _, o := range s.objects {
		values := len(mapping(o.Content, "data")) + len(mapping(o.Content, "stringData"))
		if o.Kind == "Secret" && !encrypted(o) && values > 0 {
			found = append(found, Problem{o, "its values are in git"})
		}
	}
	return found
}

// namespaces calls f for the namespaces that the rendering makes.
func (s *Set) namespaces(f func(o render.Object) string) (found []Problem) {
	for _, o := range s.objects {
		if o.Kind == "Namespace" {
			if message := f(o); message != "" {
				found = append(found, Problem{o, message})
			}
		}
	}
	return found
}

func (s *Set) networkPolicy() []Problem {
	return s.namespaces(func(o render.Object) string {
		if slices.ContainsFunc(s.of("NetworkPolicy", o.Name), deniesAll) {
			return ""
		}
		return "no NetworkPolicy denies by default what comes in"
	})
}

// deniesAll reports whether a network policy lets nothing into any pod of its
// namespace.
func deniesAll(o render.Object) bool {
	spec := mapping(o.Content, "spec")
	selector := mapping(spec, "podSelector")
	types := list(spec, "policyTypes")
	return len(mapping(selector, "matchLabels"))+len(list(selector, "matchExpressions")) == 0 &&
		len(list(spec, "ingress")) == 0 && (len(types) == 0 || slices.Contains(types, any("Ingress")))
}

func (s *Set) podSecurity() []Problem {
	return s.namespaces(func(o render.Object) string {
		const label = "pod-security.kubernetes.io/enforce"
		if level := text(o.Content, "metadata", "labels", label); level == "restricted" || level == "baseline" || level == "privileged" {
			return ""
		}
		return "it has no label " + label
	})
}

func (s *Set) quota() []Problem {
	return s.namespaces(func(o render.Object) string {
		if len(s.of("ResourceQuota", o.Name)) > 0 {
			return ""
		}
		return "it has no ResourceQuota"
	})
}
