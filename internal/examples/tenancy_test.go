package examples_test

import (
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// privileged are the namespaces that may be so, and why stands in their own file.
var privileged = []string{"node-agents", "builds", "longhorn-system"}

// eachNamespace applies a check to every namespace of every cluster, with what
// else is made for it.
func eachNamespace(check func(namespace render.Object, env string, inside []render.Object) []string) func(state) []string {
	return func(s state) []string {
		var problems []string
		for env, own := range environments {
			objects := s.all("clusters/" + env + "/namespaces")
			if _, ok := find(objects, "Namespace", func(o render.Object) bool { return o.Name == own }); !ok {
				problems = append(problems, fmt.Sprintf("%s has no namespace %s for its applications", env, own))
			}
			for _, o := range objects {
				if o.Kind != "Namespace" {
					continue
				}
				inside := slices.DeleteFunc(slices.Clone(objects), func(other render.Object) bool { return other.Namespace != o.Name })
				for _, p := range check(o, env, inside) {
					problems = append(problems, fmt.Sprintf("%s: %s: %s", env, o.Name, p))
				}
			}
		}
		return problems
	}
}

func tier(namespace render.Object) string {
	return text(namespace.Content, "metadata", "labels", "waybill.dev/tier")
}

// publicSubnets are where load balancers are, by environment: the parts 12 to 15 of
// 32 of the cluster's network (terraform/modules/network).
var publicSubnets = map[string]string{"dev": "10.20.96.0/19", "staging": "10.30.96.0/19", "prod": "10.40.96.0/19"}

var tenancyRules = []rule{
	{"pod security labels", eachNamespace(func(ns render.Object, _ string, _ []render.Object) []string {
		var problems []string
		for _, mode := range []string{"enforce", "audit", "warn"} {
			level := text(ns.Content, "metadata", "labels", "pod-security.kubernetes.io/"+mode)
			if level != "restricted" && !(mode == "enforce" && level == "privileged" && slices.Contains(privileged, ns.Name)) {
				problems = append(problems, fmt.Sprintf("pod security is %q (%s)", level, mode))
			}
		}
		return problems
	})},
	{"default-deny network policy", eachNamespace(func(_ render.Object, _ string, inside []render.Object) []string {
		if _, ok := find(inside, "NetworkPolicy", func(o render.Object) bool {
			selector, present := dig(o.Content, "spec", "podSelector").(map[string]any)
			return present && len(selector) == 0 && len(list(o.Content, "spec", "policyTypes")) == 2 &&
				dig(o.Content, "spec", "ingress") == nil && dig(o.Content, "spec", "egress") == nil
		}); !ok {
			return []string{"no network policy denies by default"}
		}
		return nil
	})},
	{"explicit allows", eachNamespace(func(ns render.Object, env string, inside []render.Object) []string {
		if tier(ns) != "application" || ns.Name == "restore-drill" {
			return nil
		}
		var problems []string
		for _, from := range []string{"ingress", "monitoring"} {
			if _, ok := find(inside, "NetworkPolicy", func(o render.Object) bool {
				return slices.ContainsFunc(list(o.Content, "spec", "ingress"), func(i any) bool {
					return slices.ContainsFunc(list(i, "from"), func(f any) bool {
						if public := publicSubnets[env]; from == "ingress" && text(f, "ipBlock", "cidr") == public {
							return true // a load balancer, which has no pods
						}
						return text(f, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") == from &&
							dig(f, "podSelector") != nil
					})
				})
			}); !ok {
				problems = append(problems, from+" is not let in, by name and pod")
			}
		}
		return problems
	})},
	{"names can be resolved", eachNamespace(func(_ render.Object, _ string, inside []render.Object) []string {
		if _, ok := find(inside, "NetworkPolicy", func(o render.Object) bool {
			return slices.ContainsFunc(list(o.Content, "spec", "egress"), func(e any) bool {
				return slices.ContainsFunc(list(e, "ports"), func(p any) bool { return number(p, "port") == 53 })
			})
		}); !ok {
			return []string{"DNS is not let out"}
		}
		return nil
	})},
	{"quota and limits", eachNamespace(func(ns render.Object, _ string, inside []render.Object) []string {
		var problems []string
		quota, ok := find(inside, "ResourceQuota", func(render.Object) bool { return true })
		for _, key := range []string{"pods", "requests.cpu", "requests.memory"} {
			if !ok || dig(quota.Content, "spec", "hard", key) == nil {
				problems = append(problems, "no quota of "+key)
			}
		}
		if ns.Name == "node-agents" && text(quota.Content, "spec", "hard", "pods") != "2000" {
			problems = append(problems, "a big cluster's nodes have no agents: the quota is less than two for each of 1,000")
		}
		if ok && text(quota.Content, "spec", "hard", "services.nodeports") != "0" {
			problems = append(problems, "the quota leaves ports of the nodes")
		}
		if _, ok := find(inside, "LimitRange", func(o render.Object) bool {
			limits := list(o.Content, "spec", "limits")
			return len(limits) > 0 && dig(limits[0], "default", "memory") != nil && dig(limits[0], "defaultRequest", "cpu") != nil
		}); !ok {
			problems = append(problems, "no default limits")
		}
		return problems
	})},
	{"developers write outside prod only", eachNamespace(func(ns render.Object, env string, inside []render.Object) []string {
		var problems []string
		role := rolesOf(inside, "waybill:shop")
		switch {
		case tier(ns) != "application" && len(role) > 0:
			problems = append(problems, fmt.Sprintf("developers have %v in a namespace of the platform", role))
		case ns.Name == environments[env] && env == "prod" && !slices.Equal(role, []string{"view"}):
			problems = append(problems, fmt.Sprintf("developers have %v in prod", role))
		case ns.Name == environments[env] && env != "prod" && !slices.Equal(role, []string{"edit"}):
			problems = append(problems, fmt.Sprintf("developers have %v outside prod", role))
		}
		return problems
	})},
	{"break-glass is separate", eachNamespace(func(ns render.Object, env string, inside []render.Object) []string {
		var problems []string
		if role := rolesOf(inside, "waybill:break-glass"); ns.Name == "production" && !slices.Equal(role, []string{"admin"}) {
			problems = append(problems, fmt.Sprintf("break-glass has %v", role))
		}
		for _, o := range inside {
			if o.Kind == "RoleBinding" && text(o.Content, "roleRef", "name") == "admin" && len(list(o.Content, "subjects")) != 1 {
				problems = append(problems, "admin is not break-glass's alone")
			}
			for _, subject := range list(o.Content, "subjects") {
				if !slices.Contains(
					[]string{"waybill:read-only", "waybill:shop", "waybill:break-glass", "waybill:restore-drill"},
					text(subject, "name"),
				) {
					problems = append(problems, fmt.Sprintf("%s is given to %q", o, text(subject, "name")))
				}
			}
		}
		return problems
	})},
}

func rolesOf(objects []render.Object, group string) []string {
	var roles []string
	for _, o := range objects {
		if o.Kind == "RoleBinding" && slices.ContainsFunc(
			list(o.Content, "subjects"), func(s any) bool { return text(s, "name") == group },
		) {
			roles = append(roles, text(o.Content, "roleRef", "name"))
		}
	}
	return roles
}
