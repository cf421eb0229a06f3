package examples_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/cluster"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// systemNamespaces are Kubernetes' own.
var systemNamespaces = []string{"kube-system", "kube-node-lease", "kube-public"}

// exempt are the namespaces that a policy leaves out.
func exempt(selector any) []string {
	var names []string
	for _, e := range list(selector, "matchExpressions") {
		for _, v := range list(e, "values") {
			names = append(names, fmt.Sprint(v))
		}
	}
	return names
}

// exemptions says what is wrong with a policy's namespaces: it may leave out the
// platform's, by a label that cannot be changed.
func (s state) exemptions(selector any) []string {
	var problems []string
	for _, e := range list(selector, "matchExpressions") {
		if text(e, "key") != "kubernetes.io/metadata.name" || text(e, "operator") != "NotIn" {
			problems = append(problems, "does not hold wherever it is not left out by name")
		}
	}
	for _, name := range exempt(selector) {
		for env := range environments {
			objects := append(s.all("clusters/"+env+"/namespaces"), s.all("namespaces/"+name)...) // one that a cluster may choose
			ns, ok := find(objects, "Namespace", func(o render.Object) bool { return o.Name == name })
			if ok && tier(ns) != "platform" || !ok && !slices.Contains(systemNamespaces, name) {
				problems = append(problems, fmt.Sprintf("leaves out %s, which is not the platform's in %s", name, env))
			}
		}
	}
	return problems
}

// recordedName is a rate that a rule records, of the way in whichever it is.
var recordedName = regexp.MustCompile(`\bingress:[a-z_]+:[a-z0-9]+\b`)

