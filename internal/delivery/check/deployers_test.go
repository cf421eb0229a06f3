package check_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/cluster"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// exampleWorld is the example of a config repository with a digest of backend that
// runs everywhere, and a second one that only dev runs.
func exampleWorld(t *testing.T) *world {
	t.Helper()
	files := make(map[string]string)
	root := os.DirFS(filepath.Join(tooltest.Root(t), "examples", "config"))
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Repo: configrepotest.Local(t, files), images: evidencetest.NewRegistry()}
	for n := 1; n <= 2; n++ {
		for _, app := range []string{"backend", "frontend"} {
			w.images.Push(evidencetest.Image{App: app, N: n, At: configrepotest.Start.Add(time.Duration(n) * time.Minute)})
		}
	}
	for _, env := range []string{"dev", "staging", "prod"} {
		w.Write(
			t, "main", "deploy",
			map[string]string{"apps/backend/overlays/" + env + "/kustomization.yaml": digestOf(
				w.Text(t, "main", "apps/backend/overlays/"+env+"/kustomization.yaml"), 1,
			)},
		)
	}
	w.Write(
		t, "main", "deploy",
		map[string]string{"apps/backend/overlays/dev/kustomization.yaml": digestOf(
			w.Text(t, "main", "apps/backend/overlays/dev/kustomization.yaml"), 2,
		)},
	)
	w.Clock.Pass(48 * time.Hour)
	return w
}

var backend = func(n int) string { return evidencetest.Ref("backend", n).Digest() }

func digestOf(text string, n int) string {
	i := strings.Index(text, "sha256:")
	return text[:i] + backend(n) + text[i+len("sha256:")+64:]
}

