package overlay_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/imageref"
)

const (
	app = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n"
	set = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n"
)

// wild are files as public repositories have them: how they are written, and by which
// detours they name the image. {…} in what stands before becomes the digest; everything
// else stays.
var wild = map[string]struct {
	file, before, after string
	target              func(*overlay.Target)
	also                map[string]string
}{
	// Line breaks, as YAML counts them.
	"a comment that ends in U+2028": {file: "kustomization.yaml",
		before: "# pasted \u2028\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: OLD\n",
		after:  "# pasted \u2028\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: NEW\n"},
	"U+0085 and U+2029 in texts, and a line to insert": {file: "kustomization.yaml",
		before: "commonAnnotations: {a: \"x\u0085 y\", b: \"x\u2029 y\"}\nimages:\n- name: ghcr.io/acme/demo-api\nnamespace: x\n",
		after:  "commonAnnotations: {a: \"x\u0085 y\", b: \"x\u2029 y\"}\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: NEW\nnamespace: x\n"},
	"lines that end in carriage returns alone": {file: "kustomization.yaml",
		before: "images:\r- name: ghcr.io/acme/demo-api\rnamespace: x\r",
		after:  "images:\r- name: ghcr.io/acme/demo-api\r  digest: NEW\rnamespace: x\r"},
	"a line to insert among both endings": {file: "kustomization.yaml",
		before: "namespace: x\r\nimages:\n- name: ghcr.io/acme/demo-api\nnamePrefix: y\r\n",
		after:  "namespace: x\r\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: NEW\nnamePrefix: y\r\n"},
	"an entry to insert among both endings": {file: "kustomization.yaml", target: named,
		before: "namespace: x\nimages:\r\n- name: redis\r\n  newTag: '7'\r\nnamePrefix: y\n",
		after: "namespace: x\nimages:\r\n- name: redis\r\n  newTag: '7'\r\n- name: ghcr.io/acme/demo-api\r\n  digest: NEW\r\n" +
			"namePrefix: y\n"},

	// Markers of documents.
	"kustomize, a line of dashes at the end": {file: "kustomization.yaml",
		before: "---\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: OLD\n---\n",
		after:  "---\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: NEW\n---\n"},
	"kustomize, an entry in front of the end": {file: "kustomization.yaml", target: named,
		before: "%YAML 1.1\n--- # all of it\n# first\nresources: [x.yaml]\n--- # end\n# last\n",
		after: "%YAML 1.1\n--- # all of it\n# first\nresources: [x.yaml]\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: NEW\n" +
			"--- # end\n# last\n"},
	"helm, values in front of the end": {file: "values.yaml", target: chart, also: charts,
		before: "text: |\n  ...\n  ---\nreplicas: 2\n...\n",
		after:  "text: |\n  ...\n  ---\nreplicas: 2\nimage: ghcr.io/acme/demo-api@NEW\n...\n"},

	// Values that leave everything to the chart.
	"helm, no values": {file: "values.yaml", target: chart, also: charts, before: "", after: "image: ghcr.io/acme/demo-api@NEW\n"},
	"helm, values of a comment": {file: "values.yaml", target: chart, also: charts,
		before: "# of prod", after: "# of prod\nimage: ghcr.io/acme/demo-api@NEW"},
	"helm, no values in a file of another name": {file: "prod.yaml", also: map[string]string{
		dir + "/Chart.yaml": "name: x\n", dir + "/values.yaml": "image: {repository: ghcr.io/acme/demo-api, tag: v1}\n---\n",
	}, target: func(t *overlay.Target) { t.Path += "/prod.yaml" },
		before: "---\n", after: "---\nimage:\n  repository: ghcr.io/acme/demo-api\n  digest: NEW\n"},

	// Anchors, aliases and merges.
	"helm, a merged mapping with a digest of its own": {file: "values.yaml",
		before: "image: &i\n  repository: ghcr.io/acme/demo-api\n  digest: OLD # one\nworker:\n  image:\n    <<: *i\n    digest: OLD # two\n",
		after:  "image: &i\n  repository: ghcr.io/acme/demo-api\n  digest: NEW # one\nworker:\n  image:\n    <<: *i\n    digest: NEW # two\n"},
	"helm, what several merge": {file: "values.yaml",
		before: "x: &i {repository: ghcr.io/acme/demo-api, digest: OLD}\na: {image: {<<: *i}}\nb: {image: {<<: [*i], pullPolicy: Always}}\n",
		after:  "x: &i {repository: ghcr.io/acme/demo-api, digest: NEW}\na: {image: {<<: *i}}\nb: {image: {<<: [*i], pullPolicy: Always}}\n"},
	"helm, a merged repository that is overruled": {file: "values.yaml",
		before: "image: &i {repository: ghcr.io/acme/demo-api, digest: OLD}\nother: {<<: *i, repository: ghcr.io/acme/other}\n",
		after:  "image: &i {repository: ghcr.io/acme/demo-api, digest: NEW}\nother: {<<: *i, repository: ghcr.io/acme/other}\n"},
	"helm, the repository is an alias": {file: "values.yaml",
		before: "repo: &r ghcr.io/acme/demo-api\nimage:\n  repository: *r\n  digest: OLD\n",
		after:  "repo: &r ghcr.io/acme/demo-api\nimage:\n  repository: *r\n  digest: NEW\n"},
	"helm, one text and an alias of another": {file: "values.yaml",
		before: "shared: &i ghcr.io/acme/demo-api:v1\nimage: ghcr.io/acme/demo-api:v1\nworker: {image: *i}\n",
		after:  "shared: &i ghcr.io/acme/demo-api@NEW\nimage: ghcr.io/acme/demo-api@NEW\nworker: {image: *i}\n"},
	"manifest, aliases": {file: "app.yaml", target: inFile,
		before: "kind: Pod\nx: &i ghcr.io/acme/demo-api:v1\nspec:\n  containers:\n  - image: *i\n" +
			"  - image: ghcr.io/acme/demo-api:v1\n  - image: *i\n",
		after: "kind: Pod\nx: &i ghcr.io/acme/demo-api@NEW\nspec:\n  containers:\n  - image: *i\n" +
			"  - image: ghcr.io/acme/demo-api@NEW\n  - image: *i\n"},
	"kustomize, the name is an alias": {file: "kustomization.yaml",
		before: "images:\n- name: &n ghcr.io/acme/demo-api\n  newName: *n\n  digest: OLD\n",
		after:  "images:\n- name: &n ghcr.io/acme/demo-api\n  newName: *n\n  digest: NEW\n"},

	// Spellings.
	"kustomize, tag and digest in one": {file: "kustomization.yaml", // as Renovate writes it
		before: "images:\n- name: ghcr.io/acme/demo-api\n  newTag: v1@OLD # keep\n",
		after:  "images:\n- name: ghcr.io/acme/demo-api\n  digest: NEW # keep\n"},
	"kustomize, quoted keys and tabs": {file: "kustomization.yaml",
		before: "'images':\n- \"name\":\tghcr.io/acme/demo-api\n  'digest':\t'OLD'\t# it\n",
		after:  "'images':\n- \"name\":\tghcr.io/acme/demo-api\n  'digest':\t'NEW'\t# it\n"},
	"kustomize, in JSON": {file: "kustomization.yaml",
		before: "{\"images\": [{\n\t\"name\": \"ghcr.io/acme/demo-api\",\n\t\"digest\": \"OLD\"\n}]}\n",
		after:  "{\"images\": [{\n\t\"name\": \"ghcr.io/acme/demo-api\",\n\t\"digest\": \"NEW\"\n}]}\n"},
	"helm, a registry that ends in a slash": {file: "values.yaml",
		before: "image:\n  registry: ghcr.io/\n  repository: acme/demo-api\n  digest: OLD\n",
		after:  "image:\n  registry: ghcr.io/\n  repository: acme/demo-api\n  digest: NEW\n"},

	// Flux.
	"release, values": {file: "app.yaml", target: inFile,
		before: "kind: Service\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    a:\n      image:\n" +
			"        repository: ghcr.io/acme/demo-api # ours\n        digest: OLD\n    b: {image: " +
			"{repository: ghcr.io/acme/other, digest: OLD}}\n",
		after: "kind: Service\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    a:\n      image:\n" +
			"        repository: ghcr.io/acme/demo-api # ours\n        digest: NEW\n    b: {image: " +
			"{repository: ghcr.io/acme/other, digest: OLD}}\n"},
	"release, a tag with the digest": {file: "app.yaml", target: inFile,
		before: "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {values: {image: {repository: ghcr.io/acme/demo-api, " +
			"tag: 1.2@OLD}}}\n",
		after: "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {values: {image: {repository: ghcr.io/acme/demo-api, " +
			"tag: 000000000000@NEW}}}\n"},

	// Argo CD.
	"application, all that a file may hold": {file: "app.yaml", target: inFile,
		before: app + "    kustomize:\n      images: [a=ghcr.io/acme/demo-api:v1, redis:7]\n---\n" +
			"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec:\n  containers:\n  - image: ghcr.io/acme/demo-api:v1\n",
		after: app + "    kustomize:\n      images: [a=ghcr.io/acme/demo-api@NEW, redis:7]\n---\n" +
			"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec:\n  containers:\n  - image: ghcr.io/acme/demo-api@NEW\n"},
	"application, parameters of another path": {file: "app.yaml", target: inFile,
		before: app + "    helm:\n      parameters:\n      - {name: api.image.repository, value: ghcr.io/acme/demo-api}\n" +
			"      - {name: api.image.tag, value: 1.2@OLD}\n      - {name: b.repository, value: ghcr.io/acme/other}\n" +
			"      - {name: b.digest, value: OLD}\n",
		after: app + "    helm:\n      parameters:\n      - {name: api.image.repository, value: ghcr.io/acme/demo-api}\n" +
			"      - {name: api.image.tag, value: 000000000000@NEW}\n      - {name: b.repository, value: ghcr.io/acme/other}\n" +
			"      - {name: b.digest, value: OLD}\n"},
	"application set, templates of generators": {file: "app.yaml", target: inFile,
		before: set + "  generators:\n  - matrix:\n      generators:\n      - git:\n          template:\n            spec: {source: " +
			"{kustomize: {images: [ghcr.io/acme/demo-api@OLD]}}}\n" +
			"  template:\n    spec: {source: {kustomize: {images: [ghcr.io/acme/demo-api:v1]}}}\n",
		after: set + "  generators:\n  - matrix:\n      generators:\n      - git:\n          template:\n            spec: {source: " +
			"{kustomize: {images: [ghcr.io/acme/demo-api@NEW]}}}\n" +
			"  template:\n    spec: {source: {kustomize: {images: [ghcr.io/acme/demo-api@NEW]}}}\n"},
}

