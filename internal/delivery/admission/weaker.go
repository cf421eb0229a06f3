package admission

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/text"
)

// Weakening is protection of the cluster that a change takes away.
type Weakening struct {
	File   string
	Line   int    // 0 where the file is gone
	Change string // in the words that acknowledge it
}

// engines are the groups of objects that other admission controllers obey. This
// package cannot tell what those mean, so that any change of one counts.
var engines = []string{
	group, "kyverno.io", "policies.kyverno.io", "policy.sigstore.dev", "constraints.gatekeeper.sh", "templates.gatekeeper.sh",
	"config.gatekeeper.sh",
}

// Weaker lists what head refuses no longer, or may not, in a stable order.
func Weaker(base, head *Set) []Weakening {
	var found []Weakening
	add := func(file string, line int, format string, args ...any) {
		found = append(found, Weakening{File: file, Line: line, Change: fmt.Sprintf(format, args...)})
	}
	policies := copies[*policy]{base.definitions, head.definitions, (*policy).place}
	policies.each(func(b *policy, h **policy, where string) {
		if h == nil {
			add(b.file, 0, "admission policy %s%s goes", b.Metadata.Name, where)
			return
		}
		for _, what := range b.weaker(*h) {
			add((*h).file, (*h).line, "admission policy %s%s %s", b.Metadata.Name, where, what)
		}
	})
	bindings := copies[binding]{base.bindings, head.bindings, binding.place}
	bindings.each(func(b binding, h *binding, where string) {
		if h == nil {
			add(b.file, 0, "binding %s%s goes", b.Metadata.Name, where)
			return
		}
		for _, what := range b.weaker(*h) {
			add(h.file, h.line, "binding %s%s %s", b.Metadata.Name, where, what)
		}
	})
	base.world.weaker(head.world, base, add)
	return found
}

// weaker lists how h differs from p, except where it only refuses more.
func (p *policy) weaker(h *policy) []string {
	var list []string
	if p.fails() && !h.fails() {
		list = append(list, "passes over what it fails on")
	}
	for _, v := range p.Spec.Validations {
		if strings.TrimSpace(v.Expression) != "true" &&
			!slices.ContainsFunc(h.Spec.Validations, func(o validation) bool { return o.Expression == v.Expression }) {
			list = append(list, "drops or changes the validation "+text.Cut(text.OneLine(v.Expression), 101, "…"))
		}
	}
	for _, c := range h.Spec.MatchConditions {
		if !slices.Contains(p.Spec.MatchConditions, c) {
			list = append(list, "adds or changes the matchCondition "+text.Cut(c.Name, 101, "…"))
		}
	}
	for _, v := range p.Spec.Variables {
		if !slices.Contains(h.Spec.Variables, v) {
			list = append(list, "drops or changes the variable "+text.Cut(v.Name, 101, "…"))
		}
	}
	if !reflect.DeepEqual(p.Spec.MatchConstraints, h.Spec.MatchConstraints) {
		list = append(list, "changes what it matches")
	}
	if !reflect.DeepEqual(p.Spec.ParamKind, h.Spec.ParamKind) {
		list = append(list, "changes the kind of its parameters")
	}
	return list
}

func (b binding) weaker(h binding) []string {
	var list []string
	if b.Spec.PolicyName != h.Spec.PolicyName {
		list = append(list, "binds another policy")
	}
	for _, action := range []string{Deny, Warn, "Audit"} {
		if slices.Contains(b.Spec.ValidationActions, action) && !slices.Contains(h.Spec.ValidationActions, action) {
			list = append(list, "no longer has the action "+action)
		}
	}
	if !reflect.DeepEqual(b.Spec.MatchResources, h.Spec.MatchResources) {
		list = append(list, "changes what it matches")
	}
	if !reflect.DeepEqual(b.Spec.ParamRef, h.Spec.ParamRef) {
		list = append(list, "changes its parameters")
	}
	return list
}

