package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

var foreign = "ghcr.io/attacker/x@sha256:" + strings.Repeat("e", 64)

const notAllowed = "refused digest: the rendered manifests run ghcr.io/attacker/x@sha256:"

// with is prod's overlay as it is, with a manifest or a field more.
func with(more string) string { return at(2) + more }

func resource(text string) map[string]string {
	return map[string]string{
		"apps/demo-api/overlays/prod/more.yaml": text,
		prod:                                    strings.Replace(at(2), "resources:\n", "resources:\n  - more.yaml\n", 1),
	}
}

func pod(image string) string {
	return "{containers: [{name: c, image: \"" + image + "\"}]}"
}

// Every way in which a manifest can be made to run an image.
func TestEveryImageIsJudged(t *testing.T) {
	t.Parallel()
	head := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
	custom := func(kind, spec string) map[string]string {
		return resource("apiVersion: x.example/v1\nkind: " + kind + "\nmetadata: {name: p}\nspec: " + spec + "\n")
	}
	template := newWorld(t)
	for what, test := range map[string]struct {
		change map[string]string
		field  string
	}{
		"patch": {
			map[string]string{
				prod: with(
					"patches:\n- target: {kind: Deployment}\n  patch: |\n    - {op: replace, path: " +
						"/spec/template/spec/containers/0/image, value: \"" + foreign + "\"}\n",
				),
			},
			"Deployment demo-api, spec.template.spec.containers[demo-api].image",
		},
		"strategic merge": {
			map[string]string{
				prod: with(
					"patches:\n- patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: demo-api}, spec: {template: " +
						"{spec: {initContainers: [{name: i, image: \"" + foreign + "\"}]}}}}'\n",
				),
			},
			"spec.template.spec.initContainers[i].image",
		},
		"replacement": {
			map[string]string{
				"apps/demo-api/overlays/prod/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, " +
					"annotations: {i: \"" + foreign + "\"}}\n",
				prod: strings.Replace(
					at(2), "resources:\n", "resources:\n  - more.yaml\n", 1,
				) + "replacements:\n- source: {kind: ConfigMap, fieldPath: metadata.annotations.i}\n  targets: [{select: {kind: " +
					"Deployment}, fieldPaths: [spec.template.spec.containers.0.image]}]\n",
			},
			"",
		},
		"component": {
			map[string]string{
				"c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [p.yaml]\n",
				"c/p.yaml":             head + "spec: " + pod(foreign) + "\n", prod: with("components: [../../../../c]\n"),
			},
			"Pod p, spec.containers[c].image",
		},
		"second entry": {
			map[string]string{
				deployment: configrepotest.Deployment("demo-api", "demo-api") + "        - {name: s, image: s}\n",
				prod:       with("  - {name: s, newName: ghcr.io/attacker/x, digest: \"sha256:" + strings.Repeat("e", 64) + "\"}\n"),
				dev:        at(3) + "  - {name: s, newName: ghcr.io/acme/demo-api, digest: \"" + demo(3).Digest() + "\"}\n",
				staging:    at(3) + "  - {name: s, newName: ghcr.io/acme/demo-api, digest: \"" + demo(3).Digest() + "\"}\n",
			},
			"spec.template.spec.containers[s].image",
		},
		"second workload": {
			resource(
				"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: p}\nspec: {schedule: '* * * * *', jobTemplate: {spec: " +
					"{template: {spec: " + pod(foreign) + "}}}}\n",
			),
			"spec.jobTemplate.spec.template.spec.containers[c].image",
		},
		"ephemeral container": {
			resource(head + "spec: {ephemeralContainers: [{name: e, image: \"" + foreign + "\"}]}\n"),
			"spec.ephemeralContainers[e].image",
		},
		"image volume": {
			resource(head + "spec: {volumes: [{name: v, image: {reference: \"" + foreign + "\"}}]}\n"),
			"spec.volumes[v].image.reference",
		},
		"list": {
			resource("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: " + pod(foreign) + "}]\n"),
			"Pod p, spec.containers[c].image",
		},
		"with a tag too": {
			resource(head + "spec: " + pod(strings.Replace(foreign, "@", ":v1@", 1)) + "\n"), "spec.containers[c].image",
		},
		"upper case digest": {
			resource(head + "spec: " + pod("ghcr.io/attacker/x@sha256:"+strings.Repeat("E", 64)) + "\n"),
			"cannot be read as an image",
		},
		"argo workflow": {
			custom("Workflow", "{templates: [{name: a, container: {image: \""+foreign+"\"}}]}"),
			"spec.templates[a].container.image",
		},
		"argo script": {
			custom("CronWorkflow", "{workflowSpec: {templates: [{name: a, script: {image: \""+foreign+"\"}}]}}"),
			"spec.workflowSpec.templates[a].script.image",
		},
		"tekton": {custom("Task", "{steps: [{name: a, image: \""+foreign+"\"}], sidecars: []}"), "spec.steps[a].image"},
		"spark":  {custom("SparkApplication", "{driver: {image: \""+foreign+"\"}}"), "spec.driver.image"},
		"scaled job": {
			custom("ScaledJob", "{jobTargetRef: {template: {spec: "+pod(foreign)+"}}}"),
			"spec.jobTargetRef.template.spec.containers[c].image",
		},
		"named like an image": {custom("Mesh", "{proxyImage: \""+foreign+"\"}"), "spec.proxyImage"},
		"by name":             {custom("Cluster", "{imageName: \""+foreign+"\"}"), "spec.imageName"},
		"in an argument":      {custom("Mesh", "{args: [\"--image="+foreign+"\"]}"), "spec.args[0]"},
		"a package":           {custom("Provider", "{package: \""+foreign+"\"}"), "spec.package"},
		"in a variable": {
			resource(
				head + "spec: {containers: [{name: c, image: \"ghcr.io/acme/demo-api@" + demo(2).Digest() + "\", env: [{name: " +
					"RELATED_IMAGE_X, value: \"" + foreign + "\"}]}]}\n",
			),
			"spec.containers[c].env[RELATED_IMAGE_X].value",
		},
		"in parts": {
			custom("Mesh", "{proxy: {image: {registry: ghcr.io, repository: attacker/x, digest: \"sha256:"+strings.Repeat("e", 64)+"\"}}}"),
			"spec.proxy.image",
		},
		"a list of images": {custom("Mesh", "{images: [\"proxy="+foreign+"\"]}"), "spec.images[0]"},
		"anywhere else":    {custom("Mesh", "{args: [\"a\"], wasm: \"oci://"+foreign+"\"}"), "spec.wasm"},
		"same names": {
			custom(
				"Mesh",
				"{steps: [{name: a, image: \"ghcr.io/acme/demo-api@"+demo(2).Digest()+"\"}, {name: a, image: \""+foreign+"\"}]}",
			),
			"spec.steps[1].image",
		},
		"odd names": {
			custom(
				"Mesh",
				"{steps: [{name: 'x].image', image: \"ghcr.io/acme/demo-api@"+demo(2).Digest()+"\"}, {name: 'y', image: \""+foreign+"\"}]}",
			),
			".image",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "change", "the change", test.change)
			got := w.findings(t, "main", "change")
			if len(got) != 1 || !strings.Contains(strings.ToLower(got[0]), notAllowed) || !strings.Contains(got[0], test.field) {
				t.Errorf("got %s\nwant one that names %s", strings.Join(got, "\n"), test.field)
			}
		})
	}
}

