package overlay_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const (
	oldDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
	newDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000002"
	dir       = "apps/demo-api/overlays/prod"
)

func target(t *testing.T) overlay.Target {
	t.Helper()
	repository, err := imageref.ParseRepository("ghcr.io/acme/demo-api")
	if err != nil {
		t.Fatal(err)
	}
	return overlay.Target{Path: dir, Image: repository}
}

func ref(t *testing.T, digest string) imageref.Ref {
	t.Helper()
	r, err := imageref.New(target(t).Image, digest)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// changes are files in which one edit is expected: what old becomes, and
// nothing else.
var changes = map[string]struct{ file, text, old, new string }{
	"digest replaced, comments and order kept": {"kustomization.yaml", `# who: platform
resources: [ ../../base ]   # flow, odd spacing

images:
# the API
- name: demo-api   # as in the base
  newName: ghcr.io/acme/demo-api
  digest: OLD # bumped by waybill
- name: sidecar
  newName: ghcr.io/acme/sidecar
  digest: OLD

namespace:   demo-api
`, "  digest: OLD # bumped by waybill", "  digest: NEW # bumped by waybill"},
	"the entry's own name is the repository": {
		"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api\n  digest: OLD\n", "OLD", "NEW",
	},
	"double quotes stay": {
		"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api\n  digest: \"OLD\"\n", "OLD", "NEW",
	},
	"single quotes stay": {"kustomization.yml", "images:\n- name: ghcr.io/acme/demo-api\n  digest: 'OLD'\n", "OLD", "NEW"},
	"line endings stay": {
		"kustomization.yaml", "images:\r\n- name: ghcr.io/acme/demo-api\r\n  digest: OLD\r\nnamespace: x\r\n", "OLD", "NEW",
	},
	"no final newline": {"Kustomization", "images:\n- name: ghcr.io/acme/demo-api\n  digest: OLD", "OLD", "NEW"},
	"byte order mark": {
		"kustomization.yaml", "\ufeffimages: [{name: ghcr.io/acme/demo-api, digest: OLD}]\n", "OLD", "NEW",
	},
	"anchor and tag stay": {
		"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api\n  digest: &d !!str OLD\n", "OLD", "NEW",
	},
	"runes before the value": {
		"kustomization.yaml", "images: [{name: ghcr.io/acme/demo-api, \"schlüssel\": ü, digest: OLD}]\n", "OLD", "NEW",
	},
	"a tag becomes the digest": {
		"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api\n  newTag: v1 # pinned\n", "newTag: v1", "digest: NEW",
	},
	"a quoted tag becomes the digest": {
		"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api\n  newTag: \"1.0\"\n", "newTag: \"1.0\"", "digest: \"NEW\"",
	},
	"a line is inserted": {
		"kustomization.yaml", "images:\n  - name: demo-api\n    newName: ghcr.io/acme/demo-api # here\nnamespace: x\n",
		"api # here\n", "api # here\n    digest: NEW\n",
	},
	"a line is inserted with its ending": {
		"kustomization.yaml", "images:\r\n- name: ghcr.io/acme/demo-api\r\n", "api\r\n", "api\r\n  digest: NEW\r\n",
	},
	"a line is inserted without newline": {"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api", "api", "api\n  digest: NEW"},
	"inserted in braces": {
		"kustomization.yaml", "images: [{name: ghcr.io/acme/demo-api}]\n", "demo-api}", "demo-api, digest: \"NEW\"}",
	},
	"helm digest": {
		"values.yaml", "replicas: 2\nimage:\n  repository: ghcr.io/acme/demo-api\n  digest: OLD\n  pullPolicy: Always\n", "OLD",
		"NEW",
	},
	"helm empty digest": {"values.yaml", "image:\n  repository: ghcr.io/acme/demo-api\n  digest: \"\"\n", `""`, `"NEW"`},
	"helm inserted": {
		"values.yaml", "image:\n    repository: ghcr.io/acme/demo-api\nother: 1\n", "api\n", "api\n    digest: NEW\n",
	},
	"application, kustomize image": {
		"app.yaml",
		"apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    kustomize:\n      images:\n      - " +
			"demo-api=ghcr.io/acme/demo-api@OLD\n",
		"OLD", "NEW",
	},
	"application, helm parameter": {
		"app.yaml",
		"apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  sources:\n  - helm:\n      parameters:\n      - {name: " +
			"image.repository, value: ghcr.io/acme/demo-api}\n      - {name: image.digest, value: \"OLD\"}\n",
		"OLD", "NEW",
	},
	"manifest": {
		"app.yaml",
		"kind: Service\n---\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: api\n        image: " +
			"ghcr.io/acme/demo-api@OLD\n      - image: busybox:1\n",
		"OLD", "NEW",
	},
	"manifest with a tag": {
		"app.yaml", "kind: Deployment\nspec:\n  containers:\n  - image: ghcr.io/acme/demo-api:v1\n", "demo-api:v1", "demo-api@NEW",
	},
}

func fill(text string) string {
	return strings.NewReplacer("OLD", oldDigest, "NEW", newDigest).Replace(text)
}

func TestSetChangesOnePlace(t *testing.T) {
	t.Parallel()
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := target(t)
			if c.file == "app.yaml" {
				at.Path = dir + "/app.yaml"
			}
			before := fill(c.text)
			files := map[string][]byte{dir + "/" + c.file: []byte(before)}
			want := strings.Replace(before, fill(c.old), fill(c.new), 1)
			if want == before {
				t.Fatal("the case changes nothing")
			}
			result, err := overlay.Set(files, at, ref(t, newDigest))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, string(result.After)); d != "" {
				t.Error(d)
			}
			if len(result.Edits) != 1 || !strings.Contains(result.Edits[0].New, newDigest) {
				t.Errorf("edits: %+v, want one line with the new digest", result.Edits)
			}
			if strings.Contains(c.old, "OLD") && result.Place.Ref != ref(t, oldDigest) {
				t.Errorf("place before: %+v, want the old digest", result.Place)
			}
			files[result.Place.File] = result.After
			again, err := overlay.Set(files, at, ref(t, newDigest))
			if err != nil {
				t.Fatal(err)
			}
			if len(again.Edits) != 0 || string(again.After) != want {
				t.Errorf("a second time: %d edits, want none", len(again.Edits))
			}
			place, err := overlay.Read(files, at)
			if err != nil {
				t.Fatal(err)
			}
			if place.Ref != ref(t, newDigest) || place.Tag != "" {
				t.Errorf("read back: %+v", place)
			}
		})
	}
}