// Nothing that the example's deployers say may lead a cluster to what nobody
// judged for it.
func TestDeployersArePointedNowhereElse(t *testing.T) {
	t.Parallel()
	template := exampleWorld(t)
	const (
		apps    = "clusters/base/apps/backend.yaml"
		web     = "clusters/base/apps/frontend.yaml"
		cluster = "clusters/prod/cluster.yaml"
		prod    = "clusters/prod/kustomization.yaml"
		base    = "clusters/base/kustomization.yaml"
		root    = "clusters/prod/root.yaml"
		project = "clusters/base/projects.yaml"
		chart   = "clusters/base/platform/kyverno.yaml"
	)
	edit := func(file, old, by string) map[string]string {
		t.Helper()
		text := template.Text(t, "main", file)
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %q", file, old)
		}
		return map[string]string{file: strings.Replace(text, old, by, 1)}
	}
	patch := func(ops string) map[string]string {
		return map[string]string{prod: template.Text(t, "main", prod) + "\npatches:\n  - target: {kind: Application, name: " +
			"backend}\n    patch: |\n      - " + ops + "\n"}
	}
	for what, test := range map[string]struct {
		change map[string]string
		want   string // empty is nothing
	}{
		"the path": {
			edit(apps, "apps/backend/overlays/CLUSTER", "apps/backend/base"),
			"backend of clusters/prod deploys otherwise: spec.source.path goes from apps/backend/overlays/prod to apps/backend/base",
		},
		"the repository": {
			edit(apps, "https://github.com/acme/config", "https://github.com/eve/config"),
			"Application argocd/backend of clusters/prod deploys otherwise: spec.source.repoURL goes from " +
				"https://github.com/acme/config to https://github.com/eve/config",
		},
		"the revision": {
			edit(apps, "targetRevision: main", "targetRevision: feature"), "spec.source.targetRevision goes from main to feature",
		},
		"the environment's words": {
			edit(cluster, "environment: prod", "environment: dev"),
			"Application argocd/backend of clusters/prod deploys otherwise: spec.source.path goes from apps/backend/overlays/prod " +
				"to apps/backend/overlays/dev",
		},
		"the namespace": {
			edit(cluster, "namespace: production", "namespace: shop"), "spec.destination.namespace goes from production to shop",
		},
		"a replacement less": {
			edit(
				base,
				"      - {select: {kind: Application, name: backend}, fieldPaths: [spec.source.path], options: {delimiter: /, index: 3}}\n",
				"",
			),
			"goes from apps/backend/overlays/prod to apps/backend/overlays/CLUSTER",
		},
		"a patch of prod": {
			patch("{op: replace, path: /spec/source/path, value: apps/backend/overlays/dev}"),
			"goes from apps/backend/overlays/prod to apps/backend/overlays/dev",
		},
		"a directory's files": {
			patch("{op: add, path: /spec/source/directory, value: {recurse: true, include: x.yaml}}"),
			"spec.source.directory.include is x.yaml",
		},
		"a plugin": {patch("{op: add, path: /spec/source/plugin, value: {name: x}}"), "spec.source.plugin.name is x"},
		"several sources": {
			patch("{op: add, path: /spec/sources, value: [{repoURL: 'https://github.com/acme/config', targetRevision: main, path: " +
				"apps/backend/overlays/dev}]}"),
			"spec.sources is ",
		},
		"a hydrated source": {
			patch("{op: add, path: /spec/sourceHydrator, value: {syncSource: {targetBranch: x}}}"),
			"spec.sourceHydrator.syncSource.targetBranch is x",
		},
		"another cluster": {
			patch("{op: replace, path: /spec/destination/server, value: 'https://dev'}"), "spec.destination.server goes from",
		},
		"another project": {
			patch("{op: replace, path: /spec/project, value: default}"), "spec.project goes from applications to default",
		},
		"images of Kustomize": {
			patch("{op: add, path: /spec/source/kustomize, value: {images: ['backend=ghcr.io/acme/backend@" + backend(2) + "']}}"),
			"spec.source.kustomize.images is ",
		},
		"components of Kustomize": {
			patch("{op: add, path: /spec/source/kustomize, value: {components: [../../x]}}"),
			"spec.source.kustomize.components is ",
		},
		"the image updater": {
			patch("{op: add, path: /metadata/annotations/argocd-image-updater.argoproj.io~1image-list, value: ghcr.io/acme/backend}"),
			"metadata.argocd-image-updater.argoproj.io/image-list is ghcr.io/acme/backend",
		},
		"it is left out": {
			patch("{op: add, path: /metadata/annotations/argocd.argoproj.io~1hook, value: Skip}"), "metadata.left out is true",
		},
		"it goes": {
			map[string]string{prod: template.Text(t, "main", prod) + "\npatches:\n  - target: {kind: Application, name: backend}\n  " +
				"  patch: '{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: backend}, $patch: delete}'\n"},
			"Application argocd/backend of clusters/prod goes, and what it deploys",
		},
		"files of values": {
			edit(web, "../overlays/CLUSTER/values.yaml", "../overlays/CLUSTER/values.yaml\n        - more.yaml"),
			"Application argocd/frontend of clusters/prod deploys otherwise: spec.source.helm.valueFiles goes from ",
		},
		"an image's digest alone": {
			edit(web, "releaseName: frontend", "releaseName: frontend\n      parameters: [{name: image.digest, value: '"+backend(2)+"'}]"),
			"spec.source.helm.parameters is ",
		},
		"an image's tag alone": {
			edit(web, "releaseName: frontend", "releaseName: frontend\n      values: 'image: {tag: v1}'"),
			"spec.source.helm.values.image.tag is v1",
		},
		"values as an object": {
			edit(web, "releaseName: frontend", "releaseName: frontend\n      valuesObject: {image: {repository: x}}"),
			"spec.source.helm.valuesObject.image.repository is x",
		},
		"parameters of a file": {
			edit(web, "releaseName: frontend", "releaseName: frontend\n      fileParameters: [{name: image.digest, path: x}]"),
			"spec.source.helm.fileParameters is ",
		},
		"a chart's repository": {
			edit(chart, "https://kyverno.github.io/kyverno", "https://eve.example"),
			"spec.sources[0].repoURL goes from https://kyverno.github.io/kyverno to https://eve.example",
		},
		"a chart's name": {edit(chart, "chart: kyverno", "chart: other"), "spec.sources[0].chart goes from kyverno to other"},
		"the root": {
			edit(root, "path: clusters/prod", "path: clusters/dev"),
			"Application argocd/root of clusters/prod/root.yaml deploys otherwise: spec.source.path goes from clusters/prod to " +
				"clusters/dev",
		},
		"a project of more": {
			edit(project, "sourceRepos: []", "sourceRepos: ['*']"),
			"AppProject argocd/default of clusters/prod deploys otherwise: spec.sourceRepos goes from [] to",
		},
		"a file of overrides": {
			map[string]string{
				"apps/frontend/chart/.argocd-source-frontend.yaml": "helm:\n  parameters: [{name: image.digest, value: x}]\n",
			},
			"apps/frontend/chart/.argocd-source-frontend.yaml overrides what Argo CD deploys",
		},
		"a new one": {
			newDeployer(template, t, "apps/backend/overlays/dev", "main"), "Application argocd/more of clusters/prod is new: ",
		},
		"a new one from a branch": {
			newDeployer(template, t, "apps/backend/overlays/prod", "feature"), "Application argocd/more of clusters/prod is new: ",
		},
		"a new one that is updated": {
			withText(
				newDeployer(template, t, "apps/backend/overlays/prod", "main"), "annotations:\n",
				"annotations:\n    argocd-image-updater.argoproj.io/image-list: x\n",
			),
			"Application argocd/more of clusters/prod is new: ",
		},
		"a new one with values": {
			withText(
				newDeployer(template, t, "apps/backend/overlays/prod", "main"), "targetRevision: main\n",
				"targetRevision: main\n    helm: {releaseName: x}\n",
			),
			"Application argocd/more of clusters/prod is new: ",
		},
		"a new one of a plugin": {
			withText(
				newDeployer(template, t, "apps/backend/overlays/prod", "main"), "targetRevision: main\n",
				"targetRevision: main\n    plugin: {name: x}\n",
			),
			"Application argocd/more of clusters/prod is new: ",
		},
		"a new one of a chart": {
			withText(newDeployer(template, t, "apps/nothing", "main"), "targetRevision: main\n", "targetRevision: main\n    chart: x\n"),
			"Application argocd/more of clusters/prod is new: ",
		},
		"a new one of more": {
			withText(
				newDeployer(template, t, "apps/backend/overlays/prod", "main"), "  project: applications\n",
				"  project: applications\n  sourceHydrator: {}\n",
			),
			"Application argocd/more of clusters/prod is new: ",
		},
		"for two environments": {
			map[string]string{"clusters/prod/dev/more.yaml": newDeployer(
				template, t, "apps/backend/overlays/dev", "main",
			)["clusters/prod/more.yaml"]},
			"Application more of clusters/prod/dev/more.yaml is new: ",
		},
		"a new set": {
			map[string]string{
				"clusters/prod/set.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\nspec: " +
					"{generators: [{git: {directories: [{path: apps/*/overlays/dev}]}}]}\n",
			},
			"ApplicationSet s of clusters/prod/set.yaml is new",
		},
		"a copy of dev's": {
			map[string]string{"clusters/prod/more.yaml": template.Text(t, "main", "clusters/dev/root.yaml")},
			"Application argocd/root of clusters/prod/more.yaml is new",
		},
		"a cluster of Argo CD": {
			map[string]string{
				"clusters/prod/c.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: c, labels: {argocd.argoproj.io/secret-type: " +
					"cluster}}\nstringData: {server: hush}\n",
			},
			"Secret c of clusters/prod/c.yaml is new: metadata.labels.argocd.argoproj.io/secret-type changes; metadata.name " +
				"changes; stringData.server changes",
		},
		"Argo CD's settings": {
			map[string]string{
				"clusters/prod/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm}\ndata: " +
					"{kustomize.buildOptions: --enable-helm}\n",
			},
			"ConfigMap argocd-cm of clusters/prod/c.yaml is new: data.kustomize.buildOptions is --enable-helm",
		},

		"a new one of its own environment": {newDeployer(template, t, "apps/backend/overlays/prod", "main"), ""},
		"a newer chart":                    {edit(chart, "targetRevision: 3.9.0", "targetRevision: 3.9.1"), ""},
		"how it syncs":                     {patch("{op: add, path: /spec/syncPolicy/automated, value: {prune: true}}"), ""},
		"its order": {
			patch("{op: replace, path: /metadata/annotations/argocd.argoproj.io~1sync-wave, value: '11'}"), "",
		},
		"into another file": {map[string]string{apps: "", "clusters/base/apps/api.yaml": template.Text(t, "main", apps),
			base: strings.Replace(template.Text(t, "main", base), "apps/backend.yaml", "apps/api.yaml", 1)}, ""},
		"a new application": {onboarded(template, t), ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.images = template.images
			w.Write(t, "change", "the change", test.change)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
			if strings.Contains(got, "hush") {
				t.Errorf("a secret is shown: %s", got)
			}
		})
	}
}

