package check_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// attack is a change that would have a cluster run what nobody verified.
type attack struct {
	base map[string]string // what the base has beside the files of attacked
	head map[string]string // the change
	want string            // part of the reason
}

// attacked is a repository that every usual deployer reads: Argo CD by directories,
// generators, charts, several sources and a plugin; Flux, with variables.
func attacked() map[string]string {
	const repo = "repoURL: 'https://github.com/acme/config', targetRevision: main"
	app := func(name, source string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\nspec: " + source + "\n"
	}
	set := func(name, generators, at string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: " + name + "}\nspec: {generators: [" + generators +
			"], template: {spec: {source: {" + repo + ", path: '" + at + "'}}}}\n"
	}
	return map[string]string{
		"clusters/prod/root.yaml": app("root", "{source: {"+repo+", path: clusters/prod, directory: {recurse: true, exclude: 'x/*'}}}"),
		"clusters/prod/api.yaml":  app("api", "{source: {"+repo+", path: apps/demo-api/overlays/prod}}"),
		"clusters/prod/extra.yaml": app("extra", "{source: {"+repo+
			", path: extra, directory: {recurse: true, include: '{*.yaml,*.json}', jsonnet: {libs: [vendor]}}}}"),
		"clusters/prod/plugged.yaml": app("plugged", "{source: {"+repo+", path: plugged, plugin: {name: cue}}}"),
		"clusters/prod/web.yaml":     app("web", "{source: {"+repo+", path: charts/web, helm: {valueFiles: [../../values/web.yaml]}}}"),
		"clusters/prod/multi.yaml": app("multi", "{sources: [{repoURL: 'https://charts.example', chart: db, targetRevision: 1.0.0, "+
			"helm: {valueFiles: [$v/values/db.yaml]}}, {"+repo+", ref: v}]}"),
		"clusters/prod/dirs.yaml":  set("dirs", "{git: {directories: [{path: 'tools/*'}]}}", "{{path}}"),
		"clusters/prod/files.yaml": set("files", "{git: {files: [{path: 'config/**/app.json'}]}}", "{{dir}}"),
		"clusters/prod/matrix.yaml": set("matrix", "{matrix: {generators: [{clusters: {}}, {list: {elements: [{dir: tools/a}]}}]}}",
			"{{dir}}"),
		"clusters/prod/plug.yaml": set("plug", "{plugin: {configMapRef: {name: generator}}}", "{{dir}}"),
		"clusters/prod/flux.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: f}\nspec: {path: " +
			"./flux, sourceRef: {kind: GitRepository, name: g}, postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}}\n",
		"clusters/prod/release.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {chart: " +
			"{spec: {chart: db, sourceRef: {kind: HelmRepository, name: h}}}, valuesFrom: [{kind: ConfigMap, name: db-values}]}\n",
		"clusters/prod/vars.yaml":      configMap("vars", "TAG: v1"),
		"clusters/prod/values.yaml":    configMap("db-values", "values.yaml: 'replicas: 1'"),
		"clusters/prod/generator.yaml": configMap("generator", "baseUrl: 'https://generator.example'"),
		"extra/main.jsonnet":           "(import 'lib.libsonnet') + {image: importstr 'image.txt'}\n",
		"extra/image.txt":              "ghcr.io/acme/demo-api\n",
		"plugged/main.cue":             "package plugged\n",
		"tools/a/kustomization.yaml":   "resources: [c.yaml]\n",
		"tools/a/c.yaml":               configMap("a", "a: b"),
		"config/a/app.json":            `{"dir": "tools/a"}` + "\n",
		"charts/web/Chart.yaml":        "apiVersion: v2\nname: web\nversion: 0.1.0\n",
		"charts/web/templates/p.yaml": "{{ if .Values.image }}\n" + podHead + "spec: {containers: [{name: c, image: '{{ " +
			".Values.image }}'}]}\n{{ end }}\n",
		"values/web.yaml": "a: b\n",
		"values/db.yaml":  "a: b\n",
		".sourceignore":   "docs\n",
		"CODEOWNERS":      "/waybill.yaml @acme/platform\n",
	}
}

const podHead = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"

func configMap(name, data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {" + data + "}\n"
}

// kustomized is prod's overlay with more of Kustomize's own fields and files.
func kustomized(fields string, files ...string) map[string]string {
	out := map[string]string{prod: at(2) + fields}
	for i := 0; i < len(files); i += 2 {
		out["apps/demo-api/overlays/prod/"+files[i]] = files[i+1]
	}
	return out
}

func wide(text string) string {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

func one(file, text string) map[string]string { return map[string]string{file: text} }

// Each of these had to be found by somebody; none may get through again.
func TestAttacks(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	template.Write(t, "main", "what deploys", attacked())
	for what, a := range attacks() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if a.base != nil {
				w.Write(t, "main", "before", a.base)
			}
			w.Write(t, "change", "the change", a.head)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if !strings.Contains(got, " refused ") || !strings.Contains(got, a.want) {
				t.Errorf("got %s\nwant %s", got, a.want)
			}
		})
	}
}