var platformRules = []rule{
	{"admission policies hold everywhere", func(s state) []string {
		objects := s.all("platform/admission")
		problems := s.every("ValidatingAdmissionPolicyBinding", func(_ unit, o render.Object) []string {
			var problems []string
			if fmt.Sprint(list(o.Content, "spec", "validationActions")) != "[Deny]" {
				problems = append(problems, "does not refuse")
			}
			return append(problems, s.exemptions(dig(o.Content, "spec", "matchResources", "namespaceSelector"))...)
		})
		return append(problems, s.every("ValidatingAdmissionPolicy", func(_ unit, o render.Object) []string {
			var problems []string
			if text(o.Content, "spec", "failurePolicy") != "Fail" {
				problems = append(problems, "lets through what it cannot judge")
			}
			if _, ok := find(
				objects, "ValidatingAdmissionPolicyBinding",
				func(b render.Object) bool { return text(b.Content, "spec", "policyName") == o.Name },
			); !ok {
				problems = append(problems, "is bound to nothing")
			}
			return problems
		})...)
	}},
	{"signer as in waybill.yaml", func(s state) []string {
		cfg, err := config.Parse("waybill.yaml", s.files["waybill.yaml"])
		if err != nil {
			return []string{err.Error()}
		}
		policy, err := cfg.Policy("backend", "prod")
		if err != nil {
			return []string{err.Error()}
		}
		seen := false
		problems := s.every("ImageValidatingPolicy", func(_ unit, o render.Object) []string {
			seen = true
			var problems []string
			var identities []any
			for _, a := range list(o.Content, "spec", "attestors") {
				identities = append(identities, list(a, "cosign", "keyless", "identities")...)
			}
			if len(identities) != len(policy.Signers) {
				problems = append(problems, fmt.Sprintf("trusts %d signers, waybill.yaml %d", len(identities), len(policy.Signers)))
			}
			for i, identity := range identities[:min(len(identities), len(policy.Signers))] {
				if signer := policy.Signers[i]; text(identity, "issuer") != signer.Issuer ||
					text(identity, "subject") != "https://github.com/"+signer.Workflow {
					problems = append(problems, fmt.Sprintf("trusts %s, waybill.yaml %s", text(identity, "subject"), signer.Workflow))
				}
			}
			if text(o.Content, "spec", "failurePolicy") != "Fail" || fmt.Sprint(list(o.Content, "spec", "validationActions")) != "[Deny]" {
				problems = append(problems, "does not refuse")
			}
			return append(problems, s.exemptions(dig(o.Content, "spec", "matchConstraints", "namespaceSelector"))...)
		})
		const file = "platform/signatures/waybill.yaml"
		if command, policy, err := cluster.Rewrite(s.files[file], cfg); err != nil || command == "" || policy != string(s.files[file]) {
			problems = append(problems, fmt.Sprintf("%s is not what %q writes (%v)", file, command, err))
		}
		if !seen {
			problems = append(problems, "nothing verifies signatures")
		}
		return problems
	}},
	{"alerts", func(s state) []string {
		alerts := make(map[string]any)
		problems := s.every("PrometheusRule", func(_ unit, o render.Object) []string {
			var problems []string
			for _, g := range list(o.Content, "spec", "groups") {
				for _, r := range list(g, "rules") {
					name := text(r, "alert")
					if name == "" && text(r, "record") != "" {
						continue
					}
					alerts[name] = r
					runbook, ok := strings.CutPrefix(text(r, "annotations", "runbook_url"), repository+"/blob/main/")
					if !ok || s.files[runbook] == nil {
						problems = append(problems, fmt.Sprintf("%s: no runbook at %q", name, runbook))
					}
					if text(r, "labels", "severity") == "" || text(r, "annotations", "summary") == "" {
						problems = append(problems, name+": no severity or no summary")
					}
				}
			}
			return problems
		})
		for name, part := range map[string]string{
			"NodeCPUAbove70Percent": "node_cpu_seconds_total", "NodeMemoryAbove70Percent": "node_memory_MemAvailable_bytes",
			"VolumeAbove70Percent": "kubelet_volume_stats_used_bytes",
		} {
			if expr := text(alerts[name], "expr"); !strings.Contains(expr, part) || !strings.HasSuffix(strings.TrimSpace(expr), "> 70") {
				problems = append(problems, fmt.Sprintf("%s is not at 70 %% of %s", name, part))
			}
		}
		for name, part := range map[string]string{
			"ApplicationOutOfSync": `sync_status!="Synced"`, "RolloutFailed": `condition="Progressing",status="false"`,
		} {
			if !strings.Contains(text(alerts[name], "expr"), part) {
				problems = append(problems, name+" says nothing of delivery")
			}
		}
		return problems
	}},
	{"what comes in is measured", func(s state) []string {
		recorded := make(map[string]bool)
		s.objects("PrometheusRule", func(_ unit, o render.Object) {
			for _, g := range list(o.Content, "spec", "groups") {
				for _, r := range list(g, "rules") {
					recorded[text(r, "record")] = true
				}
			}
		})
		var problems []string
		for _, q := range s.queries() {
			for _, name := range recordedName.FindAllString(q.expr, -1) {
				if !recorded[name] {
					problems = append(problems, fmt.Sprintf("%s: nothing records %s", q.where, name))
				}
			}
		}
		return problems
	}},
	{"dashboards", func(s state) []string {
		seen := make(map[string]bool)
		problems := s.every("ConfigMap", func(u unit, o render.Object) []string {
			if u.app != "" || text(o.Content, "metadata", "labels", "grafana_dashboard") != "1" {
				return nil
			}
			var problems []string
			for name, data := range asMap(o.Content["data"]) {
				var dashboard map[string]any
				if err := json.Unmarshal([]byte(data.(string)), &dashboard); err != nil {
					problems = append(problems, fmt.Sprintf("%s: %v", name, err))
					continue
				}
				seen[text(dashboard, "uid")] = true
				for _, panel := range list(dashboard, "panels") {
					if len(list(panel, "targets")) == 0 || text(panel, "title") == "" {
						problems = append(problems, fmt.Sprintf("%s: panel %q shows nothing", name, text(panel, "title")))
					}
				}
			}
			return problems
		})
		for _, uid := range []string{"waybill-delivery", "waybill-applications"} {
			if !seen[uid] {
				problems = append(problems, "there is no dashboard "+uid)
			}
		}
		return problems
	}},
	{"backups", func(s state) []string {
		var problems []string
		for env, own := range environments {
			objects := s.all("clusters/" + env + "/backups")
			daily, _ := find(objects, "Schedule", func(o render.Object) bool { return o.Name == "daily" })
			if at := strings.Fields(text(daily.Content, "spec", "schedule")); len(at) != 5 || fmt.Sprint(at[2:]) != "[* * *]" ||
				!slices.Contains(list(daily.Content, "spec", "template", "includedNamespaces"), any("*")) {
				problems = append(problems, env+" is not backed up whole each day")
			}
			critical, _ := find(objects, "Schedule", func(o render.Object) bool { return o.Name == "critical" })
			if !strings.Contains(text(critical.Content, "spec", "schedule"), " */6 ") ||
				!slices.Contains(list(critical.Content, "spec", "template", "includedNamespaces"), any(own)) {
				problems = append(problems, fmt.Sprintf("%s: %s is not backed up every six hours", env, own))
			}
		}
		return problems
	}},
	{"a commit is seen in time", func(s state) []string {
		const file = "platform/argocd/values.yaml"
		var values any
		if err := yaml.Unmarshal(s.files[file], &values); err != nil {
			return []string{err.Error()}
		}
		timeout, err := time.ParseDuration(text(values, "configs", "cm", "timeout.reconciliation"))
		jitter, err2 := time.ParseDuration(text(values, "configs", "cm", "timeout.reconciliation.jitter"))
		// What git said is kept as long as the time between two comparisons.
		if seen := 2*timeout + jitter; err != nil || err2 != nil || timeout == 0 || seen > 80*time.Second {
			return []string{fmt.Sprintf("%s: a commit is seen after up to %s: a rollback takes more than two minutes", file, seen)}
		}
		return nil
	}},
	{"documentation names the versions", func(s state) []string {
		return s.every("Application", func(_ unit, app render.Object) []string {
			var problems []string
			for _, source := range sources(app) {
				chart, version := text(source, "chart"), text(source, "targetRevision")
				if chart != "" && !strings.Contains(
					string(s.files["platform/README.md"])+string(s.files["platform/ingress/README.md"]), "| "+chart+" "+version+" ",
				) {
					problems = append(problems, fmt.Sprintf("no README.md of platform has %s %s", chart, version))
				}
				if chart == "argo-cd" && !strings.Contains(string(s.files["docs/bootstrap.md"]), "--version "+version+" ") {
					problems = append(problems, "docs/bootstrap.md installs another version of "+chart)
				}
			}
			return problems
		})
	}},
	{"encrypted volumes", func(s state) []string {
		standard := 0
		problems := s.every("StorageClass", func(_ unit, o render.Object) []string {
			if text(o.Content, "metadata", "annotations", "storageclass.kubernetes.io/is-default-class") == "true" {
				standard++
			}
			if text(o.Content, "parameters", "encrypted") != "true" {
				return []string{"is not encrypted"}
			}
			return nil
		})
		if standard != 1 {
			problems = append(problems, fmt.Sprintf("%d storage classes are the default", standard))
		}
		return problems
	}},
}
