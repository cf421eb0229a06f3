package examples_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// eachDeployment applies a check to every Deployment of an application, with the
// other objects of the same unit.
func eachDeployment(check func(deployment render.Object, others []render.Object) string) func(state) []string {
	return func(s state) []string {
		seen := 0
		problems := s.every("Deployment", func(u unit, o render.Object) []string {
			if u.app == "" {
				return nil
			}
			seen++
			if problem := check(o, u.objects); problem != "" {
				return []string{problem}
			}
			return nil
		})
		if seen == 0 {
			problems = append(problems, "there is no application")
		}
		return problems
	}
}

func find(objects []render.Object, kind string, match func(o render.Object) bool) (render.Object, bool) {
	at := slices.IndexFunc(objects, func(o render.Object) bool { return o.Kind == kind && match(o) })
	if at < 0 {
		return render.Object{}, false
	}
	return objects[at], true
}

var applicationRules = []rule{
	{"autoscaling", eachDeployment(func(d render.Object, others []render.Object) string {
		hpa, ok := find(others, "HorizontalPodAutoscaler", func(o render.Object) bool {
			return text(o.Content, "spec", "scaleTargetRef", "kind") == "Deployment" &&
				text(o.Content, "spec", "scaleTargetRef", "name") == d.Name
		})
		least, most := number(hpa.Content, "spec", "minReplicas"), number(hpa.Content, "spec", "maxReplicas")
		switch {
		case !ok:
			return "has no HorizontalPodAutoscaler"
		case least < 2:
			return "has a single pod at times"
		case most <= least:
			return "cannot grow"
		case dig(d.Content, "spec", "replicas") != nil:
			return "says how many pods it has, as does its autoscaler"
		}
		return ""
	})},
	{"disruption budget", eachDeployment(func(d render.Object, others []render.Object) string {
		_, ok := find(others, "PodDisruptionBudget", func(o render.Object) bool {
			return labelled(dig(o.Content, "spec", "selector", "matchLabels"), dig(d.Content, "spec", "template", "metadata", "labels")) &&
				dig(o.Content, "spec", "minAvailable") != int64(0)
		})
		if !ok {
			return "has no PodDisruptionBudget"
		}
		return ""
	})},
	{"its own network policy", eachDeployment(func(d render.Object, others []render.Object) string {
		policy, ok := find(others, "NetworkPolicy", func(o render.Object) bool {
			return labelled(dig(o.Content, "spec", "podSelector", "matchLabels"), dig(d.Content, "spec", "template", "metadata", "labels"))
		})
		if !ok {
			return "has no NetworkPolicy"
		}
		for _, i := range list(policy.Content, "spec", "ingress") {
			if len(list(i, "from")) == 0 || len(list(i, "ports")) == 0 {
				return "lets everybody in, or to every port"
			}
		}
		return ""
	})},
	{"its own service account", eachDeployment(func(d render.Object, others []render.Object) string {
		name := text(pod(d), "serviceAccountName")
		if _, ok := find(others, "ServiceAccount", func(o render.Object) bool { return o.Name == name }); !ok {
			return fmt.Sprintf("runs as the service account %q, which is not its own", name)
		}
		return ""
	})},
	{"secrets are read, hourly", func(s state) []string {
		return s.every("ExternalSecret", func(u unit, o render.Object) []string {
			var problems []string
			if text(o.Content, "spec", "refreshInterval") != "1h" {
				problems = append(problems, "is not read every hour")
			}
			if _, ok := find(s.all("platform/secret-store"), "ClusterSecretStore", func(store render.Object) bool {
				return store.Name == text(o.Content, "spec", "secretStoreRef", "name")
			}); !ok {
				problems = append(problems, "asks a store that is not there")
			}
			for _, from := range list(o.Content, "spec", "dataFrom") {
				if key := text(from, "extract", "key"); u.env != "" && !strings.HasPrefix(key, "acme-"+u.env+"/") {
					problems = append(problems, fmt.Sprintf("asks for %s, which %s's cluster may not read", key, u.env))
				}
			}
			return problems
		})
	}},
	{"a new value of a secret reaches running pods", eachDeployment(func(d render.Object, _ []render.Object) string {
		reloaded := text(d.Content, "metadata", "annotations", "secret.reloader.stakater.com/reload")
		for _, c := range list(pod(d), "containers") {
			for _, from := range list(c, "envFrom") {
				if name := text(from, "secretRef", "name"); name != "" && !slices.Contains(strings.Split(reloaded, ","), name) {
					return fmt.Sprintf("is not started anew when %s has changed", name)
				}
			}
		}
		return ""
	})},
	{"secrets that charts name are made", chartSecrets},
	{"no secret in git", secretsInGit},
}