func chart(t *overlay.Target) { t.Chart = "chart" }

var charts = map[string]string{"chart/Chart.yaml": "name: x\n", "chart/values.yaml": "image: ghcr.io/acme/demo-api:v1\n"}

func TestSetKnowsWildFiles(t *testing.T) {
	t.Parallel()
	for name, c := range wild {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := target(t)
			if c.target != nil {
				c.target(&at)
			}
			files := map[string][]byte{dir + "/" + c.file: []byte(fill(c.before))}
			for name, text := range c.also {
				files[name] = []byte(text)
			}
			image := ref(t, newDigest)
			result, err := overlay.Set(files, at, image)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(fill(c.after), string(result.After)); d != "" {
				t.Error(d)
			}
			was, err := imageref.Parse(image.Repository() + "@" + oldDigest)
			if err != nil {
				t.Fatal(err)
			}
			if tagged := strings.Contains(c.before, ":v1"); strings.Contains(c.before, "OLD") && !tagged && result.Place.Ref != was {
				t.Errorf("before, the place ran %v, want the old digest", result.Place)
			}
			files[result.Place.File] = result.After
			if again, err := overlay.Set(files, at, image); err != nil || len(again.Edits) != 0 {
				t.Errorf("a second time: %v %+v", err, again.Edits)
			}
			if place, err := overlay.Read(files, at); err != nil || place.Ref != image || place.Tag != "" {
				t.Errorf("read back: %v %+v", err, place)
			}
		})
	}
}

