package check_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

func chartOf(version string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: loki, namespace: argocd}\n" +
		"spec: {project: p, destination: {namespace: m}, source: {repoURL: https://charts.example, chart: loki, targetRevision: \"" +
		version + "\"}}\n"
}

// A chart gets no further in an environment than in those before it, whichever way the
// version gets there; the rules are those of the base.
func TestUpgradesGoInOrder(t *testing.T) {
	t.Parallel()
	const base, dev, prod = "clusters/base/loki.yaml", "clusters/dev/kustomization.yaml", "clusters/prod/kustomization.yaml"
	patch := func(version string) string {
		return "resources: [../base]\npatches:\n  - target: {kind: Application, name: loki}\n    patch: |\n" +
			"      - {op: replace, path: /spec/source/targetRevision, value: " + version + "}\n"
	}
	before := map[string]string{
		base: chartOf("6.9.0"), "clusters/base/kustomization.yaml": "resources: [loki.yaml]\n",
		dev: "resources: [../base]\n", prod: "resources: [../base]\n",
	}
	waived := func(extra string) map[string]string {
		return map[string]string{"waybill.yaml": configrepotest.Config("demo-api") + "manifests:\n" + extra}
	}
	const ahead = "versions: Application argocd/loki: prod has loki 6.10.0, and dev, which comes before, has 6.9.0"
	template := newWorld(t)
	template.Write(t, "main", "clusters", before)
	for what, test := range map[string]struct {
		main, change map[string]string
		want         string // part of a finding of the rule; empty where there is none
	}{
		"all at once": {nil, map[string]string{base: chartOf("6.10.0")}, ""},
		"dev first":   {nil, map[string]string{dev: patch("6.10.0")}, ""},
		"prod first":  {nil, map[string]string{prod: patch("6.10.0")}, ahead},
		"prod after dev": {
			map[string]string{dev: patch("6.10.0")}, map[string]string{prod: patch("6.10.0")}, "",
		},
		"dev goes back": {
			map[string]string{base: chartOf("6.10.0")}, map[string]string{dev: patch("6.9.0")}, ahead,
		},
		"a range in prod": {nil, map[string]string{prod: patch(`"6.*"`)}, "prod names no exact version of loki"},
		"one more, in a file": {
			nil, map[string]string{"clusters/prod/more/loki.yaml": strings.ReplaceAll(chartOf("6.10.0"), "name: loki", "name: other")},
			"Application argocd/other: prod has loki 6.10.0",
		},
		"dev has it no longer": {nil, map[string]string{dev: "resources: []\n", prod: patch("6.10.0")}, ahead},
		"it was so": {
			map[string]string{prod: patch("6.10.0")}, map[string]string{prod: patch("6.10.0") + "# more\n"}, "",
		},
		"off": {waived("  rules: {versions: off}\n"), map[string]string{prod: patch("6.10.0")}, ""},
		"off in the change": {
			nil, configrepotest.With(map[string]string{prod: patch("6.10.0")}, waived("  rules: {versions: off}\n")), ahead,
		},
		"a waiver in the base": {
			waived("  waivers: [{policy: versions, env: prod, object: 'Application*', reason: dev is being rebuilt, expires: 2099-01-01}]\n"),
			map[string]string{prod: patch("6.10.0")}, "",
		},
		"a waiver for dev": {
			waived("  waivers: [{policy: versions, env: dev, reason: dev is being rebuilt, expires: 2099-01-01}]\n"),
			map[string]string{prod: patch("6.10.0")}, ahead,
		},
		"a waiver of the change": {
			nil, configrepotest.With(
				map[string]string{prod: patch("6.10.0")},
				waived("  waivers: [{policy: versions, reason: trust me, expires: 2099-01-01}]\n"),
			), ahead,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.main != nil {
				w.Write(t, "main", "before", test.main)
			}
			w.Write(t, "change", "the change", configrepotest.With(configrepotest.With(before, test.main), test.change))
			result, err := w.checker().Run(t.Context(), "main", "change")
			if err != nil {
				t.Fatal(err)
			}
			found := ""
			for _, f := range ruled(result.Findings) {
				if strings.Contains(f, " versions: ") {
					found += f + "\n"
				}
			}
			if test.want == "" && found != "" || !strings.Contains(found, test.want) {
				t.Errorf("got %q, want %q", found, test.want)
			}
		})
	}
}

// As it stands, everything that is ahead is said, with the environment.
func TestUpgradesAsTheyStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(t, "main", "clusters", map[string]string{
		"clusters/dev/loki.yaml": chartOf("6.9.0"), "clusters/staging/loki.yaml": chartOf("6.11.0"),
	})
	got := strings.Join(w.findings(t, "", "main"), "\n")
	if !strings.Contains(got, "clusters/staging/loki.yaml") ||
		!strings.Contains(got, "staging has loki 6.11.0, and dev, which comes before, has 6.9.0") {
		t.Errorf("got %s", got)
	}
}