// What only the cluster decides, or a tag, cannot be verified.
func TestImagesThatNameNoDigest(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	for text, want := range map[string]string{
		"{{inputs.parameters.image}}": "which a variable of the cluster decides",
		"$(params.image)":             "which a variable of the cluster decides",
		"busybox":                     "which names no digest", "ghcr.io/acme/demo-api:v9": "which names no digest",
		"ghcr.io/attacker/x": "which names no digest",
	} {
		w := template.copy(t)
		w.Write(
			t, "change", "the change",
			resource(
				"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: p}\nspec: {templates: [{name: a, container: "+
					"{image: \""+text+"\"}}]}\n",
			),
		)
		if got := w.findings(t, "main", "change"); len(got) != 1 ||
			!strings.Contains(got[0], text+" (Workflow p, spec.templates[a].container.image), "+want) {
			t.Errorf("%s: got %s", text, strings.Join(got, "\n"))
		}
	}
}

// Names that would write to a terminal, or into a log, are spelled out.
func TestNamesInFindingsAreSpelledOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(
		t, "change", "the change",
		resource("apiVersion: v1\nkind: Pod\nmetadata: {name: \"p\\n::error::x\"}\nspec: {containers: [{name: c, image: "+
			"\"x\\e[2K\\r:1\"}]}\n"),
	)
	if got := w.findings(t, "main", "change"); len(got) != 1 ||
		!strings.Contains(got[0], `x\x1b[2K\r:1 (Pod p\n::error::x, spec.containers[c].image), which names no digest`) {
		t.Errorf("got %q", got)
	}
}

