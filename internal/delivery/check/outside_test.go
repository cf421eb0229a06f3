package check_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// What no overlay renders is rendered all the same, and deployers that
// override an overlay are held to the same list.
func TestImagesOutsideOfOverlays(t *testing.T) {
	t.Parallel()
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"" + foreign + "\"}]}\n"
	app := func(source string) map[string]string {
		return map[string]string{
			"clusters/prod/a.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: " +
				"{path: apps/demo-api/overlays/prod, " + source + "}}\n",
		}
	}
	const runs = "the manifest runs ghcr.io/attacker/x@sha256:"
	const wrap = "apps/demo-api/overlays/prod-eu/kustomization.yaml"
	template := newWorld(t)
	for what, test := range map[string]struct {
		change map[string]string
		want   string
	}{
		"another suffix": {
			map[string]string{"platform/x/kustomization.yaml": "resources: [q.txt]\n", "platform/x/q.txt": pod}, runs,
		},
		"a patch of a sibling": {
			map[string]string{
				wrap: "resources: [../../base]\npatches:\n- target: {kind: Deployment}\n  patch: |\n    - {op: replace, path: " +
					"/spec/template/spec/containers/0/image, value: \"" + foreign + "\"}\n",
			},
			runs,
		},
		"a manifest among the workflows": {map[string]string{".github/deploy/x.yaml": pod}, runs},
		"a workflow": {
			map[string]string{".github/workflows/x.yml": "on: push\njobs: {a: {container: {image: \"" + demo(3).String() + "\"}}}\n"}, "",
		},
		"a remote base": {
			map[string]string{"platform/x/kustomization.yaml": "resources: [\"https://example.com/x\"]\n"},
			"nothing of it can be judged",
		},
		"a chart by Kustomize": {
			map[string]string{"platform/x/kustomization.yaml": "helmCharts: [{name: x}]\n"}, "nothing of it can be judged",
		},
		"a wrapper of overlays": {
			map[string]string{"clusters/prod/kustomization.yaml": "resources: [../../apps/demo-api/overlays/prod]\n"}, "",
		},
		"images of Argo CD": {app("kustomize: {images: [\"demo-api=" + foreign + "\"]}"), runs},
		"a tag of Argo CD":  {app("kustomize: {images: [\"demo-api=busybox:1\"]}"), "names no digest"},
		"a patch of Argo CD": {
			app("kustomize: {patches: [{patch: '[{op: replace, path: /spec/image, value: \"" + foreign + "\"}]'}]}"), runs,
		},
		"values of Argo CD": {app("helm: {values: 'sidecar: {image: \"" + foreign + "\"}'}"), runs},
		"a parameter of Argo CD": {
			app("helm: {parameters: [{name: image.repository, value: ghcr.io/attacker/x}]}"),
			"the manifest runs ghcr.io/attacker/x",
		},
		"a patch of Flux": {
			map[string]string{
				"clusters/prod/f.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: " +
					"f}\nspec: {path: x, patches: [{patch: 'spec: {image: \"" + foreign + "\"}'}]}\n",
			},
			runs,
		},
		"values of a registry apart": {
			map[string]string{
				"platform/x/values.yaml": "global: {imageRegistry: ghcr.io}\nserver: {image: {repository: acme/demo-api, tag: v1, " +
					"digest: \"" + demo(3).Digest() + "\"}}\n",
			},
			"the manifest runs ghcr.io/acme/demo-api@",
		},
		"a registry apart in Argo CD": {
			app(
				"helm: {valuesObject: {global: {imageRegistry: ghcr.io}, image: {repository: acme/demo-api, digest: '" + demo(3).Digest() + "'}}}",
			),
			"the manifest runs ghcr.io/acme/demo-api@",
		},
		"a registry of its own": {
			map[string]string{
				"platform/x/values.yaml": "global: {imageRegistry: ghcr.io}\nimage: {registry: quay.io, repository: acme/demo-api, " +
					"tag: v1}\n",
			},
			"",
		},
		"manifests in values": {
			map[string]string{
				"platform/x/values.yaml": "extraManifests: |\n  a: b\n  ---\n  spec: {image: \"" + demo(3).String() + "\"}\n",
			},
			"the manifest runs " + demo(3).String(),
		},
		"manifests in a list of texts": {
			map[string]string{
				"platform/x/values.yaml": "extraObjects:\n  - |\n    kind: Pod\n    spec: {image: \"" + demo(3).String() + "\"}\n",
			},
			"the manifest runs " + demo(3).String(),
		},
		"text that is none": {map[string]string{"platform/x/values.yaml": "script: |\n  echo image: x\n  {{ y }}\n"}, ""},
		"a file of overrides": {
			map[string]string{
				"apps/demo-api/overlays/prod/.argocd-source-a.yaml": "kustomize:\n  images: [\"demo-api=" + foreign + "\"]\n",
			},
			runs,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %q", got, test.want)
			}
		})
	}
}

