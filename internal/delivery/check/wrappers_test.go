package check_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// What wraps an overlay is judged for the environment that it stands for, whatever
// the overlay is of.
func TestOverlaysStayInTheirEnvironment(t *testing.T) {
	t.Parallel()
	const all = "all/kustomization.yaml"
	wrap := func(files ...string) string { return "resources: [" + strings.Join(files, ", ") + "]\n" }
	const ofDev, ofProd = "../../apps/demo-api/overlays/dev", "../../apps/demo-api/overlays/prod"
	application := "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: {repoURL: u, " +
		"targetRevision: main, path: apps/demo-api/overlays/prod}}\n"
	flux := "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: f}\nspec: {interval: 1m, path: " +
		"./apps/demo-api/overlays/prod, sourceRef: {kind: GitRepository, name: config}}\n"
	git := "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: config}\nspec: {url: " +
		"'https://github.com/acme/config', ref: {branch: main}}\n"
	release := "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {chart: {spec: {chart: x, " +
		"version: 1.0.0, sourceRef: {kind: HelmRepository, name: x}}}, values: {a: b}}\n"
	cluster := "apiVersion: v1\nkind: Secret\nmetadata: {name: c, labels: {argocd.argoproj.io/secret-type: cluster, tier: a}}\n"
	external := "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: c}\nspec: {target: {template: " +
		"{metadata: {labels: {argocd.argoproj.io/secret-type: cluster}}}}}\n"
	sops := "apiVersion: isindir.github.com/v1alpha3\nkind: SopsSecret\nmetadata: {name: c}\nspec: {secretTemplates: [{labels: " +
		"{argocd.argoproj.io/secret-type: repository}}]}\n"
	updater := "apiVersion: argocd-image-updater.argoproj.io/v1alpha1\nkind: ImageUpdater\nmetadata: {name: u}\n"
	ofGit := strings.Replace(release, "kind: HelmRepository", "kind: GitRepository", 1)
	source := func(text string) string {
		return strings.Replace(application, "{repoURL: u, targetRevision: main, path: apps/demo-api/overlays/prod}", text, 1)
	}
	chart := source("{repoURL: u, targetRevision: main, path: apps/demo-api/chart, helm: {valueFiles: [VALUES]}}")
	valuesOf := func(text, file string) string { return strings.Replace(text, "VALUES", file, 1) }
	flow := "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {chart: {spec: {chart: " +
		"./apps/demo-api/chart, valuesFiles: [apps/demo-api/more.yaml], sourceRef: {kind: GitRepository, name: config}}}}\n"
	settings := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
	more := map[string]string{"apps/demo-api/more.yaml": "a: b\n"}
	replaced := func(text, old, by string) map[string]string {
		return map[string]string{"clusters/prod/a.yaml": strings.Replace(text, old, by, 1)}
	}
	template := newWorld(t)
	for what, test := range map[string]struct {
		main, change map[string]string
		want         string // empty is nothing
	}{
		"dev's in prod's directory": {
			nil, map[string]string{"clusters/prod/kustomization.yaml": wrap(ofDev)},
			"clusters/prod/kustomization.yaml newly brings demo-api in dev (apps/demo-api/overlays/dev) into prod: what runs there " +
				"is judged by the overlay of prod alone",
		},
		"dev's beside prod's": {
			map[string]string{"clusters/prod/kustomization.yaml": wrap(ofProd)},
			map[string]string{
				"clusters/prod/kustomization.yaml":   wrap(ofProd, "x"),
				"clusters/prod/x/kustomization.yaml": wrap("../"+ofDev) + "namePrefix: dev-\n",
			},
			"newly brings demo-api in dev (apps/demo-api/overlays/dev) into prod",
		},
		"dev's through another": {
			nil, map[string]string{"x/y/kustomization.yaml": wrap(ofDev), "clusters/prod/kustomization.yaml": wrap("../../x/y")},
			"clusters/prod/kustomization.yaml newly brings demo-api in dev",
		},
		"dev's below prod's pattern": {
			nil, map[string]string{"apps/other/overlays/prod/kustomization.yaml": wrap("../../../demo-api/overlays/dev")},
			"newly brings demo-api in dev (apps/demo-api/overlays/dev) into prod",
		},
		"dev's, wherever": {
			nil, map[string]string{"x/y/kustomization.yaml": wrap(ofDev)},
			"x/y/kustomization.yaml newly brings demo-api in dev (apps/demo-api/overlays/dev) wherever that is deployed",
		},
		"dev's instead of prod's": {
			map[string]string{all: wrap("../apps/demo-api/overlays/prod")},
			map[string]string{all: wrap("../apps/demo-api/overlays/dev")}, "all/kustomization.yaml newly brings demo-api in dev",
		},
		"dev's digest for prod": {
			map[string]string{
				all: wrap("a", "b"), "all/a/kustomization.yaml": wrap("../"+ofDev) + "namePrefix: dev-\n",
				"all/b/kustomization.yaml": wrap("../" + ofProd),
			},
			map[string]string{
				"all/b/kustomization.yaml": wrap("../"+ofProd) +
					"images: [{name: ghcr.io/acme/demo-api, digest: \"" + demo(3).Digest() + "\"}]\n",
			},
			"an application's image outside of the application's overlays",
		},
		"a remote base that fails": {
			map[string]string{"clusters/prod/kustomization.yaml": "resources: ['https://example.com/x']\n"},
			map[string]string{
				"clusters/prod/kustomization.yaml": "resources: ['https://example.com/x', x.yaml]\n",
				"clusters/prod/x.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
			},
			"changes what it renders, and nothing of it can be judged",
		},
		"a component that fetches": {
			nil,
			map[string]string{
				"clusters/prod/kustomization.yaml": "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nresources: " +
					"['https://example.com/x']\n",
			},
			"nothing of it can be judged",
		},
		"a kustomization goes": {
			map[string]string{
				"platform/x/kustomization.yaml": wrap("c.yaml"),
				"platform/x/c.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
				"platform/x/d.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\n",
			},
			map[string]string{"platform/x/kustomization.yaml": ""},
			"platform/x/kustomization.yaml goes, and what is left in platform/x is deployed as it stands",
		},
		"a kustomization of deployers": {
			map[string]string{"x/kustomization.yaml": wrap("../y/a.yaml"), "y/a.yaml": application},
			map[string]string{"x/kustomization.yaml": ""}, "Application a of x goes, and what it deploys",
		},
		"Flux elsewhere": {
			map[string]string{"clusters/prod/a.yaml": flux}, replaced(flux, "overlays/prod", "overlays/dev"),
			"Kustomization f of clusters/prod/a.yaml deploys otherwise: spec.path goes from ./apps/demo-api/overlays/prod to " +
				"./apps/demo-api/overlays/dev",
		},
		"Flux from elsewhere": {
			map[string]string{"clusters/prod/a.yaml": flux}, replaced(flux, "name: config", "name: other"),
			"spec.sourceRef.name goes from config to other",
		},
		"Flux's images": {
			map[string]string{"clusters/prod/a.yaml": flux},
			replaced(flux, "interval: 1m", "images: [{name: demo-api, digest: x}]"), "spec.images is ",
		},
		"Flux's substitutions": {
			map[string]string{"clusters/prod/a.yaml": flux}, replaced(flux, "interval: 1m", "postBuild: {substitute: {a: b}}"),
			"spec.postBuild.substitute.a is b",
		},
		"Flux's components": {
			map[string]string{"clusters/prod/a.yaml": flux}, replaced(flux, "interval: 1m", "components: [x]"),
			`spec.components is ["x"]`,
		},
		"another repository": {
			map[string]string{"clusters/prod/a.yaml": git}, replaced(git, "acme/config", "eve/config"),
			"GitRepository config of clusters/prod/a.yaml deploys otherwise: spec.url goes from https://github.com/acme/config to " +
				"https://github.com/eve/config",
		},
		"another branch": {
			map[string]string{"clusters/prod/a.yaml": git}, replaced(git, "branch: main", "commit: abc"),
			"spec.ref.branch goes from main to nothing; spec.ref.commit is abc",
		},
		"a release's values": {
			map[string]string{"clusters/prod/a.yaml": release}, replaced(release, "values: {a: b}", "values: {image: {tag: x}}"),
			"HelmRelease r of clusters/prod/a.yaml deploys otherwise: spec.values.a goes from b to nothing; spec.values.image.tag is x",
		},
		"a release's values from": {
			map[string]string{"clusters/prod/a.yaml": release},
			replaced(release, "values: {a: b}", "values: {a: b}, valuesFrom: [{kind: ConfigMap, name: x}]"), "spec.valuesFrom is ",
		},
		"a release's chart": {
			map[string]string{"clusters/prod/a.yaml": release}, replaced(release, "kind: HelmRepository", "kind: GitRepository"),
			"spec.chart.spec.sourceRef.kind goes from HelmRepository to GitRepository",
		},
		"what a set generates from": {
			map[string]string{
				"clusters/prod/s.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\nspec: " +
					"{generators: [{git: {files: [{path: 'conf/*/app.json'}]}}]}\n",
				"conf/a/app.json": "{}",
			},
			map[string]string{"conf/a/app.json": `{"path": "x"}`},
			"conf/a/app.json changes, from which ApplicationSet s makes what it deploys",
		},
		"values that nobody names": {
			map[string]string{
				"clusters/prod/a.yaml": strings.Replace(
					application, "path: apps/demo-api/overlays/prod",
					"path: apps/demo-api/chart, helm: {valueFiles: [../more.yaml]}", 1,
				),
				"apps/demo-api/more.yaml": "a: b\n",
			},
			map[string]string{"apps/demo-api/more.yaml": "image: {digest: x}\n"},
			"apps/demo-api/more.yaml changes, from which Application a makes what it deploys, and no place has it",
		},

		"values from the top": {
			map[string]string{"clusters/prod/a.yaml": flow}, more,
			"apps/demo-api/more.yaml changes, from which HelmRelease r makes what it deploys",
		},
		"values of a word replaced": {
			map[string]string{"clusters/prod/a.yaml": valuesOf(chart, "../overlays/CLUSTER/more.yaml")},
			map[string]string{"apps/demo-api/overlays/prod/more.yaml": "a: b\n"},
			"apps/demo-api/overlays/prod/more.yaml changes, from which Application a makes what it deploys",
		},
		"a cluster by a secret's maker": {
			nil, map[string]string{"clusters/prod/c.yaml": external}, "ExternalSecret c of clusters/prod/c.yaml is new",
		},
		"a repository in a list": {nil, map[string]string{"clusters/prod/c.yaml": sops}, "SopsSecret c of clusters/prod/c.yaml is new"},
		"labels of a cluster": {
			map[string]string{"clusters/prod/a.yaml": cluster}, replaced(cluster, "tier: a", "tier: b"),
			"Secret c of clusters/prod/a.yaml deploys otherwise: metadata.labels.tier changes",
		},
		"an image updater": {nil, map[string]string{"clusters/prod/u.yaml": updater}, "ImageUpdater u of clusters/prod/u.yaml is new"},
		"a version out of git": {
			map[string]string{"clusters/prod/a.yaml": ofGit}, replaced(ofGit, "1.0.0", "1.1.0"),
			"spec.chart.spec.version goes from 1.0.0 to 1.1.0",
		},
		"a revision of a path": {
			map[string]string{"clusters/prod/a.yaml": source("{repoURL: u, targetRevision: main, path: x, chart: web}")},
			replaced(source("{repoURL: u, targetRevision: main, path: x, chart: web}"), "targetRevision: main", "targetRevision: other"),
			"spec.source.targetRevision goes from main to other",
		},
		"a revision of values": {
			map[string]string{"clusters/prod/a.yaml": source("{repoURL: u, targetRevision: main, ref: values}")},
			replaced(source("{repoURL: u, targetRevision: main, ref: values}"), "targetRevision: main", "targetRevision: other"),
			"spec.source.targetRevision goes from main to other",
		},

		"prod's in prod's directory": {nil, map[string]string{"clusters/prod/kustomization.yaml": wrap(ofProd) + "namespace: x\n"}, ""},
		"dev's own step in a wrapper": {
			map[string]string{all: wrap("../apps/demo-api/overlays/dev")}, map[string]string{dev: at(2)}, "",
		},
		"Flux's interval": {map[string]string{"clusters/prod/a.yaml": flux}, replaced(flux, "1m", "5m"), ""},
		"a newer chart":   {map[string]string{"clusters/prod/a.yaml": release}, replaced(release, "1.0.0", "1.1.0"), ""},
		"Flux into its own environment": {
			map[string]string{"clusters/prod/a.yaml": strings.Replace(flux, "name: f", "name: g", 1)},
			map[string]string{"clusters/prod/b.yaml": flux}, "",
		},
		"values of another name": {map[string]string{"clusters/prod/a.yaml": valuesOf(chart, "../other.yaml")}, more, ""},
		"values of another chart": {
			map[string]string{"clusters/prod/a.yaml": valuesOf(
				strings.Replace(chart, "apps/demo-api/chart", "other/chart", 1), "../more.yaml",
			)},
			more, "",
		},
		"a kustomization alone goes": {
			map[string]string{"platform/x/kustomization.yaml": wrap("../y/c.yaml"), "platform/y/c.yaml": settings},
			map[string]string{"platform/x/kustomization.yaml": ""}, "",
		},
		"it begins to sync": {
			map[string]string{"clusters/prod/a.yaml": application},
			replaced(application, "spec: {", "spec: {syncPolicy: {automated: {prune: true}}, "), "",
		},
		"an Application moved to a file": {
			map[string]string{"clusters/prod/a.yaml": application},
			map[string]string{"clusters/prod/a.yaml": "", "clusters/prod/b.yaml": application}, "",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.main != nil {
				w.Write(t, "main", "before", test.main)
			}
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

// A place is judged when the overlay of another one that it refers to changes, in
// whatever way it refers to it.
func TestPlacesThatReadOthers(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	template.Write(t, "main", "a plugin", map[string]string{"apps/demo-api/overlays/prod/plugin.yaml": "apiVersion: builtin\nkind: " +
		"PatchTransformer\nmetadata: {name: x}\npath: ../dev/patch.txt\ntarget: {kind: Deployment}\n",
		"apps/demo-api/overlays/dev/patch.txt": patchTo(3)})
	for what, text := range map[string]string{
		"by a plugin":         at(2) + "transformers: [plugin.yaml]\n",
		"by name":             strings.Replace(at(3), "../../base", "../dev", 1),
		"by an escaped name":  strings.Replace(at(3), "../../base", `"../d\u0065v"`, 1),
		"by a name in pieces": strings.Replace(at(3), "../../base", "\"../d\\\n    ev\"", 1),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "main", "before", map[string]string{prod: text})
			w.Write(t, "change", "the change", map[string]string{dev: at(4), "apps/demo-api/overlays/dev/patch.txt": patchTo(4)})
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if want := "refused order: " + demo(4).Short() + ": has not run in staging"; !strings.Contains(got, want) {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// A place is judged when a file outside of it changes that it reads, however little
// that looks like one.
func TestPlacesThatReadFiles(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	const patch, chart = "apps/demo-api/overlays/prod/kustomization.yaml", "charts/demo"
	configured := strings.Replace(
		configrepotest.Config("demo-api"), "source: acme/demo-api}",
		"source: acme/demo-api, overlay: \"charts/demo/values-{env}.yaml\"}", 1,
	)
	values := "image: {repository: ghcr.io/acme/demo-api, digest: \"" + demo(2).Digest() + "\"}\n"
	workload := strings.Replace(
		configrepotest.Deployment("demo-api", "demo-api"), "image: demo-api",
		`image: "{{ .Values.image.repository }}@{{ .Files.Get "README.md" | trim | default .Values.image.digest }}"`, 1,
	)
	const plugin = "path: ../../../../docs/notes.md\ntarget: {kind: Deployment}\n"
	for what, test := range map[string]struct{ main, change map[string]string }{
		"a patch that is called a text": {
			map[string]string{
				patch:           at(2) + "patches: [{path: ../../../../docs/notes.md, target: {kind: Deployment}}]\n",
				"docs/notes.md": patchTo(2),
			},
			map[string]string{"docs/notes.md": patchTo(4)},
		},
		"a patch among the workflows": {
			map[string]string{
				patch:       at(2) + "patches: [{path: \"../../../../.gith\\u0075b/x\", target: {kind: Deployment}}]\n",
				".github/x": patchTo(2),
			},
			map[string]string{".github/x": patchTo(4)},
		},
		"a patch that a plugin names, which hides": {
			map[string]string{
				patch:                               "\"tr\\u0061nsformers\": [x.txt]\n" + at(2),
				"apps/demo-api/overlays/prod/x.txt": "apiVersion: builtin\nkind: |-\n  PatchTransformer\nmetadata: {name: x}\n" + plugin,
				"docs/notes.md":                     patchTo(2),
			},
			map[string]string{"docs/notes.md": patchTo(4)},
		},
		"a patch that the plugin of a directory names": {
			map[string]string{
				patch: "transformers: [../../../../plug]\n" + at(2), "docs/notes.md": patchTo(2),
				"plug/kustomization.yaml": "resources: [x.yaml]\n",
				"plug/x.yaml":             "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n" + plugin,
			},
			map[string]string{"docs/notes.md": patchTo(4)},
		},
		"a generator's file, whatever its name": {
			map[string]string{
				patch: at(2) + "generatorOptions: {disableNameSuffixHash: true}\nconfigMapGenerator: [{name: c, files: " +
					"[\"image=../../../../docs/the image's, new.md\"]}]\nreplacements: [{source: {kind: ConfigMap, name: c, fieldPath: " +
					"data.image}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.image]}]}]\n",
				"docs/the image's, new.md": demo(2).String(),
			},
			map[string]string{"docs/the image's, new.md": demo(4).String()},
		},
		"a patch whose path is written in base64": {
			map[string]string{
				patch:           at(2) + "patches: [{path: !!binary Li4vLi4vLi4vLi4vZG9jcy9ub3Rlcy5tZA==, target: {kind: Deployment}}]\n",
				"docs/notes.md": patchTo(2),
			},
			map[string]string{"docs/notes.md": patchTo(4)},
		},
		"a patch whose path a plugin puts together": {
			map[string]string{
				patch: "transformers: [../../../../plug]\n" + at(2), "docs/notes.md": patchTo(2),
				"plug/kustomization.yaml": "resources: [x.yaml]\nreplacements: [{source: {kind: PatchTransformer, fieldPath: " +
					"metadata.annotations.a}, targets: [{select: {kind: PatchTransformer}, fieldPaths: [path], options: " +
					"{delimiter: /, index: 5}}]}]\n",
				"plug/x.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x, annotations: {a: notes.md}}\n" +
					"path: ../../../../docs/x\ntarget: {kind: Deployment}\n",
			},
			map[string]string{"docs/notes.md": patchTo(4)},
		},
		"the base's base": {
			map[string]string{
				"apps/demo-api/base/kustomization.yaml": "resources: [../more]\n", "apps/demo-api/base/deployment.yaml": "",
				"apps/demo-api/more/kustomization.yaml": "resources: [d.yaml]\n",
				"apps/demo-api/more/d.yaml":             configrepotest.Deployment("demo-api", "demo-api"),
			},
			map[string]string{"apps/demo-api/more/d.yaml": configrepotest.Deployment("demo-api", "ghcr.io/acme/other:v1")},
		},
		"what a chart above the values reads": {
			map[string]string{
				"waybill.yaml": configured, chart + "/Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
				chart + "/templates/d.yaml": workload, chart + "/README.md": demo(2).Digest() + "\n",
				chart + "/values-dev.yaml": values, chart + "/values-staging.yaml": values, chart + "/values-prod.yaml": values,
			},
			map[string]string{chart + "/README.md": demo(4).Digest() + "\n"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "main", "before", test.main)
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			refused := strings.Contains(got, "refused order: "+demo(4).Short()+": has not run in staging") ||
				strings.Contains(got, "run ghcr.io/acme/other:v1")
			if !refused {
				t.Errorf("got %s", got)
			}
		})
	}
}

func patchTo(n int) string {
	return "- {op: replace, path: /spec/template/spec/containers/0/image, value: \"" + demo(n).String() + "\"}\n"
}
