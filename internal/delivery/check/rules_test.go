package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

const meshes = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: meshes.acme.dev}
spec:
  group: acme.dev
  scope: Namespaced
  names: {kind: Mesh, plural: meshes}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {peers: {type: integer}}}}}}}]
`

// Everything that the change would have deployed is held against the checklist, at
// the level of waybill.yaml, and only what is new is reported.
func TestChecklist(t *testing.T) {
	t.Parallel()
	rules := func(text string) map[string]string {
		return map[string]string{"waybill.yaml": configrepotest.Config("demo-api") + "manifests:\n  " + text + "\n"}
	}
	with := configrepotest.With
	settings := func(text string) string { return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n" + text }
	misspelt := strings.Replace(configrepotest.Deployment("demo-api", "demo-api"), "spec:\n", "spec:\n  replica: 2\n", 1)
	kustomize := func(names string) string { return "resources: [" + names + "]\n" }
	const field, in = `unknown field "spec.replica"`, `unknown field "dat"`
	const other = "apps/demo-api/base/other.yaml"
	mesh := "apiVersion: acme.dev/v1\nkind: Mesh\nmetadata: {name: m}\nspec: {peer: 1}\n"
	issuer := "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: i}\nspec: {selfSign: {}}\n"
	application := func(version string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {project: p, destination: {name: c}, " +
			"source: {repoURL: 'https://charts.jetstack.io', chart: cert-manager, targetRevision: " + version + "}}\n"
	}
	release := func(version string) string {
		return "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {chart: {spec: {chart: cert-manager, " +
			"version: " + version + ", sourceRef: {kind: HelmRepository, name: h}}}}\n"
	}
	role := func(verbs string) string {
		return "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: [pods], " +
			"verbs: [" + verbs + "]}]\n"
	}
	template := newWorld(t)
	for what, test := range map[string]struct {
		main, change map[string]string
		want, note   string // parts of all findings and of all notes; empty where there are none
		times        int    // of want; 0 is once
	}{
		"an unknown field in an overlay": {
			nil, map[string]string{deployment: misspelt}, deployment + ":2 schema: Deployment demo-api: " + field, "", 3,
		},
		"one that was there": {
			map[string]string{deployment: misspelt}, map[string]string{deployment: misspelt + "          args: [x]\n"}, "", "", 0,
		},
		"one more": {
			map[string]string{deployment: misspelt},
			map[string]string{deployment: strings.Replace(misspelt, "template:\n", "templat: {}\n  template:\n", 1)},
			`unknown field "spec.templat"`, "", 3,
		},
		"in a kustomization of platform/": {
			nil,
			map[string]string{"platform/x/kustomization.yaml": kustomize("c.yaml"), "platform/x/c.yaml": settings("dat: {}\n")},
			"platform/x/c.yaml:2 schema: ConfigMap c: " + in, "", 0,
		},
		"in plain manifests": {
			nil, map[string]string{"platform/c.yaml": settings("dat: {}\n")}, "platform/c.yaml:2 schema: ConfigMap c: " + in, "", 0,
		},
		"in both of two that render it": {
			nil,
			map[string]string{
				"platform/x/kustomization.yaml": kustomize("../y"), "platform/z/kustomization.yaml": kustomize("../y"),
				"platform/y/kustomization.yaml": kustomize("c.yaml"), "platform/y/c.yaml": settings("dat: {}\n"),
			},
			in, "", 0,
		},
		"in a base that is completed": {
			nil,
			map[string]string{
				"platform/x/kustomization.yaml": kustomize("../y") + "namePrefix: x-\n",
				"platform/y/kustomization.yaml": kustomize("c.yaml"), "platform/y/c.yaml": settings("dat: {}\n"),
			},
			"ConfigMap x-c: " + in, "", 0,
		},
		"in a component": {
			nil,
			map[string]string{
				"platform/x/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.yaml]\n",
				"platform/x/c.yaml":             settings("dat: {}\n"),
			},
			"", "", 0,
		},
		"in a chart of nobody": {
			nil,
			map[string]string{
				"platform/x/Chart.yaml":       "apiVersion: v2\nname: x\nversion: 0.1.0\n",
				"platform/x/templates/c.yaml": settings("dat: {}\n"),
			},
			"platform/x/templates/c.yaml:2 schema: ConfigMap c: " + in, "", 0,
		},
		"what is no manifest": {nil, map[string]string{"platform/values.yaml": "kind: nothing\nreplica: 1\n"}, "", "", 0},
		"no kind of Kubernetes": {
			nil, map[string]string{"platform/c.yaml": strings.Replace(settings(""), "ConfigMap", "ConfigMop", 1)},
			"schema: ConfigMop c: Kubernetes has no kind ConfigMop in v1", "", 0,
		},
		"a custom kind": {
			map[string]string{"platform/crd.yaml": meshes}, map[string]string{"platform/m.yaml": mesh},
			`schema: Mesh m: unknown field "spec.peer"`, "", 0,
		},
		"a kind of a chart of Argo CD": {
			map[string]string{"platform/app.yaml": application("v1.21.1")}, map[string]string{"platform/i.yaml": issuer},
			`schema: Issuer i: unknown field "spec.selfSign" (as the chart cert-manager@v1.21.1 defines it)`, "", 0,
		},
		"a kind of a chart of Flux": {
			map[string]string{"platform/release.yaml": release("v1.21.1")}, map[string]string{"platform/i.yaml": issuer},
			`schema: Issuer i: unknown field "spec.selfSign"`, "", 0,
		},
		"a kind of a chart of another version": {
			map[string]string{"platform/app.yaml": application("v1.0.0")}, map[string]string{"platform/i.yaml": issuer}, "", "", 0,
		},
		"a kind of a chart that nothing deploys": {
			map[string]string{"platform/values.yaml": "chart: cert-manager\nversion: v1.21.1\n"},
			map[string]string{"platform/i.yaml": issuer}, "", "", 0,
		},
		"another version of a chart": {
			map[string]string{"platform/app.yaml": application("v1.21.1")}, map[string]string{"platform/app.yaml": application("v1.0.0")},
			"", "Waybill has the definitions of the chart cert-manager v1.21.1 and not of v1.0.0: objects of its kinds are not judged", 0,
		},
		"a custom kind, with its definition": {
			nil, map[string]string{"platform/crd.yaml": meshes, "platform/m.yaml": mesh},
			`schema: Mesh m: unknown field "spec.peer"`, "", 0,
		},
		"a custom kind that nobody defines": {nil, map[string]string{"platform/m.yaml": mesh}, "", "", 0},
		"what leads nowhere": {
			nil,
			map[string]string{deployment: configrepotest.Deployment("demo-api", "demo-api") + "          envFrom: [{configMapRef: " +
				"{name: c}}]\n"},
			"", deployment + ":2 references: Deployment demo-api: it uses the ConfigMap c, which is not rendered with it", 0,
		},
		"what leads nowhere, refused": {
			rules("rules: {references: refuse}"),
			map[string]string{deployment: configrepotest.Deployment("demo-api", "demo-api") + "          envFrom: [{configMapRef: " +
				"{name: c}}]\n"},
			"references: Deployment demo-api: it uses the ConfigMap c", "", 3,
		},
		"a rule that is off": {rules("rules: {schema: off}"), map[string]string{deployment: misspelt}, "", "", 0},
		"a rule that only notes": {
			rules("rules: {schema: note}"), map[string]string{deployment: misspelt}, "", "schema: Deployment demo-api: " + field, 0,
		},
		"a rule that is not on": {
			nil,
			map[string]string{
				"apps/demo-api/base/kustomization.yaml": kustomize("deployment.yaml, other.yaml"),
				other:                                   configrepotest.Deployment("other", "demo-api"),
			},
			"", "", 0,
		},
		"a rule that is on": {
			rules("rules: {probes: refuse}"),
			map[string]string{
				"apps/demo-api/base/kustomization.yaml": kustomize("deployment.yaml, other.yaml"),
				other:                                   configrepotest.Deployment("other", "demo-api"),
			},
			other + ":2 probes: Deployment other: the container other has no readinessProbe. The rule is there because without them " +
				"traffic goes to pods that cannot answer, and pods that hang stay → add a readinessProbe",
			"", 3,
		},
		"an object that goes": {
			map[string]string{"platform/c.yaml": settings("")}, map[string]string{"platform/c.yaml": "", "platform/x": ""},
			"", "platform/c.yaml:0 removed: ConfigMap c: it is deployed no longer. The rule is there because", 0,
		},
		"an object that goes, refused": {
			with(rules("rules: {removed: refuse}"), map[string]string{"platform/c.yaml": settings("")}),
			map[string]string{"platform/c.yaml": ""}, "removed: ConfigMap c: it is deployed no longer", "", 0,
		},
		"an object that goes, waived": {
			with(rules("rules: {removed: refuse}\n  waivers: [{policy: removed, object: ConfigMap c, reason: moved, expires: 2999-01-01}]"),
				map[string]string{"platform/c.yaml": settings("")}),
			map[string]string{"platform/c.yaml": ""}, "", "(waived until 2999-01-01: moved)", 0,
		},
		"an object that moves": {
			map[string]string{"platform/c.yaml": settings("")},
			map[string]string{"platform/c.yaml": "", "platform/d.yaml": settings("")}, "", "", 0,
		},
		"an object that moves out": {
			map[string]string{"platform/c.yaml": settings("")},
			map[string]string{"platform/c.yaml": "", "docs/d.yaml": settings("")},
			"", "platform/c.yaml:0 removed: ConfigMap c: it is deployed no longer", 0,
		},
		"an overlay that loses one": {
			map[string]string{
				"apps/demo-api/base/kustomization.yaml": kustomize("deployment.yaml, other.yaml"), other: settings(""),
				"waybill.yaml": rules("rules: {removed: refuse}")["waybill.yaml"],
			},
			map[string]string{"apps/demo-api/base/kustomization.yaml": kustomize("deployment.yaml")},
			"kustomization.yaml:0 removed: ConfigMap c: it is deployed no longer", "", 3,
		},
		"a role that allows more": {
			map[string]string{"platform/r.yaml": role("get")}, map[string]string{"platform/r.yaml": role("get, delete")},
			"", "platform/r.yaml:2 rbac: Role r: it newly allows: delete pods", 0,
		},
		"a rule that it turns off": {
			rules("rules: {schema: refuse}"), with(rules("rules: {schema: off}"), map[string]string{deployment: misspelt}), field,
			"", 3,
		},
		"a rule that it turns on": {
			nil,
			with(
				rules("rules: {probes: refuse}"),
				map[string]string{
					"apps/demo-api/base/kustomization.yaml": kustomize("deployment.yaml, other.yaml"),
					other:                                   configrepotest.Deployment("other", "demo-api"),
				},
			),
			"probes: Deployment other", "", 3,
		},
		"a rule that what runs breaks": {nil, rules("rules: {probes: refuse, replicas: refuse}"), "", "", 0},
		"a waiver": {
			rules("waivers: [{policy: schema, app: demo-api, env: dev, object: Deployment *, reason: a trial, expires: 2027-01-01}]"),
			map[string]string{deployment: misspelt}, field, field + ". The rule is there because", 2,
		},
		"a waiver that expired": {
			rules("waivers: [{policy: schema, app: demo-api, reason: a trial, expires: 2026-01-01}]"),
			map[string]string{deployment: misspelt}, field, "", 3,
		},
		"a waiver of its own": {
			nil,
			with(rules("waivers: [{policy: schema, reason: a trial, expires: 2027-01-01}]"), map[string]string{deployment: misspelt}),
			field, "", 3,
		},
		"a version that goes": {
			rules("rules: {deprecated: refuse}"),
			map[string]string{"platform/e.yaml": "apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\n"},
			"deprecated: Endpoints e: v1 is deprecated since Kubernetes 1.33", "", 0,
		},
		"a version that goes later": {
			rules("rules: {deprecated: refuse}\n  kubernetes: \"1.32\""),
			map[string]string{"platform/e.yaml": "apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\n"}, "", "", 0,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.main != nil {
				w.Write(t, "main", "before", test.main)
			}
			w.Write(t, "change", "the change", test.change)
			result, err := w.checker().Run(t.Context(), "main", "change")
			if err != nil {
				t.Fatal(err)
			}
			times := max(test.times, min(len(test.want), 1))
			if got := ruled(result.Findings); len(got) != times || times > 0 && !containsAll(got, test.want) {
				t.Errorf("findings:\n%s\nwant %d times %s", strings.Join(got, "\n"), times, test.want)
			}
			if got := ruled(result.Notes); (len(got) == 0) != (test.note == "") || !containsAll(got, test.note) {
				t.Errorf("notes:\n%s\nwant %s", strings.Join(got, "\n"), test.note)
			}
		})
	}
}

// ruled are the findings of the checklist.
func ruled(findings []check.Finding) (list []string) {
	for _, f := range findings {
		if f.Rule != check.RuleProtection && f.Rule != check.RuleManifest {
			list = append(list, fmt.Sprintf("%s:%d %s: %s", f.File, f.Line, f.Rule, f.Message))
		}
	}
	return list
}

func containsAll(list []string, part string) bool {
	return !slices.ContainsFunc(list, func(text string) bool { return !strings.Contains(text, part) })
}

// What something deploys must be YAML, whether a change brings it or the
// repository is judged as it stands.
func TestEverythingThatIsDeployedParses(t *testing.T) {
	t.Parallel()
	const broken = "a: [\n"
	application := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: {repoURL: u, path: " +
		"charts/x, helm: {valueFiles: [../../more/values.yaml]}}}\n"
	template := newWorld(t)
	template.Write(t, "main", "a deployer", map[string]string{"x/a.yaml": application})
	for what, test := range map[string]struct {
		file string
		more map[string]string
		want string
	}{
		"a manifest of a kustomization": {
			"platform/x/c.yaml", map[string]string{"platform/x/kustomization.yaml": "resources: [c.yaml]\n"}, "platform/x/c.yaml",
		},
		"values of platform/": {
			"platform/x/values.yaml", nil,
			"platform/x/values.yaml refused render: something deploys this file, and it cannot be read: platform/x/values.yaml: line ",
		},
		"beside a kustomization": {
			"x/y/values.yaml", map[string]string{"x/y/kustomization.yaml": "resources: []\n"},
			"x/y/values.yaml refused render: something deploys this file",
		},
		"below a deployer's path":      {"charts/x/y/more.yaml", nil, "charts/x/y/more.yaml refused render: something deploys this file"},
		"values that a deployer names": {"more/values.yaml", nil, "more/values.yaml refused render: something deploys this file"},
		"what nothing deploys": {
			"x/values.yaml", nil,
			"x/values.yaml refused protection: this change takes protection away: x/values.yaml cannot be read",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "change", "the change", configrepotest.With(map[string]string{test.file: broken}, test.more))
			if got := strings.Join(w.findings(t, "main", "change"), "\n"); !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
			got := strings.Join(w.findings(t, "", "change"), "\n")
			if standing := strings.HasPrefix(what, "what nothing"); standing != (got == "") ||
				!standing && !strings.Contains(got, test.file) {
				t.Errorf("as it stands: got %s", got)
			}
			w.Write(t, "main", "broken before", configrepotest.With(map[string]string{test.file: broken}, test.more))
			w.Write(t, "change", "more", map[string]string{"README.md": "x\n"})
			if got := w.findings(t, "main", "change"); len(got) != 0 {
				t.Errorf("what was broken before: %v", got)
			}
			w.Write(t, "change", "more of it", map[string]string{test.file: strings.TrimSuffix(broken, "\n") + " # more\n"})
			if got := strings.Join(w.findings(t, "main", "change"), "\n"); strings.Contains(got, "refused render") {
				t.Errorf("what was broken before, and changes: %s", got)
			}
		})
	}
}

// Without a base the kustomizations of the platform are rendered and judged too.
func TestThePlatformAsItStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(t, "main", "before", map[string]string{
		"platform/x/kustomization.yaml": "resources: [c.yaml]\n",
		"platform/x/c.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndat: {}\n",
	})
	if got := w.findings(t, "", "main"); len(got) != 1 ||
		!strings.Contains(got[0], `platform/x/c.yaml:2 refused schema: ConfigMap c: unknown field "dat"`) {
		t.Errorf("got %v", got)
	}
}