func (s state) all(name string) []render.Object {
	var objects []render.Object
	for _, u := range s.units {
		if u.name == name {
			objects = append(objects, u.objects...)
		}
	}
	return objects
}

// secretShapes are what credentials look like.
var secretShapes = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{20,}|\bxox[abpr]-[\w-]{10,}|hooks\.slack\.com/services/T`)

// secretKeys are keys of values whose text would be a secret.
var secretKeys = regexp.MustCompile(`(?i)^(admin)?(password|passwd|secretkey|secretaccesskey|accesskeyid|token|apikey|clientsecret|webhook_?url|api_url)$`)

func secretsInGit(s state) []string {
	problems := s.every("Secret", func(_ unit, o render.Object) []string {
		return []string{fmt.Sprintf("is a Secret in git (%d values)", len(asMap(o.Content["data"]))+len(asMap(o.Content["stringData"])))}
	})
	for _, file := range slices.Sorted(maps.Keys(s.files)) {
		data := s.files[file]
		if found := secretShapes.Find(data); found != nil {
			problems = append(problems, fmt.Sprintf("%s: looks like a credential: %.12s…", file, found))
		}
		for field := range strings.FieldsSeq(string(data)) { // base64 hides nothing
			if decoded, err := base64.StdEncoding.DecodeString(field); err == nil && secretShapes.Match(decoded) {
				problems = append(problems, file+": looks like a credential in base64")
			}
		}
	}
	return append(problems, s.eachValues(func(_ string, values any) []string {
		var found []string
		walk(values, func(m map[string]any) {
			for key, v := range m {
				if value, ok := v.(string); ok && value != "" && secretKeys.MatchString(key) {
					found = append(found, key+" has a value")
				}
			}
		})
		return found
	})...)
}

// eachValues applies a check to every values file of a chart.
func (s state) eachValues(check func(file string, values any) []string) []string {
	var problems []string
	for _, file := range slices.Sorted(maps.Keys(s.files)) {
		if !strings.HasSuffix(file, "/values.yaml") && !strings.Contains(file, "/values/") {
			continue
		}
		var values any
		if err := yaml.Unmarshal(s.files[file], &values); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", file, err))
		}
		for _, p := range check(file, values) {
			problems = append(problems, file+": "+p)
		}
	}
	return problems
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func number(v any, keys ...string) int {
	switch n := dig(v, keys...).(type) {
	case int:
		return n
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return 0
}

// namedSecret is where the values of a chart name a secret of its namespace.
var namedSecret = regexp.MustCompile(
	`(?:existingSecret: |secretRef: \{name: |secretKeyRef: \{name: |CredentialSecret: |\bsecrets: \[)([a-z][a-z-]*)`,
)

// chartSecrets says which secrets nothing makes in the namespace of the chart that names them.
func chartSecrets(s state) []string {
	made := make(map[string]bool)
	for _, kind := range []string{"ExternalSecret", "SealedSecret"} {
		s.objects(kind, func(_ unit, o render.Object) { made[o.Namespace+"/"+o.Name] = true })
	}
	return s.every("Application", func(_ unit, app render.Object) (problems []string) {
		for _, source := range sources(app) {
			for _, v := range list(source, "helm", "valueFiles") {
				file := strings.TrimPrefix(fmt.Sprint(v), "$values/")
				for _, m := range namedSecret.FindAllSubmatch(s.files[file], -1) {
					name := text(app.Content, "spec", "destination", "namespace") + "/" + string(m[1])
					if !made[name] {
						problems = append(problems, fmt.Sprintf("%s names the secret %s, which nothing makes", file, name))
					}
				}
			}
		}
		return problems
	})
}