// forms are overlays as they are found in the world: what stands there before
// and after. Set must read back what it wrote, and change nothing a second time.
var forms = map[string]struct {
	file, before, after string
	target              func(*overlay.Target)
	also                map[string]string
}{
	"kustomize, no images": {file: "kustomization.yaml", before: "resources: [x.yaml] # all\n", target: named,
		after: "resources: [x.yaml] # all\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: NEW\n"},
	"kustomize, no images and no final newline": {file: "kustomization.yaml", before: "resources: [x.yaml]", target: named,
		after: "resources: [x.yaml]\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: NEW"},
	"kustomize, images of others": {file: "kustomization.yaml", target: named,
		before: "images:\n  # the cache\n  - name: redis\n    newTag: '7' # LTS\nnamespace: x\n",
		after: "images:\n  # the cache\n  - name: redis\n    newTag: '7' # LTS\n  - name: ghcr.io/acme/demo-api\n    digest: " +
			"NEW\nnamespace: x\n"},
	"kustomize, an empty list": {file: "kustomization.yaml", before: "images: []\nnamespace: x\n", target: named,
		after: "images: [{name: \"ghcr.io/acme/demo-api\", digest: \"NEW\"}]\nnamespace: x\n"},
	"kustomize, a list in brackets": {file: "kustomization.yaml", before: "images: [{name: redis, newTag: '7'}]\n", target: named,
		after: "images: [{name: \"ghcr.io/acme/demo-api\", digest: \"NEW\"}, {name: redis, newTag: '7'}]\n"},
	"kustomize, no value": {file: "kustomization.yaml", before: "images:\nnamespace: x\n", target: named,
		after: "images:\n- name: ghcr.io/acme/demo-api\n  digest: NEW\nnamespace: x\n"},
	"kustomize, carriage returns": {file: "kustomization.yaml", before: "namespace: x\r\nimages:\r\n- name: redis\r\n  newTag: " +
		"'7'\r\n", target: named,
		after: "namespace: x\r\nimages:\r\n- name: redis\r\n  newTag: '7'\r\n- name: ghcr.io/acme/demo-api\r\n  digest: NEW\r\n"},
	"kustomize, two spellings": {file: "kustomization.yaml", before: "namespace: x\n",
		target: func(t *overlay.Target) { hub(t); t.Names = []string{"acme/demo-api", "docker.io/acme/demo-api"} },
		after:  "namespace: x\nimages:\n- name: acme/demo-api\n  digest: NEW\n- name: docker.io/acme/demo-api\n  digest: NEW\n"},
	"kustomize, where Docker Hub's registry answers": {file: "kustomization.yaml",
		before: "images:\n- name: registry-1.docker.io/acme/demo-api\n  digest: OLD\n", target: hub,
		after: "images:\n- name: registry-1.docker.io/acme/demo-api\n  digest: NEW\n"},
	"kustomize, two entries": {file: "kustomization.yaml",
		before: "images:\n- name: api\n  newName: ghcr.io/acme/demo-api\n  newTag: v1\n- name: worker\n  newName: " +
			"ghcr.io/acme/demo-api\n  digest: OLD\n",
		after: "images:\n- name: api\n  newName: ghcr.io/acme/demo-api\n  digest: NEW\n- name: worker\n  newName: " +
			"ghcr.io/acme/demo-api\n  digest: NEW\n"},
	"kustomize, a tag beside the digest": {file: "kustomization.yaml",
		before: "images:\n- name: ghcr.io/acme/demo-api\n  newTag: v1 # was\n  digest: OLD\n",
		after:  "images:\n- name: ghcr.io/acme/demo-api\n  newTag: \"\" # was\n  digest: NEW\n"},
	"kustomize, Docker Hub": {file: "kustomization.yaml", target: hub,
		before: "images:\n- name: acme/demo-api\n  newTag: v1\n", after: "images:\n- name: acme/demo-api\n  digest: NEW\n"},
	"helm, registry apart": {file: "values.yaml",
		before: "image: {registry: ghcr.io, repository: acme/demo-api, tag: v1, digest: \"\"}\n",
		after:  "image: {registry: ghcr.io, repository: acme/demo-api, tag: v1, digest: \"NEW\"}\n"},
	"helm, registry of all": {file: "values.yaml",
		before: "global:\n  imageRegistry: ghcr.io\nimage:\n  repository: acme/demo-api\n  digest: OLD\n",
		after:  "global:\n  imageRegistry: ghcr.io\nimage:\n  repository: acme/demo-api\n  digest: NEW\n"},
	"helm, one text": {
		file: "values.yaml", before: "image: ghcr.io/acme/demo-api@OLD # pinned\n",
		after: "image: ghcr.io/acme/demo-api@NEW # pinned\n",
	},
	"helm, one text with a tag": {
		file: "values.yaml", before: "image: \"ghcr.io/acme/demo-api:v1\"\n", after: "image: \"ghcr.io/acme/demo-api@NEW\"\n",
	},
	"helm, digest without text": {file: "values.yaml",
		before: "image:\n  digest:\n  repository: ghcr.io/acme/demo-api\n", after: "image:\n  digest: NEW\n  repository: " +
			"ghcr.io/acme/demo-api\n"},
	"helm, sha": {file: "values.yaml",
		before: "image:\n  repository: ghcr.io/acme/demo-api\n  tag: v1\n  sha: \"\"\n", after: "image:\n  repository: " +
			"ghcr.io/acme/demo-api\n  tag: v1\n  sha: \"HEX\"\n"},
	"helm, a tag with the digest": {file: "values.yaml",
		before: "image:\n  repository: ghcr.io/acme/demo-api\n  tag: 1.2@OLD\n", after: "image:\n  repository: " +
			"ghcr.io/acme/demo-api\n  tag: 000000000000@NEW\n"},
	"helm, a chart that knows tags alone": {file: "values.yaml", target: func(t *overlay.Target) { t.Tagged = true },
		before: "image:\n  repository: ghcr.io/acme/demo-api\n  tag: \"v1\"\n", after: "image:\n  repository: " +
			"ghcr.io/acme/demo-api\n  tag: \"000000000000@NEW\"\n"},
	"helm, a tag left to the chart": {file: "values.yaml", target: func(t *overlay.Target) { t.Tagged = true },
		before: "image:\n  repository: ghcr.io/acme/demo-api\n  # appVersion\n  tag:\n  x: 1\n", after: "image:\n  repository: " +
			"ghcr.io/acme/demo-api\n  # appVersion\n  tag: 000000000000@NEW\n  x: 1\n"},
	"helm, repository and tag side by side": {file: "values.yaml", target: func(t *overlay.Target) { t.Tagged = true },
		before: "image: ghcr.io/acme/demo-api\nimageTag: v1\n", after: "image: ghcr.io/acme/demo-api\nimageTag: 000000000000@NEW\n"},
	"helm, several parts of one image": {file: "values.yaml",
		before: "api:\n  image: {repository: ghcr.io/acme/demo-api, digest: OLD}\nworkers:\n- image: {repository: " +
			"ghcr.io/acme/demo-api, digest: OLD}\n- image: {repository: ghcr.io/acme/other, digest: OLD}\n",
		after: "api:\n  image: {repository: ghcr.io/acme/demo-api, digest: NEW}\nworkers:\n- image: {repository: " +
			"ghcr.io/acme/demo-api, digest: NEW}\n- image: {repository: ghcr.io/acme/other, digest: OLD}\n"},
	"helm, values under another name": {file: "values-prod.yaml", target: func(t *overlay.Target) { t.Path += "/values-prod.yaml" },
		before: "image:\n  repository: ghcr.io/acme/demo-api\n  digest: OLD\n", after: "image:\n  repository: " +
			"ghcr.io/acme/demo-api\n  digest: NEW\n"},
	"helm, the image is the chart's": {file: "values.yaml", target: func(t *overlay.Target) { t.Chart = "chart" },
		also: map[string]string{
			"chart/Chart.yaml":  "name: x\n",
			"chart/values.yaml": "server:\n  image:\n    registry: ghcr.io\n    repository: acme/demo-api\n    tag: v1\n",
		},
		before: "server:\n  # of prod\n  replicas: 2\n",
		after:  "server:\n  # of prod\n  image:\n    registry: ghcr.io\n    repository: acme/demo-api\n    digest: NEW\n  replicas: 2\n"},
	"helm, nothing but what differs": {file: "values.yaml", target: func(t *overlay.Target) { t.Chart = "chart" },
		also:   map[string]string{"chart/Chart.yaml": "name: x\n", "chart/values.yaml": "image: ghcr.io/acme/demo-api:v1\n"},
		before: "replicas: 2\n", after: "replicas: 2\nimage: ghcr.io/acme/demo-api@NEW\n"},
	"application set": {file: "app.yaml", target: inFile,
		before: "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n  template:\n    spec:\n      source:\n        " +
			"kustomize:\n          images: [\"ghcr.io/acme/demo-api:v1\"]\n",
		after: "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec:\n  template:\n    spec:\n      source:\n        " +
			"kustomize:\n          images: [\"ghcr.io/acme/demo-api@NEW\"]\n"},
	"application, values": {file: "app.yaml", target: inFile,
		before: "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      valuesObject:\n        " +
			"api:\n          image:\n            repository: ghcr.io/acme/demo-api\n            digest: OLD\n",
		after: "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  source:\n    helm:\n      valuesObject:\n        " +
			"api:\n          image:\n            repository: ghcr.io/acme/demo-api\n            digest: NEW\n"},
	"manifest, two containers": {file: "app.yaml", target: inFile,
		before: "kind: Deployment\nspec:\n  initContainers: [{image: \"ghcr.io/acme/demo-api:v1@OLD\"}]\n  containers:\n  - image: " +
			"ghcr.io/acme/demo-api:v1\n  - image: redis:7\n",
		after: "kind: Deployment\nspec:\n  initContainers: [{image: \"ghcr.io/acme/demo-api@NEW\"}]\n  containers:\n  - image: " +
			"ghcr.io/acme/demo-api@NEW\n  - image: redis:7\n"},
	"manifest, a custom resource": {file: "app.yaml", target: inFile,
		before: "kind: Runner\nspec:\n  runnerImage: ghcr.io/acme/demo-api@OLD\n", after: "kind: Runner\nspec:\n  runnerImage: " +
			"ghcr.io/acme/demo-api@NEW\n"},
	"manifest, fields of other names": {file: "app.yaml", target: inFile,
		before: "kind: Mesh\nspec:\n  use: ghcr.io/acme/demo-api:v1@OLD # it\n  all: [redis@OLD, 'ghcr.io/acme/demo-api@OLD']\n" +
			"  say: ghcr.io/acme/demo-api@OLD is old\n",
		after: "kind: Mesh\nspec:\n  use: ghcr.io/acme/demo-api@NEW # it\n  all: [redis@OLD, 'ghcr.io/acme/demo-api@NEW']\n" +
			"  say: ghcr.io/acme/demo-api@OLD is old\n"},
}

