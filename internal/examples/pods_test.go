package examples_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

var workloads = []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"}

var byDigest = regexp.MustCompile(`^[^@]+@sha256:[0-9a-f]{64}$`)

// pod is a workload's pod, whichever kind it is.
func pod(o render.Object) any {
	switch o.Kind {
	case "Pod":
		return dig(o.Content, "spec")
	case "CronJob":
		return dig(o.Content, "spec", "jobTemplate", "spec", "template", "spec")
	default:
		return dig(o.Content, "spec", "template", "spec")
	}
}

// eachContainer applies a check to every container, and names it.
func eachContainer(check func(pod, container any) string) func(state) []string {
	return eachWorkload(func(o render.Object) []string {
		var problems []string
		p := pod(o)
		for _, kind := range []string{"initContainers", "containers"} {
			for _, c := range list(p, kind) {
				if problem := check(p, c); problem != "" {
					problems = append(problems, fmt.Sprintf("container %s %s", text(c, "name"), problem))
				}
			}
		}
		return problems
	})
}

func eachWorkload(check func(o render.Object) []string) func(state) []string {
	return func(s state) []string {
		var problems []string
		for _, kind := range workloads {
			problems = append(problems, s.every(kind, func(_ unit, o render.Object) []string { return check(o) })...)
		}
		return problems
	}
}

