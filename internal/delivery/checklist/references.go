package checklist

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// references finds names that lead to nothing in the same rendering.
func (s *Set) references() (found []Problem) {
	for _, w := range s.workloads {
		for _, r := range w.references() {
			if !r.optional && !s.makes(r.kind, w.Namespace, r.name) {
				found = append(found, Problem{w.Object, fmt.Sprintf("it uses the %s %s, which is not rendered with it", r.kind, r.name)})
			}
		}
	}
	for _, o := range s.objects {
		for _, missing := range s.pointsAt(o) {
			found = append(found, Problem{o, missing})
		}
	}
	return found
}

// reference is an object that pods need.
type reference struct {
	kind, name string
	optional   bool
}

func (w workload) references() (refs []reference) {
	add := func(kind string, from any, key string) {
		if name := text(from, key); name != "" {
			refs = append(refs, reference{kind, name, at(from, "optional") == true})
		}
	}
	if name := text(w.pod, "serviceAccountName"); name != "default" {
		add("ServiceAccount", w.pod, "serviceAccountName")
	}
	for _, v := range list(w.pod, "volumes") {
		add("ConfigMap", at(v, "configMap"), "name")
		add("Secret", at(v, "secret"), "secretName")
		add("PersistentVolumeClaim", at(v, "persistentVolumeClaim"), "claimName")
		for _, source := range list(v, "projected", "sources") {
			add("ConfigMap", at(source, "configMap"), "name")
			add("Secret", at(source, "secret"), "name")
		}
	}
	for _, c := range slices.Concat(list(w.pod, "containers"), list(w.pod, "initContainers")) {
		for _, e := range list(c, "envFrom") {
			add("ConfigMap", at(e, "configMapRef"), "name")
			add("Secret", at(e, "secretRef"), "name")
		}
		for _, e := range list(c, "env") {
			add("ConfigMap", at(e, "valueFrom", "configMapKeyRef"), "name")
			add("Secret", at(e, "valueFrom", "secretKeyRef"), "name")
		}
	}
	return refs
}

// makers are the kinds that make a Secret in the cluster, with the fields that may
// name it. Where all of them are empty, it has their own name.
var makers = map[string][][]string{
	"ExternalSecret": {{"spec", "target", "name"}},
	"SealedSecret":   {{"spec", "template", "metadata", "name"}},
	"Certificate":    {{"spec", "secretName"}},
}

// makes reports whether the rendering brings an object of that kind and name, or
// what makes it in the cluster.
func (s *Set) makes(kind, namespace, name string) bool {
	if kind == "ConfigMap" && name == "kube-root-ca.crt" { // the cluster's own
		return true
	}
	return slices.ContainsFunc(s.objects, func(o render.Object) bool {
		if !together(o.Namespace, namespace) {
			return false
		}
		if o.Kind == kind && o.Name == name {
			return true
		}
		fields, is := makers[o.Kind]
		if !is || kind != "Secret" {
			return false
		}
		for _, field := range fields {
			if given := text(o.Content, field...); given != "" {
				return given == name
			}
		}
		return o.Name == name
	})
}

// pointsAt says to what an object that is no workload points, and it is not there.
func (s *Set) pointsAt(o render.Object) (missing []string) {
	switch o.Kind {
	case "Ingress":
		return s.backends(o)
	case "HorizontalPodAutoscaler":
		kind, name := text(o.Content, "spec", "scaleTargetRef", "kind"), text(o.Content, "spec", "scaleTargetRef", "name")
		if !s.makes(kind, o.Namespace, name) {
			missing = append(missing, fmt.Sprintf("it scales the %s %s, which is not rendered with it", kind, name))
		}
	case "PodDisruptionBudget":
		if !s.matchesPods(o.Namespace, at(o.Content, "spec", "selector")) {
			missing = append(missing, "its selector matches no pods of this rendering")
		}
	case "Service":
		selector := mapping(o.Content, "spec", "selector")
		if len(selector) > 0 && !s.matchesPods(o.Namespace, map[string]any{"matchLabels": selector}) {
			missing = append(missing, "its selector matches no pods of this rendering")
		}
	case "ServiceMonitor":
		services := func(service render.Object) bool {
			return selects(at(o.Content, "spec", "selector"), mapping(service.Content, "metadata", "labels"))
		}
		if at(o.Content, "spec", "namespaceSelector") == nil && !slices.ContainsFunc(s.of("Service", o.Namespace), services) {
			missing = append(missing, "its selector matches no Service of this rendering")
		}
	}
	return missing
}

func (s *Set) matchesPods(namespace string, selector any) bool {
	return slices.ContainsFunc(
		s.workloads, func(w workload) bool { return together(w.Namespace, namespace) && selects(selector, w.labels) },
	)
}

// backends says which services of an Ingress are missing, or have no such port.
func (s *Set) backends(o render.Object) (missing []string) {
	backends := []any{at(o.Content, "spec", "defaultBackend")}
	for _, rule := range list(o.Content, "spec", "rules") {
		for _, p := range list(rule, "http", "paths") {
			backends = append(backends, at(p, "backend"))
		}
	}
	for _, backend := range backends {
		name := text(backend, "service", "name")
		if name == "" {
			continue
		}
		services := slices.DeleteFunc(s.of("Service", o.Namespace), func(service render.Object) bool { return service.Name != name })
		if len(services) == 0 {
			missing = append(missing, fmt.Sprintf("it leads to the Service %s, which is not rendered with it", name))
			continue
		}
		named, numbered := text(backend, "service", "port", "name"), number(backend, "service", "port", "number")
		if !slices.ContainsFunc(list(services[0].Content, "spec", "ports"), func(p any) bool {
			return named != "" && text(p, "name") == named || numbered != 0 && number(p, "port") == numbered
		}) {
			missing = append(missing, fmt.Sprintf("it leads to a port that the Service %s does not have", name))
		}
	}
	return missing
}