func named(t *overlay.Target)  { t.Names = []string{t.Image.Name()} }
func inFile(t *overlay.Target) { t.Path += "/app.yaml" }
func hub(t *overlay.Target) {
	repository, err := imageref.ParseRepository("docker.io/acme/demo-api")
	if err != nil {
		panic(err)
	}
	t.Image = repository
}

func TestSetKnowsTheFormsOfTheWorld(t *testing.T) {
	t.Parallel()
	for name, c := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := target(t)
			if c.target != nil {
				c.target(&at)
			}
			image, err := imageref.New(at.Image, newDigest)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{dir + "/" + c.file: []byte(fill(c.before))}
			for name, text := range c.also {
				files[name] = []byte(text)
			}
			result, err := overlay.Set(files, at, image)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(fill(c.after), "HEX", image.Hex())
			if d := cmp.Diff(want, string(result.After)); d != "" {
				t.Error(d)
			}
			if len(result.Edits) == 0 {
				t.Error("no edits are told")
			}
			files[result.Place.File] = result.After
			again, err := overlay.Set(files, at, image)
			if err != nil || len(again.Edits) != 0 {
				t.Errorf("a second time: %v %+v", err, again.Edits)
			}
			at.Names, at.Tagged = nil, false
			place, err := overlay.Read(files, at)
			if err != nil || place.Ref != image || place.Tag != "" {
				t.Errorf("read back: %v %+v", err, place)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"no entry": {
			"kustomization.yaml", "images:\n- name: x\n  newName: ghcr.io/acme/demo-web\n",
			"kustomization.yaml:2: no image \"ghcr.io/acme/demo-api\" under images:\nfound: ghcr.io/acme/demo-web",
		},
		"no images at all": {
			"kustomization.yaml", "resources: []\n",
			"kustomization.yaml:1: no image \"ghcr.io/acme/demo-api\" under images:\nfound: nothing",
		},
		"no overlay":   {"README.md", "x", "looked for kustomization.yaml, kustomization.yml, Kustomization, values.yaml"},
		"alias":        {"kustomization.yaml", "x: &d OLD\nimages:\n- name: ghcr.io/acme/demo-api\n  digest: *d\n", "is an alias"},
		"block scalar": {"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api\n  digest: >-\n    OLD\n", "block scalar"},
		"malformed digest": {
			"kustomization.yaml", "images:\n- name: ghcr.io/acme/demo-api\n  digest: sha256:12\n",
			"kustomization.yaml:3: image reference",
		},
		"two documents":      {"kustomization.yaml", "images: []\n---\nimages: []\n", "2 YAML documents"},
		"not YAML":           {"kustomization.yaml", "images: [\n", "kustomization.yaml: "},
		"empty":              {"kustomization.yaml", "", "the file is empty"},
		"helm without image": {"values.yaml", "replicas: 1\n", `no "image" in the values`},
		"helm of another image": {
			"values.yaml", "image: {repository: ghcr.io/acme/demo-web, digest: \"\"}\n", "found: ghcr.io/acme/demo-web",
		},
		"helm without either": {"values.yaml", "image:\n  tag: x\n", "neither repository nor digest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := target(t)
			if c.file == "app.yaml" {
				at.Path = dir + "/app.yaml"
			}
			_, err := overlay.Set(map[string][]byte{dir + "/" + c.file: []byte(fill(c.text))}, at, ref(t, newDigest))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
}

func TestSetRefusesAnotherRepository(t *testing.T) {
	t.Parallel()
	other, err := imageref.Parse("ghcr.io/evil/demo-api@" + newDigest)
	if err != nil {
		t.Fatal(err)
	}
	_, err = overlay.Set(
		map[string][]byte{dir + "/kustomization.yaml": []byte("images: [{name: ghcr.io/acme/demo-api}]")}, target(t), other,
	)
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "not in ghcr.io/acme/demo-api") {
		t.Errorf("error %v", err)
	}
}

// FuzzSet looks for files in which more than the digest changes.
func FuzzSet(f *testing.F) {
	for _, c := range changes {
		if c.file != "app.yaml" {
			f.Add(fill(c.text))
		}
	}
	repository, err := imageref.ParseRepository("ghcr.io/acme/demo-api")
	if err != nil {
		f.Fatal(err)
	}
	at := overlay.Target{Path: dir, Image: repository}
	digest, err := imageref.New(repository, newDigest)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		result, err := overlay.Set(map[string][]byte{dir + "/kustomization.yaml": []byte(text)}, at, digest)
		if err != nil {
			return
		}
		if len(result.Edits) > 1 {
			t.Errorf("%d lines changed in\n%s", len(result.Edits), text)
		}
		place, err := overlay.Read(map[string][]byte{dir + "/kustomization.yaml": result.After}, at)
		if err != nil || place.Ref != digest {
			t.Errorf("read back %v %v from\n%s", place, err, result.After)
		}
	})
}
