package admission

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
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
	group, "kyverno.io", "policies.kyverno.io", "policy.sigstore.dev", "constraints.gatekeeper.sh", "templates.gatekeeper.sh", "config.gatekeeper.sh",
}

// Weaker lists what head refuses no longer, or may not, in a stable order.
func Weaker(base, head *Set) []Weakening {
	var found []Weakening
	add := func(file string, line int, format string, args ...any) {
		found = append(found, Weakening{File: file, Line: line, Change: fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(base.policies)) {
		b := base.policies[name]
		h, ok := head.policies[name]
		if !ok {
			add(b.file, 0, "admission policy %s goes", name)
			continue
		}
		for _, what := range b.weaker(h) {
			add(h.file, h.line, "admission policy %s %s", name, what)
		}
	}
	for _, b := range base.bindings {
		i := slices.IndexFunc(head.bindings, func(h binding) bool { return h.Metadata.Name == b.Metadata.Name })
		if i < 0 {
			add(b.file, 0, "binding %s goes", b.Metadata.Name)
			continue
		}
		h := head.bindings[i]
		for _, what := range b.weaker(h) {
			add(h.file, h.line, "binding %s %s", b.Metadata.Name, what)
		}
	}
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
		if strings.TrimSpace(v.Expression) != "true" && !slices.ContainsFunc(h.Spec.Validations, func(o validation) bool { return o.Expression == v.Expression }) {
			list = append(list, "drops or changes the validation "+cut(oneLine(v.Expression)))
		}
	}
	for _, c := range h.Spec.MatchConditions {
		if !slices.Contains(p.Spec.MatchConditions, c) {
			list = append(list, "adds or changes the matchCondition "+cut(c.Name))
		}
	}
	for _, v := range p.Spec.Variables {
		if !slices.Contains(h.Spec.Variables, v) {
			list = append(list, "drops or changes the variable "+cut(v.Name))
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

func cut(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
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
	for _, name := range slices.Sorted(maps.Keys(w.namespaces)) {
		b, ok := h.namespaces[name]
		if !ok {
			continue // nothing runs in it either
		}
		now := labels(b, "metadata", "labels")
		before := labels(w.namespaces[name], "metadata", "labels")
		for _, key := range slices.Sorted(maps.Keys(before)) {
			if now[key] != before[key] && base.goesBy(key) {
				add(dirs[0], 0, "namespace %s drops or changes the label %s", name, key)
			}
		}
	}
	for _, object := range w.params {
		apiGroup, _, _ := strings.Cut(text(object, "apiVersion"), "/")
		if !slices.Contains(engines, apiGroup) && !base.isParam(object) {
			continue
		}
		i := slices.IndexFunc(h.params, func(o map[string]any) bool { return sameObject(o, object) })
		if i < 0 || !reflect.DeepEqual(h.params[i], object) {
			add(dirs[0], 0, "%s %s goes or changes", text(object, "kind"), text(object, "metadata", "name"))
		}
	}
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
		return text(object, "kind") == p.Spec.ParamKind.Kind && text(object, "apiVersion") == p.Spec.ParamKind.APIVersion &&
			(b.Spec.ParamRef.Name == "" || b.Spec.ParamRef.Name == text(object, "metadata", "name"))
	})
}

func sameObject(a, b map[string]any) bool {
	return text(a, "kind") == text(b, "kind") && text(a, "metadata", "name") == text(b, "metadata", "name") &&
		text(a, "metadata", "namespace") == text(b, "metadata", "namespace")
}

// Holds reports whether a file of manifests holds an admission policy, of any
// controller, or a binding of one.
func Holds(file string, data []byte) bool {
	documents, err := parse(file, data)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(documents, func(d document) bool {
		apiGroup, _, _ := strings.Cut(text(d.content, "apiVersion"), "/")
		return slices.Contains(engines, apiGroup)
	})
}