// A chart that asks who renders it makes a note, and one that newly does is
// refused: it could show one image here and run another one.
func TestChartsThatAskWhoRendersThem(t *testing.T) {
	t.Parallel()
	chart := "apps/demo-api/chart/"
	w := newWorld(t)
	note := func(branch, template string) []string {
		w.Write(t, branch, "the change", map[string]string{
			chart + "Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n", chart + "templates/x.yaml": template,
		})
		result, err := w.checker().Run(t.Context(), "main", branch)
		if err != nil {
			t.Fatal(err)
		}
		var notes []string
		for _, n := range result.Notes {
			if n.Rule == check.RuleChart {
				notes = append(notes, n.File+": "+n.Message)
			}
		}
		return notes
	}
	got := note(
		"change",
		"a: {{ now | date \"2006\" }}{{ lookup \"v1\" \"Secret\" \"a\" \"b\" }}{{ if .Release.IsUpgrade }}{{ end }}{{ "+
			".Capabilities.APIVersions }}{{ randAlpha 4 }}\n",
	)
	if len(got) != 1 || !strings.Contains(
		got[0],
		chart+"templates/x.yaml: the chart asks who renders it (x.yaml: now, lookup, .Release.IsUpgrade, .Capabilities, randAlpha)",
	) {
		t.Errorf("got %q", got)
	}
	for what, file := range map[string]string{
		"templates": chart + "templates/x.yaml", "values": "apps/demo-api/overlays/prod/values.yaml",
	} {
		w.Write(t, "asks-"+what, "the change", map[string]string{file: "image: '{{ if .Capabilities.APIVersions }}{{ else }}x{{ end }}'\n"})
		if got := strings.Join(
			w.findings(t, "main", "asks-"+what), "\n",
		); !strings.Contains(got, file+" newly asks who renders it (.Capabilities)") {
			t.Errorf("%s: got %s", what, got)
		}
	}
	common := strings.Replace(
		configrepotest.Config("demo-api"), "source: acme/demo-api}",
		"source: acme/demo-api, helm: {values: [apps/demo-api/common.yaml]}}", 1,
	)
	w.Write(t, "main", "values before the overlay's", map[string]string{"waybill.yaml": common})
	w.Write(
		t, "asks-common", "the change",
		map[string]string{"apps/demo-api/common.yaml": "image: '{{ if .Capabilities.APIVersions }}{{ else }}x{{ end }}'\n"},
	)
	if got := strings.Join(w.findings(t, "main", "asks-common"), "\n"); !strings.Contains(
		got, "apps/demo-api/common.yaml newly asks who renders it (.Capabilities)",
	) {
		t.Errorf("values of several: got %s", got)
	}
	if got := strings.Join(w.findings(t, "main", "change"), "\n"); !strings.Contains(
		got, "newly asks who renders it (now, lookup, .Release.IsUpgrade, .Capabilities, randAlpha)",
	) {
		t.Errorf("got %s", got)
	}
	if got := note("steady", "a: now {{ .Values.x | default \"now\" }}\n"); len(got) != 0 {
		t.Errorf("a steady chart: %q", got)
	}
}

// Where Kubernetes' readers and a parser of YAML part a file differently, something
// would be deployed that nobody judged.
func TestDocumentsArePartedAsKubernetesDoes(t *testing.T) {
	t.Parallel()
	const first, unread = `{"apiVersion": "v1", "kind": "ConfigMap"}`, "platform/x.yaml cannot be read, so nothing of it is judged"
	second := `{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "` + foreign + `"}]}}`
	runs := "the manifest runs " + foreign
	template := newWorld(t)
	for what, test := range map[string]struct{ text, want string }{
		"a line of dashes":                  {first + "\n---\n" + second + "\n", runs},
		"dashes with a comment":             {first + "\n--- # more\n" + second + "\n", runs},
		"dashes with line ends of Windows":  {first + "\r\n---\r\n" + second + "\r\n", runs},
		"a byte order mark":                 {first + "\n---\n\ufeff" + second + "\n", runs},
		"JSON after JSON":                   {first + "\n" + second + "\n", "did not find expected <document start>"},
		"the end of a document":             {first + "\n...\n" + second + "\n", "did not find expected <document start>"},
		"dashes after another line end":     {first + "\r---\r" + second + "\n", unread},
		"dashes that begin a literal":       {first + "\n--- |\n " + second + "\n", unread},
		"dashes that begin a folded text":   {first + "\n--- >\n " + second + "\n", unread},
		"dashes that begin a quotation":     {first + "\n--- '\n" + second + "\n# '\n", unread},
		"dashes that begin with an anchor":  {first + "\n--- &a\n" + second + "\n", unread},
		"dashes that begin with a property": {first + "\n--- !!map\n" + second + "\n", unread},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "change", "the change", map[string]string{"platform/x.yaml": test.text})
			if got := strings.Join(w.findings(t, "main", "change"), "\n"); !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}
