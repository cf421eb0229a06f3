package check_test

import (
	"slices"
	"strings"
	"testing"
)

// A chart that no application has is judged by what it makes, as the Applications of
// the repository deploy it.
func TestChartsOfNoApplication(t *testing.T) {
	t.Parallel()
	const (
		evil        = "ghcr.io/attacker/x@sha256:1111111111111111111111111111111111111111111111111111111111111111"
		alone       = "platform/x is a chart that no application has, and changes: it is judged with its own values alone"
		application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: NAME}\nspec:\n  source:\n" +
			"    repoURL: https://github.com/acme/config\n    targetRevision: main\n    path: platform/x\n    helm: HELM\n"
		configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
	)
	deployed := func(helm string) string {
		return strings.NewReplacer("NAME", "x", "HELM", helm).Replace(application)
	}
	pod := func(image string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: x, image: \"" + image + "\"}]}\n"
	}
	template := newWorld(t)
	template.Write(t, "main", "a chart", map[string]string{
		"platform/x/Chart.yaml": "apiVersion: v2\nname: x\nversion: 0.1.0\n", "platform/x/values.yaml": "enabled: false\n",
		"platform/x/templates/x.yaml": configMap,
	})
	for what, test := range map[string]struct {
		app    string // that deploys it, before the change
		change map[string]string
		want   []string // in the findings; none for a change that passes
	}{
		"nothing that matters": {
			deployed("{valuesObject: {enabled: true}}"),
			map[string]string{"platform/x/templates/x.yaml": configMap + "data: {a: b}\n"}, nil,
		},
		"nobody deploys it": {"", map[string]string{"platform/x/templates/x.yaml": configMap + "data: {a: b}\n"}, []string{alone}},
		"parameters": {
			deployed("{parameters: [{name: on, value: \"true\"}]}"), map[string]string{"platform/x/README.md": "x\n"},
			[]string{alone},
		},
		"values from elsewhere": {deployed("{valueFiles: [$values/x.yaml]}"), map[string]string{
			"platform/x/README.md": "x\n",
		}, []string{alone}},
		"an image": {deployed("{}"), map[string]string{"platform/x/templates/y.yaml": pod(evil)}, []string{"ghcr.io/attacker/x"}},
		"an image that the values bring": {deployed("{valuesObject: {enabled: true}}"), map[string]string{
			"platform/x/templates/y.yaml": "{{ if .Values.enabled }}\n" + pod("{{ .Values.registry }}/attacker/x@{{ "+
				".Values.digest }}") + "{{ end }}\n",
			"platform/x/values.yaml": "enabled: false\nregistry: ghcr.io\ndigest: " + evil[strings.Index(evil, "@")+1:] + "\n",
		}, []string{"ghcr.io/attacker/x"}},
		"an image that a file of values brings": {deployed("{valueFiles: [prod.yaml]}"), map[string]string{
			"platform/x/templates/y.yaml": "{{ with .Values.image }}\n" + pod("{{ . }}") + "{{ end }}\n",
			"platform/x/prod.yaml":        "image: " + evil + "\n",
		}, []string{"ghcr.io/attacker/x"}},
		"an image in a part": {deployed("{}"), map[string]string{
			"platform/x/charts/y/Chart.yaml":       "apiVersion: v2\nname: y\nversion: 0.1.0\n",
			"platform/x/charts/y/templates/y.yaml": pod(evil),
		}, []string{"ghcr.io/attacker/x"}},
		"values with a kind": {deployed("{}"), map[string]string{"platform/x/values.yaml": "kind: Deployment\nreplicas: 1\n"}, nil},
		"a tag": {
			deployed("{}"), map[string]string{"platform/x/templates/y.yaml": pod("busybox:latest")}, []string{"names no digest"},
		},
		"a field that there is not": {deployed("{}"), map[string]string{"platform/x/templates/x.yaml": configMap + "datum: {a: b}\n"},
			[]string{"datum"}},
		"apps of apps": {deployed("{}"), map[string]string{
			"platform/x/templates/y.yaml": strings.NewReplacer(
				"NAME", "{{ .Release.Name }}-more", "HELM", "{}", "platform/x", "elsewhere",
			).Replace(application),
		}, []string{"Application x-more of platform/x is new"}},
		"what asks the cluster": {deployed("{}"), map[string]string{
			"platform/x/templates/x.yaml": configMap + "{{ if .Capabilities.APIVersions.Has \"x\" }}\ndata: {a: b}\n{{ end }}\n",
		}, []string{"platform/x/templates/x.yaml newly asks who renders it (.Capabilities)"}},
		"what does not render": {deployed("{}"), map[string]string{"platform/x/templates/x.yaml": "{{ fail \"no\" }}\n"},
			[]string{"platform/x is a chart that no application has, and changes: nothing of it is judged"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.app != "" {
				w.Write(t, "main", "deploy it", map[string]string{"clusters/prod/x.yaml": test.app})
			}
			w.Write(t, "change", "change", test.change)
			got := w.findings(t, "main", "change")
			for _, want := range test.want {
				if !slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, want) }) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