var podRules = []rule{
	{"images by digest", eachContainer(func(_, c any) string {
		if image := text(c, "image"); !byDigest.MatchString(image) {
			return "is not named by digest: " + image
		}
		return ""
	})},
	{"requests and limits", eachContainer(func(_, c any) string {
		for _, kind := range []string{"requests", "limits"} {
			for _, resource := range []string{"cpu", "memory"} {
				if dig(c, "resources", kind, resource) == nil {
					return fmt.Sprintf("has no %s of %s", kind, resource)
				}
			}
		}
		return ""
	})},
	{"probes", eachWorkload(func(o render.Object) []string {
		if o.Kind == "Job" || o.Kind == "CronJob" {
			return nil
		}
		var problems []string
		for _, c := range list(pod(o), "containers") {
			for _, probe := range []string{"readinessProbe", "livenessProbe"} {
				if dig(c, probe) == nil {
					problems = append(problems, fmt.Sprintf("container %s has no %s", text(c, "name"), probe))
				}
			}
		}
		return problems
	})},
	{"non-root", eachContainer(func(pod, c any) string {
		nonRoot := dig(c, "securityContext", "runAsNonRoot")
		if nonRoot == nil {
			nonRoot = dig(pod, "securityContext", "runAsNonRoot")
		}
		if nonRoot != true {
			return "may run as root"
		}
		return ""
	})},
	{"hardened containers", eachContainer(func(pod, c any) string {
		context := dig(c, "securityContext")
		if text(c, "name") == "buildkitd" && dig(context, "privileged") == nil && dig(context, "readOnlyRootFilesystem") == true {
			return "" // its file says why it is less
		}
		dropped := fmt.Sprint(list(context, "capabilities", "drop"))
		switch {
		case dig(context, "privileged") == true:
			return "is privileged"
		case dig(context, "allowPrivilegeEscalation") != false:
			return "may gain privileges"
		case dig(context, "readOnlyRootFilesystem") != true:
			return "may write to its image"
		case dropped != "[ALL]":
			return "keeps capabilities"
		case text(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault" &&
			text(context, "seccompProfile", "type") != "RuntimeDefault":
			return "has no seccomp profile"
		}
		return ""
	})},
	{"nothing of the node", eachWorkload(func(o render.Object) []string {
		var problems []string
		for _, key := range []string{"hostNetwork", "hostPID", "hostIPC"} {
			if dig(pod(o), key) == true {
				problems = append(problems, "shares "+key)
			}
		}
		for _, v := range list(pod(o), "volumes") {
			if dig(v, "hostPath") != nil {
				problems = append(problems, "mounts a path of the node: "+text(v, "name"))
			}
		}
		return problems
	})},
	{"no token that is not used", eachWorkload(func(o render.Object) []string {
		if dig(pod(o), "automountServiceAccountToken") != false {
			return []string{"mounts a token of the API server"}
		}
		return nil
	})},
}

var serviceRules = []rule{
	{"no NodePort", func(s state) []string {
		return append(s.every("Service", func(_ unit, o render.Object) []string {
			switch kind := text(o.Content, "spec", "type"); {
			case kind == "NodePort":
				return []string{"is of type NodePort"}
			case kind == "LoadBalancer" && dig(o.Content, "spec", "allocateLoadBalancerNodePorts") != false:
				return []string{"takes a port of every node"}
			}
			return nil
		}), s.eachValues(func(file string, values any) []string {
			var problems []string
			walk(values, func(m map[string]any) {
				switch {
				case m["type"] == "NodePort":
					problems = append(problems, "a service of type NodePort")
				case m["type"] == "LoadBalancer" && m["allocateLoadBalancerNodePorts"] != false:
					problems = append(problems, "a load balancer that takes a port of every node")
				}
			})
			return problems
		})...)
	}},
	{"ingress with TLS", func(s state) []string {
		seen := make(map[string]bool)
		problems := s.every("Ingress", func(u unit, o render.Object) []string {
			seen[u.env] = true
			var hosts []any
			for _, tls := range list(o.Content, "spec", "tls") {
				if text(tls, "secretName") != "" || endsAtLoadBalancer(o) {
					hosts = append(hosts, list(tls, "hosts")...)
				}
			}
			var problems []string
			for _, r := range list(o.Content, "spec", "rules") {
				if host := text(r, "host"); host == "" || !strings.Contains(fmt.Sprint(hosts), host) {
					problems = append(problems, fmt.Sprintf("host %q has no TLS", host))
				}
			}
			if text(o.Content, "metadata", "annotations", "cert-manager.io/cluster-issuer") == "" && !endsAtLoadBalancer(o) {
				problems = append(problems, "nobody issues its certificate")
			}
			return problems
		})
		problems = append(problems, s.every("HTTPRoute", func(u unit, o render.Object) []string {
			if u.app == "" {
				return nil // the platform's, which redirects
			}
			seen[u.env] = true
			return s.withoutTLS(u.env, o)
		})...)
		for env := range environments {
			if !seen[env] {
				problems = append(problems, env+" has no ingress")
			}
		}
		return problems
	}},
}

// endsAtLoadBalancer reports whether an Ingress asks AWS's load balancer for TLS,
// which finds the certificates of its hosts itself.
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/cert_discovery/
func endsAtLoadBalancer(ingress render.Object) bool {
	return strings.Contains(text(ingress.Content, "metadata", "annotations", "alb.ingress.kubernetes.io/listen-ports"), `{"HTTPS": 443}`)
}

// withoutTLS says which hosts of a route have none: those that are not of a
// listener that it attaches to, with a certificate that somebody issues.
func (s state) withoutTLS(env string, route render.Object) (problems []string) {
	objects := s.all("clusters/" + env + "/gateway")
	hosts := list(route.Content, "spec", "hostnames")
	if len(hosts) == 0 {
		problems = append(problems, "names no host")
	}
	for _, parent := range list(route.Content, "spec", "parentRefs") {
		gateway, _ := find(objects, "Gateway", func(o render.Object) bool { return o.Name == text(parent, "name") })
		for _, l := range list(gateway.Content, "spec", "listeners") {
			if selector := dig(l, "allowedRoutes", "namespaces", "selector"); selector != nil &&
				!slices.Contains(exempt(selector), "restore-drill") {
				problems = append(problems, "the restore drill's copies of routes may take hosts")
			}
		}
		for _, host := range hosts {
			_, above, _ := strings.Cut(fmt.Sprint(host), ".")
			if !slices.ContainsFunc(list(gateway.Content, "spec", "listeners"), func(l any) bool {
				secrets := list(l, "tls", "certificateRefs")
				_, issued := find(objects, "Certificate", func(o render.Object) bool {
					return len(secrets) == 1 && text(o.Content, "spec", "secretName") == text(secrets[0], "name") &&
						slices.Contains(list(o.Content, "spec", "dnsNames"), dig(l, "hostname"))
				})
				return issued && text(l, "name") == text(parent, "sectionName") && text(l, "protocol") == "HTTPS" &&
					text(l, "hostname") == "*."+above
			}) {
				problems = append(problems, fmt.Sprintf("host %q has no TLS", host))
			}
		}
	}
	return problems
}

// walk calls f with every map inside a value.
func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, e := range v {
			walk(e, f)
		}
	case []any:
		for _, e := range v {
			walk(e, f)
		}
	}
}