// newDeployer is prod's backend once more, by another name.
func newDeployer(w *world, t *testing.T, at, revision string) map[string]string {
	text := w.Text(t, "main", "clusters/base/apps/backend.yaml")
	for old, by := range map[string]string{
		"name: backend": "name: more", "apps/backend/overlays/CLUSTER": at, "targetRevision: main": "targetRevision: " + revision,
		"namespace: NAMESPACE": "namespace: production",
	} {
		text = strings.Replace(text, old, by, 1)
	}
	return map[string]string{
		"clusters/prod/more.yaml": text,
		"clusters/prod/kustomization.yaml": strings.Replace(
			w.Text(t, "main", "clusters/prod/kustomization.yaml"), "  - cluster.yaml\n", "  - cluster.yaml\n  - more.yaml\n", 1,
		),
	}
}

// onboarded is a third application, as the documentation tells to add it.
func onboarded(w *world, t *testing.T) map[string]string {
	files := map[string]string{
		"waybill.yaml": strings.Replace(
			w.Text(t, "main", "waybill.yaml"), "apps:\n", "apps:\n  third: {image: ghcr.io/acme/third, source: acme/third}\n", 1,
		),
		"clusters/base/apps/third.yaml": strings.NewReplacer(
			"name: backend", "name: third", "apps/backend/", "apps/third/",
		).Replace(w.Text(t, "main", "clusters/base/apps/backend.yaml")),
		"apps/third/base/kustomization.yaml": "resources: [d.yaml]\n",
		"apps/third/base/d.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: third}\n",
	}
	text := strings.Replace(
		w.Text(t, "main", "clusters/base/kustomization.yaml"), "  - apps/backend.yaml\n",
		"  - apps/backend.yaml\n  - apps/third.yaml\n", 1,
	)
	path := "      - {select: {kind: Application, name: backend}, fieldPaths: [spec.source.path], options: {delimiter: /, index: 3}}\n"
	space := "      - {select: {kind: Application, name: backend}, fieldPaths: [spec.destination.namespace]}\n"
	for _, line := range []string{path, space} {
		text = strings.Replace(text, line, line+strings.Replace(line, "backend", "third", 1), 1)
	}
	files["clusters/base/kustomization.yaml"] = text
	for _, env := range []string{"dev", "staging", "prod"} {
		files[fmt.Sprintf(
			"apps/third/overlays/%s/kustomization.yaml", env,
		)] = "resources: [../../base]\nimages:\n  - name: third\n    newName: ghcr.io/acme/third\n    digest: " + configrepotest.Placeholder + "\n"
	}
	c, err := config.Parse("waybill.yaml", []byte(files["waybill.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if _, files[clusterPolicy], err = cluster.Rewrite([]byte(w.Text(t, "main", clusterPolicy)), c); err != nil {
		t.Fatal(err)
	}
	return files
}

// clusterPolicy is written by waybill policy.
const clusterPolicy = "platform/signatures/waybill.yaml"

// A policy of the cluster says what waybill.yaml says, or the change is refused: an
// application that it does not know would not start, and a signer that waybill.yaml
// no longer trusts would still count.
func TestPoliciesOfTheClusterFollow(t *testing.T) {
	t.Parallel()
	template := exampleWorld(t)
	text, rules := template.Text(t, "main", clusterPolicy), template.Text(t, "main", "waybill.yaml")
	added := onboarded(template, t)
	delete(added, clusterPolicy)
	const want = "it is not what its command writes from waybill.yaml: run `waybill policy kyverno --name signed-by-deliver"
	for what, test := range map[string]struct {
		change map[string]string
		want   string // empty if nothing is found
	}{
		"an application that it does not know": {added, want},
		"another signer": {
			map[string]string{"waybill.yaml": strings.Replace(rules, "deliver.yml@refs/heads/main", "deliver.yml@refs/heads/next", 1)},
			want,
		},
		"an edit by hand": {
			map[string]string{clusterPolicy: strings.Replace(text, "failurePolicy: Fail", "failurePolicy: Ignore", 1)}, want,
		},
		"a flag by hand": {
			map[string]string{clusterPolicy: strings.Replace(text, "--name", "--mane", 1)},
			`"--mane" is no flag of a command that writes a policy`,
		},
		"an environment that is not there": {
			map[string]string{clusterPolicy: strings.Replace(text, "--name", "--env moon --name", 1)},
			"the command in its head writes nothing: ",
		},
		"another command": {
			map[string]string{clusterPolicy: fewerNamespaces(t, template)},
			"this change takes protection away: ImageValidatingPolicy signed-by-deliver goes or changes",
		},
		"somebody's own policy": {map[string]string{clusterPolicy: strings.Replace(text, "# Written by", "# Once written by", 1)}, ""},
		"another file":          {map[string]string{"README.md": "# Written by `waybill policy kyverno`\n"}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.images = template.images
			w.Write(t, "change", "the change", test.change)
			var got []string
			for _, line := range w.findings(t, "main", "change") {
				if strings.HasPrefix(line, clusterPolicy) {
					got = append(got, line)
				}
			}
			if (len(got) == 0) != (test.want == "") || !strings.Contains(strings.Join(got, "\n"), test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// fewerNamespaces is the policy as another command writes it: it leaves more out.
func fewerNamespaces(t *testing.T, w *world) string {
	t.Helper()
	c, err := config.Parse("waybill.yaml", []byte(w.Text(t, "main", "waybill.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	_, policy, err := cluster.Rewrite([]byte(strings.Replace(w.Text(t, "main", clusterPolicy), "kube-system,", "kube-system,prod,", 1)), c)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// What the base has already is a note: it holds up no other change.
func TestAnOldPolicyHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	w := exampleWorld(t)
	text := strings.Replace(w.Text(t, "main", clusterPolicy), "failurePolicy: Fail", "failurePolicy: Ignore", 1)
	w.Write(t, "main", "an edit", map[string]string{clusterPolicy: text})
	w.Write(t, "change", "the change", map[string]string{"README.md": "Read me.\n"})
	if got := w.findings(t, "main", "change"); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	if got := strings.Join(w.findings(t, "", "main"), "\n"); !strings.Contains(got, "it is not what its command writes") {
		t.Errorf("as it stands: %s", got)
	}
}

// withText replaces texts of the new deployer.
func withText(files map[string]string, replace ...string) map[string]string {
	files["clusters/prod/more.yaml"] = strings.NewReplacer(replace...).Replace(files["clusters/prod/more.yaml"])
	return files
}