// weaker compares what else the cluster is told: labels of namespaces that
// policies go by, parameters, and the policies of other controllers.
func (w *world) weaker(h *world, base *Set, add func(file string, line int, format string, args ...any)) {
	spaces := copies[object]{w.spaces, h.spaces, object.id}
	spaces.each(func(b object, h *object, where string) {
		name, before := textAt(b.content, "metadata", "name"), labels(b.content, "metadata", "labels")
		if h == nil && where == "" || Off(Annotations(b.content)) {
			return // nothing runs in it either
		}
		var now map[string]string
		if h != nil && !Off(Annotations(h.content)) {
			now = labels(h.content, "metadata", "labels")
		}
		for _, key := range slices.Sorted(maps.Keys(before)) {
			if now[key] != before[key] && base.goesBy(key) {
				add(b.file, 0, "namespace %s%s drops or changes the label %s", name, where, key)
			}
		}
	})
	objects := copies[object]{w.objects, h.objects, object.place}
	objects.each(func(b object, h *object, where string) {
		apiGroup, _, _ := strings.Cut(textAt(b.content, "apiVersion"), "/")
		if !slices.Contains(engines, apiGroup) && !base.isParam(b.content) {
			return
		}
		if h == nil || !reflect.DeepEqual(h.content, b.content) {
			add(b.file, 0, "%s %s%s goes or changes", textAt(b.content, "kind"), textAt(b.content, "metadata", "name"), where)
		}
	})
}

// switches are annotations by which Kustomize, Argo CD and Flux leave an object
// out, or do not keep it, with the values that do nothing.
var switches = map[string][]string{
	"config.kubernetes.io/local-config":       {"false"},
	"argocd.argoproj.io/hook":                 {},
	"helm.sh/hook":                            {},
	"kustomize.toolkit.fluxcd.io/reconcile":   {"enabled"},
	"kustomize.toolkit.fluxcd.io/ssa":         {"Override", "Merge"},
	"client.lifecycle.config.k8s.io/mutation": {},
}

// Off reports whether the annotations of an object make whatever deploys it leave
// it out.
func Off(annotations map[string]string) bool {
	for key, harmless := range switches {
		if value, ok := annotations[key]; ok && !slices.Contains(harmless, value) {
			return true
		}
	}
	return false
}

// Annotations are those of an object.
func Annotations(content map[string]any) map[string]string {
	return labels(content, "metadata", "annotations")
}

// Labels are those of an object.
func Labels(content map[string]any) map[string]string { return labels(content, "metadata", "labels") }

func (p *policy) place() (id, file string) {
	if Off(p.Metadata.Annotations) {
		return "", p.file
	}
	return p.Metadata.Name, p.file
}

func (b binding) place() (id, file string) {
	if Off(b.Metadata.Annotations) {
		return "", b.file
	}
	return b.Metadata.Name, b.file
}

// place is the id of an object that is deployed.
func (o object) place() (id, file string) {
	if Off(Annotations(o.content)) {
		return "", o.file
	}
	return o.id()
}

// id tells objects of one file apart, by group, kind, namespace and name.
func (o object) id() (id, file string) {
	apiGroup, _, _ := strings.Cut(textAt(o.content, "apiVersion"), "/")
	return strings.Join([]string{
		apiGroup, textAt(o.content, "kind"), textAt(o.content, "metadata", "namespace"), textAt(o.content, "metadata", "name"),
	}, "/"), o.file
}

// goesBy reports whether a policy, or the cluster's own pod security, looks at
// a label of namespaces.
func (s *Set) goesBy(key string) bool {
	if strings.HasPrefix(key, "pod-security.kubernetes.io/") || strings.HasPrefix(key, "policy.sigstore.dev/") {
		return true
	}
	for _, p := range s.policies {
		if p.Spec.MatchConstraints.NamespaceSelector.names(key) {
			return true
		}
	}
	return slices.ContainsFunc(s.bindings, func(b binding) bool {
		return b.Spec.MatchResources != nil && b.Spec.MatchResources.NamespaceSelector.names(key)
	})
}

func (s *selector) names(key string) bool {
	if s == nil {
		return false
	}
	for _, e := range s.MatchExpressions {
		if e.Key == key {
			return true
		}
	}
	_, ok := s.MatchLabels[key]
	return ok
}

// isParam reports whether a binding takes the object for parameters.
func (s *Set) isParam(object map[string]any) bool {
	return slices.ContainsFunc(s.bindings, func(b binding) bool {
		p := s.policies[b.Spec.PolicyName]
		if p == nil || p.Spec.ParamKind == nil || b.Spec.ParamRef == nil {
			return false
		}
		return textAt(object, "kind") == p.Spec.ParamKind.Kind && textAt(object, "apiVersion") == p.Spec.ParamKind.APIVersion &&
			(b.Spec.ParamRef.Name == "" || b.Spec.ParamRef.Name == textAt(object, "metadata", "name"))
	})
}

// Holds reports whether a file of manifests holds an admission policy, of any
// controller, or a binding of one.
func Holds(file string, data []byte) bool {
	documents, err := parse(file, data)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(documents, func(d document) bool {
		apiGroup, _, _ := strings.Cut(textAt(d.content, "apiVersion"), "/")
		return slices.Contains(engines, apiGroup)
	})
}