// What is called an image and is none, and what the configuration says of it.
func TestFieldsThatHoldNoImage(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	config := configrepotest.Config("demo-api")
	images := func(text string) string {
		return strings.Replace(config, "policy:\n", "policy:\n  images: {"+text+"}\n", 1)
	}
	kind := func(spec string) map[string]string {
		return resource("apiVersion: x.example/v1\nkind: Mesh\nmetadata: {name: p}\nspec: " + spec + "\n")
	}
	for what, test := range map[string]struct {
		config string
		change map[string]string
		want   string
	}{
		"an address": {
			config, kind("{image: 'https://example.com/logo.png', backgroundImage: 'logo', bootImage: ''}"), "",
		},
		"text of a config map": {
			config, resource("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\ndata: {image: busybox}\n"), "",
		},
		"a schema": {
			config,
			resource("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: p}\nspec: {versions: " +
				"[{schema: {openAPIV3Schema: {type: object, properties: {image: {type: string, default: busybox}}}}}]}\n"),
			"",
		},
		"a machine's, and not ignored": {config, kind("{image: ami-0abc}"), "ami-0abc (Mesh p, spec.image), which names no digest"},
		"a machine's, ignored":         {images("ignore: ['Mesh:spec.image']"), kind("{image: ami-0abc}"), ""},
		"ignored of another kind":      {images("ignore: ['Node:spec.image']"), kind("{image: ami-0abc}"), "names no digest"},
		"a field of another name": {
			images("fields: ['*:spec.runners[].use']"), kind("{runners: [{use: 'ghcr.io/attacker/x:v1'}]}"),
			"ghcr.io/attacker/x:v1 (Mesh p, spec.runners[0].use), which names no digest",
		},
		"allowed, by digest": {images("allow: ['ghcr.io/attacker/*']"), kind("{image: '" + foreign + "'}"), ""},
		"allowed below": {
			images("allow: ['ghcr.io/**']"), kind("{image: 'ghcr.io/a/b/c@sha256:" + strings.Repeat("e", 64) + "'}"), "",
		},
		"allowed, but not below": {images("allow: ['ghcr.io/*']"), kind("{image: '" + foreign + "'}"), "not allowed"},
		"allowed as a part":      {images("allow: ['attacker/x', 'ghcr.io/attacker']"), kind("{image: '" + foreign + "'}"), "not allowed"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.config != config {
				w.Write(t, "main", "before", map[string]string{"waybill.yaml": test.config})
			}
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

// A change cannot allow for itself, nor say of its own field that it is no image.
func TestAllowingIsTheBases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change := resource("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(foreign) + "\n")
	change["waybill.yaml"] = strings.Replace(
		configrepotest.Config("demo-api"), "policy:\n",
		"policy:\n  images: {allow: ['**'], ignore: ['Pod:spec.containers[].image']}\n", 1,
	)
	w.Write(t, "change", "the change", change)
	if got := strings.Join(w.findings(t, "main", "change"), "\n"); !strings.Contains(got, notAllowed) {
		t.Errorf("got %s", got)
	}
}

// An application's own repository obeys order, soak and freeze wherever it
// stands: beside the overlay's digest, and in another application's overlay.
func TestAnApplicationsImageBesideTheOverlay(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	files := map[string]string{}
	for name, text := range configrepotest.Files("demo-web") {
		files[name] = text
	}
	files["waybill.yaml"] = configrepotest.Config("demo-api", "demo-web")
	template.Write(t, "main", "a second application", files)
	web := func(env string, n int) map[string]string {
		return map[string]string{configrepotest.Overlay("demo-web", env): configrepotest.OverlayText(
			"demo-web", configrepotest.Placeholder,
		) +
			"patches:\n- patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: demo-web}, spec: {template: {spec: " +
			"{initContainers: [{name: i, image: \"" + demo(n).String() + "\"}]}}}}'\n"}
	}
	for what, test := range map[string]struct {
		world  func(*world)
		change map[string]string
		want   string
	}{
		"in its own overlay": {
			nil, resource("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(demo(4).String()) + "\n"),
			"refused order: " + demo(4).Short() + ": has not run in staging",
		},
		"in its own overlay, soaking": {
			func(w *world) { w.Clock.Pass(-time.Hour) },
			resource("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(demo(3).String()) + "\n"), "pending soak",
		},
		"in its own overlay, where it is": {
			nil, resource("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(demo(2).String()) + "\n"), "",
		},
		"in another's, not in the order":  {nil, web("prod", 4), "refused order: " + demo(4).Short() + ": has not run in staging"},
		"in another's, in the order":      {nil, web("prod", 3), ""},
		"in another's, first environment": {nil, web("dev", 4), ""},
		"in another's, unsigned": {func(w *world) { i := image(4); i.Without = []evidence.Kind{evidence.Signature}; w.images.Push(i) },
			web("dev", 4), "refused signature"},
		"in a manifest of the platform": {
			nil,
			map[string]string{"platform/x/p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(demo(2).String()) + "\n"},
			"an application's image outside of the application's overlays",
		},
		"a foreign one of the platform": {
			nil,
			map[string]string{"platform/x/p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(foreign) + "\n"},
			"platform/x/p.yaml refused digest: no application of waybill.yaml renders this file: the manifest runs ghcr.io/attacker/x",
		},
		"a tag of the platform": {
			nil,
			map[string]string{"clusters/prod/p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod("busybox:1") + "\n"},
			"which names no digest",
		},
		"a kustomization that nobody names": {
			nil,
			map[string]string{"clusters/prod/kustomization.yaml": "images: [{name: x, newName: ghcr.io/attacker/x, newTag: v1}]\n"},
			"which names no digest",
		},
		"one that says what it is": {
			nil,
			map[string]string{
				"clusters/prod/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages: " +
					"[{name: x, newName: ghcr.io/attacker/x, newTag: v1}]\n",
			},
			"which names no digest",
		},
		"values of an application": {
			nil,
			map[string]string{
				"clusters/prod/a.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: " +
					"{helm: {valuesObject: {image: {repository: x, tag: v1}}}}}\n",
			},
			"Application a of clusters/prod/a.yaml is new: spec.source.helm.valuesObject.image.repository is x",
		},
		"its images": {
			nil,
			map[string]string{
				"clusters/prod/a.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: " +
					"{kustomize: {images: [\"" + demo(2).String() + "\"]}}}\n",
			},
			"an application's image outside of the application's overlays",
		},
		"a file that is no manifest": {
			nil,
			map[string]string{
				"platform/x/values.yaml": "image: {repository: x, tag: v1}\n", "compose.yml": "services: {a: {image: busybox}}\n",
			},
			"",
		},
		"a template of the platform's chart": {
			nil,
			map[string]string{"platform/x/Chart.yaml": "name: x\n", "platform/x/templates/p.yaml": "kind: Pod\nspec: {{ .Values.x }}\n"},
			"platform/x is a chart that no application has, and changes: nothing of it is judged",
		},
		"what cannot be read": {
			nil, map[string]string{"platform/x/p.yaml": "kind: Pod\nspec: {{ .Values.x }}\n"},
			"platform/x/p.yaml cannot be read, so nothing of it is judged",
		},
		"behind what is no manifest": {
			nil,
			map[string]string{
				"platform/x/p.yaml": "a: b\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(foreign) + "\n",
			},
			"the manifest runs ghcr.io/attacker/x",
		},
		"too much to read": {
			nil,
			map[string]string{
				"platform/x/p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: " + pod(foreign) +
					"\n#" + strings.Repeat("x", 9<<20),
			},
			"platform/x/p.yaml cannot be read",
		},
		"a large file": {
			nil, map[string]string{"platform/x/p.yaml": "#" + strings.Repeat("x", 17<<20)},
			"platform/x/p.yaml is too large to be read",
		},
		"a library of Jsonnet": {nil, map[string]string{"platform/x/p.libsonnet": "{}"}, "platform/x/p.libsonnet is Jsonnet"},
		"Jsonnet":              {nil, map[string]string{"platform/x/p.jsonnet": "{}"}, "platform/x/p.jsonnet is Jsonnet"},
		"an application's image in values": {
			nil, map[string]string{"platform/x/values.yaml": "proxy: {image: {repository: ghcr.io/acme/demo-api, tag: v1}}\n"},
			"the manifest runs ghcr.io/acme/demo-api:v1",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.images.Push(evidencetest.Image{App: "demo-web", N: 1, At: w.Clock.Now()})
			if test.world != nil {
				test.world(w)
			}
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}
