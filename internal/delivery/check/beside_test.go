package check_test

import (
	"maps"
	"strings"
	"testing"
)

// What a deployer reads beside manifests decides what it deploys, whatever the file
// is called and however the deployer names it.
func TestWhatDeployersReadBesideManifests(t *testing.T) {
	t.Parallel()
	application := func(source string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: {repoURL: r, path: charts/x, helm: " +
			source + "}}\n"
	}
	const byFile = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\nspec: {generators: [{git: {files: " +
		"[{path: %}]}}], template: {spec: {source: {path: '{{p}}'}}}}\n"
	const at, list = "clusters/prod/a.yaml", "clusters/prod/kustomization.yaml"
	template := newWorld(t)
	template.Write(t, "main", "a chart", map[string]string{
		"charts/x/Chart.yaml": "apiVersion: v2\nname: x\nversion: 1.0.0\n", "charts/x/values.yaml": "image: a\n",
	})
	for what, test := range map[string]struct {
		main map[string]string
		file string // which changes
		want string // who reads it; empty if nobody does
	}{
		"values":                 {map[string]string{at: application("{valueFiles: [../../docs/v.yaml]}")}, "docs/v.yaml", "Application a"},
		"values of another name": {map[string]string{at: application("{valueFiles: [../../docs/v.md]}")}, "docs/v.md", "Application a"},
		"values from the top":    {map[string]string{at: application("{valueFiles: [/docs/v.yaml]}")}, "docs/v.yaml", "Application a"},
		"values of a source":     {map[string]string{at: application("{valueFiles: [$v/docs/v.yaml]}")}, "docs/v.yaml", "Application a"},
		"a parameter's file": {
			map[string]string{at: application("{fileParameters: [{name: image, path: ../../docs/v.md}]}")}, "docs/v.md", "Application a",
		},
		"other values": {map[string]string{at: application("{valueFiles: [../../docs/v.yaml]}")}, "docs/more/w.yaml", ""},
		"a generator's file at the top": {
			map[string]string{at: strings.Replace(byFile, "%", "v.json", 1)}, "v.json", "ApplicationSet s",
		},
		"a generator's file, by two sets of one name": {
			map[string]string{
				at: strings.Replace(byFile, "%", "v.json", 1), "clusters/prod/again.yaml": strings.Replace(byFile, "%", "v.json", 1),
			},
			"v.json", "ApplicationSet s",
		},
		"a generator's file, by a set that a kustomization lists": {
			map[string]string{"clusters/prod/s.txt": strings.Replace(byFile, "%", "docs/*.md", 1), list: "resources: [s.txt]\n"},
			"docs/v.md", "ApplicationSet s",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			files := maps.Clone(test.main)
			files[test.file] = "image: b\n"
			w.Write(t, "main", "before", files)
			w.Write(t, "change", "the change", map[string]string{test.file: "image: c\n"})
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			want := test.file + " changes, from which " + test.want + " makes what it deploys, and no place has it"
			if test.want == "" && got != "" || test.want != "" && strings.Count(got, `change: "`+want) != 1 {
				t.Errorf("got %s\nwant %s once", got, want)
			}
		})
	}
}

// A directory with a kustomization is deployed as that says. A new one takes away
// what stood there as it was, unless it has all of it.
func TestNewKustomizationsLeaveNothingOut(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	template.Write(t, "main", "a policy", map[string]string{"platform/admission/p.yaml": admission("hardened", "true", "no")})
	const leaves = " is new, and leaves out what stands in its directory, such as ValidatingAdmissionPolicy hardened of " +
		"platform/admission/p.yaml"
	for what, test := range map[string]struct{ file, text, want string }{
		"beside it":      {"platform/admission/kustomization.yml", "resources: []\n", leaves},
		"above it":       {"platform/kustomization.yaml", "resources: []\n", leaves},
		"at the top":     {"kustomization.yaml", "resources: []\n", leaves},
		"as other words": {"platform/admission/Kustomization", "configMapGenerator: [{name: c, files: [p.yaml]}]\n", leaves},
		"with all of it": {"platform/admission/kustomization.yaml", "resources: [p.yaml]\n", ""},
		"above another":  {"platform/other/kustomization.yaml", "resources: []\n", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "change", "the change", map[string]string{test.file: test.text})
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if strings.Contains(got, " is new, and leaves out ") != (test.want != "") || !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s%s", got, test.file, test.want)
			}
		})
	}
}