// What looks like an attack and is daily work passes.
func TestNoAttacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(t, "main", "what deploys", attacked())
	w.Write(t, "change", "the change", map[string]string{
		"tools/a/c.yaml": configMap("a", "a: c"),
		"extra/c.yaml":   configMap("c", "image: ghcr.io/attacker/x"),
		"docs/image.png": "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 300\n",
		"platform/m.yaml": "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: m}\nspec: {rules: " +
			"[{name: a, validate: {x: z}}]}\n",
	})
	if got := w.findings(t, "main", "change"); len(got) > 0 {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

func attacks() map[string]attack {
	const runs, outside = "the rendered manifests run ghcr.io/attacker/x@sha256:", "the manifest runs ghcr.io/attacker/x@sha256:"
	spec := "spec: " + pod(foreign) + "\n"
	evil := podHead + spec
	config := configrepotest.Config("demo-api")
	parent := func(kind, api, before, after string) map[string]string {
		return resource("apiVersion: " + api + "\nkind: " + kind + "\nmetadata: {name: p}\nspec: " + before + pod(foreign) + after + "\n")
	}
	edited := func(file, old, by string) map[string]string {
		return map[string]string{file: strings.Replace(attacked()[file], old, by, 1)}
	}
	const op = `{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": `
	const select0 = "{target: {kind: Deployment}, "
	named := func(kind, name, rest string) string {
		return "apiVersion: builtin\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" + rest
	}
	return map[string]attack{
		// What waybill.yaml does not name, and what leads there.
		"an overlay that waybill.yaml does not name": {
			head: map[string]string{"apps/demo-api/overlays/prod-eu/kustomization.yaml": "resources: [../../base, p.yaml]\n",
				"apps/demo-api/overlays/prod-eu/p.yaml": evil},
			want: outside,
		},
		"an environment taken out, its overlay still there": {
			head: map[string]string{"waybill.yaml": strings.Replace(
				config, "source: acme/demo-api}", "source: acme/demo-api, environments: [dev, staging]}", 1,
			), prod: at(4)},
			want: "refused order: " + demo(4).Short(),
		},
		"an application taken out, its overlay still there": {
			head: map[string]string{"waybill.yaml": configrepotest.Config("other"), prod: at(4)}, want: "refused order: " + demo(4).Short(),
		},
		"an overlay that is renamed, and its Application after it": {
			head: map[string]string{prod: "", "apps/demo-api/overlays/live/kustomization.yaml": at(4),
				"clusters/prod/api.yaml": edited("clusters/prod/api.yaml", "overlays/prod", "overlays/live")["clusters/prod/api.yaml"]},
			want: "spec.source.path goes from apps/demo-api/overlays/prod to apps/demo-api/overlays/live",
		},
		"waybill.yaml moved away": {
			head: map[string]string{"waybill.yaml": "", "deploy/waybill.yaml": config, prod: at(4)}, want: "the config repository has no " +
				"waybill.yaml at its root",
		},
		"CODEOWNERS moved to where GitHub reads first": {
			head: one(".github/CODEOWNERS", "* @eve\n"), want: ".github/CODEOWNERS is read instead of CODEOWNERS",
		},
		"a policy of images that is loosened beside what it lets in": {
			head: map[string]string{"waybill.yaml": strings.Replace(config, "policy:\n", "policy:\n  images: {allow: ['ghcr.io/**']}\n", 1),
				"apps/demo-api/overlays/prod/more.yaml": evil, prod: resource("")[prod]},
			want: runs,
		},

		// Argo CD and Flux.
		"a file of a directory that recurses": {head: one("extra/a/b.yaml", evil), want: outside},
		"a second document in it":             {head: one("extra/b.yaml", configMap("c", "a: b")+"---\n"+evil), want: outside},
		"a file of JSON": {
			head: one("extra/b.json", `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"`+foreign+`"}]}}`),
			want: outside,
		},
		"what a directory includes": {
			head: edited("clusters/prod/extra.yaml", "*.json", "*.txt"),
			want: "spec.source.directory.include goes from",
		},
		"what a directory excludes": {
			head: edited("clusters/prod/root.yaml", "x/*", "y/*"),
			want: "spec.source.directory.exclude goes from",
		},
		"libraries of Jsonnet": {
			head: edited("clusters/prod/extra.yaml", "[vendor]", "[lib]"),
			want: "spec.source.directory.jsonnet.libs",
		},
		"Jsonnet": {head: one("extra/b.jsonnet", "{}"), want: "is Jsonnet"},
		"what Jsonnet reads as text": {
			head: one("extra/image.txt", foreign+"\n"),
			want: "extra/image.txt changes, which Jsonnet may read",
		},
		"what Jsonnet reads as data": {
			base: one("lib/x.jsonnet", "import 'data.json'"),
			head: one("lib/data.json", "[1]"),
			want: "lib/data.json changes, which Jsonnet may read",
		},
		"a file of a plugin": {
			head: one("plugged/main.cue", "package plugged\nimage: \"x\"\n"),
			want: "plugged changes, of which a plugin makes what Application plugged deploys",
		},
		"a generator of git's directories": {
			head: map[string]string{"tools/b/kustomization.yaml": "resources: [c.yaml]\n", "tools/b/c.yaml": configMap("b", "a: b")},
			want: "from which ApplicationSet dirs",
		},
		"a generator of git's files": {head: one("config/b/app.json", `{"dir": "tools/b"}`), want: "from which ApplicationSet files"},
		"a generator of a list in a matrix": {
			head: edited("clusters/prod/matrix.yaml", "{dir: tools/a}", "{dir: tools/b}"),
			want: "ApplicationSet matrix",
		},
		"a generator that becomes a merge": {
			head: edited("clusters/prod/matrix.yaml", "{matrix: {", "{merge: {mergeKeys: [dir], "),
			want: "ApplicationSet matrix",
		},
		"a generator of clusters": {
			head: edited("clusters/prod/matrix.yaml", "{clusters: {}}", "{clusters: {selector: {}}}"),
			want: "ApplicationSet matrix",
		},
		"what a generator's plugin is asked for": {
			head: edited("clusters/prod/generator.yaml", "generator.example", "eve.example"),
			want: "ConfigMap generator",
		},
		"a patch of a template": {
			head: edited("clusters/prod/dirs.yaml", "template:", "templatePatch: 'spec: {}', template:"),
			want: "spec.templatePatch",
		},
		"values outside of the chart": {
			head: one("values/web.yaml", "image: "+foreign+"\n"),
			want: "values/web.yaml changes, from which Application web",
		},
		"values with a tag outside of the chart": {head: one("values/web.yaml", "image: ghcr.io/attacker/x:v1\n"), want: "values/web.yaml"},
		"variables of Flux": {
			head: edited("clusters/prod/vars.yaml", "TAG: v1", "TAG: evil"),
			want: "ConfigMap vars of clusters/prod/vars.yaml deploys otherwise: data.TAG goes from v1 to evil",
		},
		"values of Flux": {
			head: edited("clusters/prod/values.yaml", "replicas: 1", "image: {tag: evil}"),
			want: "ConfigMap db-values",
		},
		"what Flux leaves out": {
			head: one(".sourceignore", "platform\n"),
			want: ".sourceignore changes what files a deployer gets from git",
		},
		"what Fleet deploys": {
			head: one("flux/fleet.yaml", "helm: {chart: 'https://eve.example/x.tgz'}\n"),
			want: "flux/fleet.yaml overrides what",
		},
		"what Fleet leaves out": {head: one("flux/.fleetignore", "x\n"), want: "flux/.fleetignore changes what files"},
		"a deployer of OpenShift": {
			head: one("clusters/prod/a.yaml", "apiVersion: argoproj.io/v1beta1\nkind: ArgoCD\nmetadata: {name: a}\nspec: "+
				"{kustomizeBuildOptions: x}\n"),
			want: "ArgoCD a of clusters/prod/a.yaml is new",
		},
		"a deployer of Google": {
			head: one("clusters/prod/a.yaml", "apiVersion: configsync.gke.io/v1beta1\nkind: RootSync\nmetadata: {name: a}\nspec: {git: "+
				"{repo: x}}\n"),
			want: "RootSync a of clusters/prod/a.yaml is new",
		},
		"a deployer of Carvel": {
			head: one("clusters/prod/a.yaml", "apiVersion: kappctrl.k14s.io/v1alpha1\nkind: App\nmetadata: {name: a}\nspec: {fetch: "+
				"[{git: {url: x}}]}\n"),
			want: "App a of clusters/prod/a.yaml is new",
		},
		"an operator by OLM": {
			head: one("clusters/prod/a.yaml", "apiVersion: operators.coreos.com/v1alpha1\nkind: Subscription\nmetadata: {name: a}\nspec: "+
				"{name: x}\n"),
			want: "Subscription a of clusters/prod/a.yaml is new",
		},
		"a release of Crossplane": {
			head: one("clusters/prod/a.yaml", "apiVersion: helm.crossplane.io/v1beta1\nkind: Release\nmetadata: {name: a}\nspec: "+
				"{forProvider: {chart: {url: x}}}\n"),
			want: "Release a of clusters/prod/a.yaml is new",
		},
		"an image that Keel keeps new": {
			head: kustomized("commonAnnotations: {keel.sh/policy: force}\n"),
			want: "Deployment demo-api of apps/demo-api/overlays/prod lets something else choose its images: keel.sh/policy is force",
		},
		"an image that OpenShift triggers": {
			head: kustomized("commonAnnotations: {image.openshift.io/triggers: '[]'}\n"), want: "image.openshift.io/triggers is []",
		},
		"an image that an image stream triggers": {
			head: resource("apiVersion: apps.openshift.io/v1\nkind: DeploymentConfig\nmetadata: {name: p}\nspec: {triggers: " +
				"[{type: ImageChange}]}\n"),
			want: "DeploymentConfig p of apps/demo-api/overlays/prod lets something else choose its images: spec.triggers is",
		},
		"an image that Flux writes": {
			head: one(prod, strings.Replace(at(2), demo(2).Digest(), demo(2).Digest()+` # {"$imagepolicy": "flux-system:api:digest"}`, 1)),
			want: `newly has the marker {"$imagepolicy": "flux-system:api:digest"}`,
		},

		// What changes objects on their way into the cluster.
		"a mutating policy": {
			head: one("platform/m.yaml", "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {name: "+
				"m}\nspec: {}\n"),
			want: "MutatingAdmissionPolicy m of platform/m.yaml is new",
		},
		"a mutating webhook": {
			head: one("platform/m.yaml", "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: "+
				"{name: m}\nwebhooks: []\n"),
			want: "MutatingWebhookConfiguration m of platform/m.yaml is new",
		},
		"a mutation of Kyverno": {
			head: one("platform/m.yaml", "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: m}\nspec: {rules: [{name: a, "+
				"mutate: {x: y}}]}\n"),
			want: "ClusterPolicy m of platform/m.yaml is new",
		},
		"a generated object of Kyverno": {
			head: one("platform/m.yaml", "apiVersion: policies.kyverno.io/v1alpha1\nkind: GeneratingPolicy\nmetadata: {name: m}\nspec: {}\n"),
			want: "GeneratingPolicy m of platform/m.yaml is new",
		},
		"a mutation of Gatekeeper": {
			head: one("platform/m.yaml", "apiVersion: mutations.gatekeeper.sh/v1alpha1\nkind: AssignImage\nmetadata: {name: m}\nspec: "+
				"{parameters: {assignTag: ':evil'}}\n"),
			want: "AssignImage m of platform/m.yaml is new",
		},
		"a sidecar's image by annotation": {
			head: kustomized("commonAnnotations: {sidecar.istio.io/proxyImage: 'ghcr.io/attacker/x:v1'}\n"), want: "run ghcr.io/attacker/x:v1",
		},
		"an agent's image by annotation": {
			head: kustomized("commonAnnotations: {vault.hashicorp.com/agent-image: 'ghcr.io/attacker/x:v1'}\n"), want: "run ghcr.io/attacker/x:v1",
		},

		// Kustomize.
		"a JSON patch in the file": {
			head: kustomized("patches:\n- " + select0 + "patch: '[" + op + "\"" + foreign + "\"}]'}\n"), want: runs,
		},
		"a JSON patch in a file": {
			head: kustomized("patches: [{target: {kind: Deployment}, path: p.json}]\n", "p.json",
				`[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "`+foreign+`"}]`),
			want: runs,
		},
		"an old JSON patch": {
			head: kustomized("patchesJson6902: [{target: {version: v1, group: apps, kind: Deployment, name: demo-api}, path: "+
				"p.json}]\n", "p.json", `[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "`+foreign+`"}]`),
			want: runs,
		},
		"an old strategic patch": {
			head: kustomized("patchesStrategicMerge: [p.yaml]\n", "p.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: "+
				"demo-api}\nspec: {template: {spec: {containers: [{name: demo-api, image: \""+foreign+"\"}]}}}\n"),
			want: runs,
		},
		"a replacement from a file": {
			head: kustomized("configMapGenerator: [{name: v, literals: ['i="+foreign+"']}]\nreplacements: [{path: r.yaml}]\n", "r.yaml",
				"source: {kind: ConfigMap, fieldPath: data.i}\ntargets: [{select: {kind: Deployment}, fieldPaths: "+
					"[spec.template.spec.containers.0.image]}]\n"),
			want: runs,
		},
		"a variable": {
			head: kustomized("configMapGenerator: [{name: v, literals: ['i="+foreign+"']}]\nvars: [{name: I, objref: {apiVersion: v1, "+
				"kind: ConfigMap, name: v}, fieldref: {fieldpath: data.i}}]\npatches:\n- "+select0+"patch: '["+op+
				"\"$(I)\"}]'}\nconfigurations: [c.yaml]\n", "c.yaml", "varReference: [{path: spec/template/spec/containers/image, kind: "+
				"Deployment}]\n"),
			want: runs,
		},
		"a transformer in the file": {
			head: kustomized("transformers:\n- |-\n  " + strings.ReplaceAll(named("ImageTagTransformer", "t", "imageTag: {name: "+
				"ghcr.io/acme/demo-api, newName: ghcr.io/attacker/x, digest: 'sha256:"+strings.Repeat("e", 64)+"'}"), "\n", "\n  ") + "\n"),
			want: runs,
		},
		"a transformer in a file": {
			head: kustomized("transformers: [t.yaml]\n", "t.yaml", named("PatchTransformer", "t", "target: {kind: Deployment}\npatch: "+
				"'["+op+"\""+foreign+"\"}]'\n")),
			want: runs,
		},
		"a transformer that executes": {
			head: kustomized("transformers: [t.yaml]\n", "t.yaml", "apiVersion: eve/v1\nkind: X\nmetadata: {name: t, annotations: "+
				"{config.kubernetes.io/function: 'exec: {path: ./x.sh}'}}\n"),
			want: "refused render: ",
		},
		"a validator that executes": {
			head: kustomized("validators: [t.yaml]\n", "t.yaml", "apiVersion: eve/v1\nkind: X\nmetadata: {name: t, annotations: "+
				"{config.kubernetes.io/function: 'container: {image: eve}'}}\n"),
			want: "refused render: ",
		},
		"a generator in a file": {
			head: kustomized("generators: [g.yaml]\n", "g.yaml", named("ConfigMapGenerator", "c", "files: [p.yaml]\n"), "p.yaml", evil),
			want: runs,
		},
		"a generator that is a chart": {
			head: kustomized("generators: [g.yaml]\n", "g.yaml", named("HelmChartInflationGenerator", "c", "repo: https://eve.example\n")),
			want: "refused render: ",
		},
		"a chart by Kustomize": {head: kustomized("helmCharts: [{name: x, repo: 'https://eve.example'}]\n"), want: "refused render: "},
		"fields of images of its own": {
			head: kustomized("  - {name: s, newName: ghcr.io/attacker/x, digest: 'sha256:"+strings.Repeat("e", 64)+"'}\nconfigurations: "+
				"[c.yaml]\ncomponents: [../m]\n", "c.yaml", "images: [{path: spec/run, kind: Mesh}]\n", "../m/kustomization.yaml",
				"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [m.yaml]\n", "../m/m.yaml", "apiVersion: "+
					"x.example/v1\nkind: Mesh\nmetadata: {name: m}\nspec: {run: s}\n"),
			want: runs,
		},
		"a component beside": {
			head: kustomized("components: [../c]\n", "../c/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: "+
				"Component\npatches:\n- "+select0+"patch: '["+op+"\""+foreign+"\"}]'}\n"),
			want: runs,
		},
		"a remote component": {head: kustomized("components: ['https://github.com/eve/x?ref=v1']\n"), want: "refused render: "},
		"a remote base by SSH": {
			head: one("platform/x/kustomization.yaml", "resources: ['git@github.com:eve/x.git']\n"),
			want: "nothing of it can be judged",
		},
		"a remote base without scheme": {
			head: one("platform/x/kustomization.yaml", "resources: [github.com/eve/x]\n"),
			want: "nothing of it can be judged",
		},
		"a base outside": {
			head: one("platform/x/kustomization.yaml", "resources: [../../../x]\n"),
			want: "nothing of it can be judged",
		},
		"a base by its whole path": {
			head: one("platform/x/kustomization.yaml", "resources: [/etc/x.yaml]\n"),
			want: "nothing of it can be judged",
		},
		"another name for the image": {
			head: one(prod, strings.Replace(at(2), "ghcr.io/acme/demo-api", "ghcr.io/attacker/x", 1)),
			want: "the rendered manifests run ghcr.io/attacker/x@" + demo(2).Digest(),
		},
		"a name for another's image": {
			head: kustomized("  - {name: ghcr.io/acme/demo-api, newName: ghcr.io/attacker/x}\n"),
			want: "the rendered manifests run ghcr.io/attacker/x@" + demo(2).Digest(),
		},
		"two kustomizations": {
			base: one("platform/x/kustomization.yaml", "resources: []\n"),
			head: map[string]string{"platform/x/Kustomization": "resources: [p.txt]\n", "platform/x/p.txt": evil},
			want: "Found multiple kustomization files",
		},

		// Kinds.
		"a DaemonSet":   {head: parent("DaemonSet", "apps/v1", "{template: {spec: ", "}}"), want: runs},
		"a ReplicaSet":  {head: parent("ReplicaSet", "apps/v1", "{template: {spec: ", "}}"), want: runs},
		"a StatefulSet": {head: parent("StatefulSet", "apps/v1", "{template: {spec: ", "}}"), want: runs},
		"a Job with a generated name": {
			head: one("extra/x.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: p-}\nspec: {template: {spec: "+
				pod(foreign)+"}}\n"),
			want: outside,
		},
		"a PodTemplate": {
			head: resource("apiVersion: v1\nkind: PodTemplate\nmetadata: {name: p}\ntemplate: {spec: " + pod(foreign) + "}\n"),
			want: runs,
		},
		"a list of Deployments": {
			head: resource("apiVersion: apps/v1\nkind: DeploymentList\nitems: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: " +
				"p}, spec: {template: {spec: " + pod(foreign) + "}}}]\n"),
			want: runs,
		},
		"a Rollout":            {head: parent("Rollout", "argoproj.io/v1alpha1", "{template: {spec: ", "}}"), want: runs},
		"a service of Knative": {head: parent("Service", "serving.knative.dev/v1", "{template: {spec: ", "}}"), want: runs},
		"a manifest in a workflow": {
			head: resource("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: p}\nspec:\n  templates:\n  - name: a\n    " +
				"resource:\n      action: create\n      manifest: |\n        " + strings.ReplaceAll(evil, "\n", "\n        ") + "\n"),
			want: runs,
		},
		"a manifest in a ConfigMap": {
			head: resource("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\ndata:\n  p.yaml: |\n    " + strings.ReplaceAll(evil,
				"\n", "\n    ") + "\n"),
			want: runs,
		},
		"a generated ConfigMap of them": {
			head: kustomized("configMapGenerator: [{name: p, files: [p.yaml]}]\n", "p.yaml", evil), want: runs,
		},
		"a package by tag": {
			head: resource("apiVersion: pkg.crossplane.io/v1\nkind: Provider\nmetadata: {name: p}\nspec: {package: 'ghcr.io/attacker/x:v1'}\n"),
			want: "run ghcr.io/attacker/x:v1",
		},
		"a filter of a mesh": {
			head: resource("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: p}\nspec: {url: " +
				"'oci://ghcr.io/attacker/x:v1'}\n"),
			want: "run ghcr.io/attacker/x:v1",
		},

		// Spellings of YAML.
		"another suffix": {head: one("extra/x.yml", evil), want: outside},
		"a suffix in capitals": {
			head: kustomized("patches: [{path: P.YAML}]\n", "P.YAML", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: "+
				"demo-api}\nspec: {template: {spec: {containers: [{name: demo-api, image: \""+foreign+"\"}]}}}\n"),
			want: runs,
		},
		"an anchor": {
			head: one("extra/x.yaml", "x: &i \""+foreign+"\"\n"+podHead+"spec: {containers: [{name: c, image: *i}]}\n"),
			want: outside,
		},
		"a merge key": {
			head: one("extra/x.yaml", "x: &c {image: \""+foreign+"\"}\n"+podHead+"spec: {containers: [{name: c, <<: *c}]}\n"),
			want: outside,
		},
		"a key twice": {
			head: one("extra/x.yaml", podHead+"spec: {containers: [{name: c, image: 'ghcr.io/acme/demo-api@"+demo(2).Digest()+"', "+
				"image: \""+foreign+"\"}]}\n"),
			want: outside,
		},
		"a key twice in JSON": {
			head: one("extra/x.json", `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"a","image":"`+foreign+`"}]}}`),
			want: outside,
		},
		"binary": {
			head: one("extra/x.yaml", podHead+"spec: {containers: [{name: c, image: !!binary "+
				base64.StdEncoding.EncodeToString([]byte(foreign))+"}]}\n"),
			want: outside,
		},
		"binary by Kustomize": {
			head: resource(podHead + "spec: {containers: [{name: c, image: !!binary " +
				base64.StdEncoding.EncodeToString([]byte(foreign)) + "}]}\n"),
			want: "run",
		},
		"escapes": {
			head: one("extra/x.yaml", podHead+`spec: {"cont\x61iners": [{name: c, "im\u0061ge": "`+strings.Replace(foreign, "x@",
				`\x78@`, 1)+"\"}]}\n"),
			want: outside,
		},
		"another encoding": {head: one("extra/x.yaml", wide(evil)), want: outside},
		"a line that is no line": {
			head: one("extra/x.yaml", podHead+"spec: # all is well\u2028  containers: [{name: c, image: \""+foreign+"\"}]\n"),
			want: outside,
		},
		"dashes in a comment": {head: one("extra/x.yaml", configMap("c", "a: b")+"--- # nothing here\n"+evil), want: outside},
		"line ends of Windows": {
			head: one("extra/x.yaml", strings.ReplaceAll(configMap("c", "a: b")+"---\n"+evil, "\n", "\r\n")),
			want: outside,
		},
		"a byte order mark": {head: one("extra/x.yaml", "\ufeff"+evil), want: outside},
		"a pointer of Git LFS": {
			head: one("extra/x.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:"+strings.Repeat("a", 64)+"\nsize 300\n"),
			want: "extra/x.yaml is a pointer of Git LFS",
		},
		"what SOPS encrypted": {
			head: one("extra/x.yaml", podHead+"spec: {containers: [{name: c, image: "+
				"'ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]'}]}\nsops: {mac: x}\n"),
			want: "the manifest runs ENC",
		},

		// Names of images.
		"capitals in the registry": {
			head: resource(podHead + "spec: " + pod("GHCR.io/acme/demo-api@"+demo(2).Digest()) + "\n"),
			want: "run GHCR.io/acme/demo-api@",
		},
		"a port": {
			head: resource(podHead + "spec: " + pod("ghcr.io:443/acme/demo-api@"+demo(2).Digest()) + "\n"),
			want: "run ghcr.io:443/acme/demo-api@",
		},
		"a letter that looks alike": {
			head: resource(podHead + "spec: " + pod("ghcr.io/аcme/demo-api@"+demo(2).Digest()) + "\n"), want: "cannot be read as an image",
		},
		"a tag and the digest of another": {
			head: resource(podHead + "spec: " + pod("ghcr.io/acme/demo-api:v2@"+demo(4).Digest()) + "\n"),
			want: "refused order: " + demo(4).Short(),
		},
		"another kind of digest": {
			head: resource(podHead + "spec: " + pod("ghcr.io/acme/demo-api@sha512:"+strings.Repeat("a", 128)) + "\n"),
			want: "cannot be read as an image",
		},
		"blanks around": {head: resource(podHead + "spec: " + pod(" "+foreign+" ") + "\n"), want: runs},
	}
}