// What is not changed says where it stands, and what to do.
func TestSetRefusesWildFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"UTF-16": {"kustomization.yaml", "\xff\xfei\x00m\x00", "kustomization.yaml: the file is written in UTF-16: save it as UTF-8"},
		"Latin-1": {"kustomization.yaml", "namespace: x\nimages: [] # f\xfcr\n",
			"kustomization.yaml:2: the line is not written in UTF-8: save the file as UTF-8"},
		"a pointer of Git LFS": {"values.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
			"values.yaml: it is a pointer of Git LFS"},
		"braces": {"kustomization.yaml", "{resources: [x.yaml]}\n",
			`no image "ghcr.io/acme/demo-api" under images:` + "\nfound: nothing. Add an entry, or correct the application's image or overlay in " +
				"waybill.yaml. No line is inserted for it: the file is written in braces; write it on lines"},
		"nothing uses it": {"kustomization.yaml", "resources: [unused.yaml]\n",
			"No line is inserted for it: nothing that the overlay renders uses the image"},
		"helm, two documents that hold something": {"values.yaml", "a: 1\n---\nb: 1\n", "2 YAML documents in one file; want one"},
		"helm, under a name of its own": {"values.yaml", "replicas: 1\nimages: {api: 'ghcr.io/acme/demo-api:v1'}\n",
			"values.yaml:2: the image \"ghcr.io/acme/demo-api\" stands at images.api, where no image is looked for: " +
				"set the application's helm.image to images.api"},
		"application, values as a text": {"app.yaml", app + "    helm:\n      values: |\n        image: ghcr.io/acme/demo-api:v1\n",
			"app.yaml:6: helm.values is one text, which names the image and is not changed: write it as valuesObject"},
		"application, values without a digest": {"app.yaml",
			app + "    helm:\n      valuesObject:\n        image: {repository: ghcr.io/acme/demo-api, tag: v1}\n",
			"app.yaml:7: helm.valuesObject names the image without a digest"},
		"application, parameters without a digest": {"app.yaml",
			app + "    helm:\n      parameters:\n      - {name: a.repository, value: ghcr.io/acme/demo-api}\n      - {name: a.tag, value: v1}\n",
			"app.yaml:7: helm.parameters name the image without a digest, and what the chart takes is not known here: add a parameter a.digest"},
		"application set, a patch of the template": {"app.yaml",
			set + "  templatePatch: |\n    images: [ghcr.io/acme/demo-api:v1]\n  template: {spec: {source: {kustomize: " +
				"{images: [ghcr.io/acme/demo-api:v1]}}}}\n",
			"app.yaml:4: spec.templatePatch is one text, which names the image and is not changed"},
		"application set, a variable": {"app.yaml",
			set + "  template: {spec: {source: {kustomize: {images: ['ghcr.io/acme/demo-api@{{digest}}']}}}}\n",
			"app.yaml:4: the digest is a variable, {{digest}}: write the digest itself there"},
		"Flux, values without a digest": {"app.yaml",
			"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {values: {image: {repository: ghcr.io/acme/demo-api, tag: v1}}}\n",
			"app.yaml:3: spec.values names the image without a digest, and what the chart takes is not known here"},
		"Flux, images": {"app.yaml",
			"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {images: [{name: ghcr.io/acme/demo-api, newTag: v1}]}\n",
			"The images of Flux's Kustomization are not changed: name the kustomization that it deploys as the overlay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := target(t)
			if c.file == "app.yaml" {
				inFile(&at)
			}
			if name != "nothing uses it" {
				named(&at)
			}
			_, err := overlay.Set(map[string][]byte{dir + "/" + c.file: []byte(fill(c.text))}, at, ref(t, newDigest))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
}
