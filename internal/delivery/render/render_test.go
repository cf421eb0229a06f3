package render_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// example is the config repository of examples/config.
func example(t *testing.T) (dir string, files map[string][]byte, cfg *config.Config) {
	t.Helper()
	dir = filepath.Join(tooltest.Root(t), "examples", "config")
	files = make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err = config.Parse("waybill.yaml", files["waybill.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	return dir, files, cfg
}

func renderer(t *testing.T, files map[string][]byte) *render.Renderer {
	t.Helper()
	r := render.New(files)
	return r
}

func mustApp(t *testing.T, r *render.Renderer, cfg *config.Config, name, env string) []render.Object {
	t.Helper()
	app, err := cfg.App(name)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := r.App(t.Context(), app, env)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestAgreesWithKustomize(t *testing.T) {
	t.Parallel()
	dir, files, cfg := example(t)
	ours := mustApp(t, renderer(t, files), cfg, "backend", "prod")
	out, err := process.Command{
		Path: tooltest.Find(t, "kustomize"), Args: []string{"build", "apps/backend/overlays/prod"}, Dir: dir,
	}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	agree(t, ours, string(out))
}

func TestAgreesWithHelm(t *testing.T) {
	t.Parallel()
	dir, files, cfg := example(t)
	ours := mustApp(t, renderer(t, files), cfg, "frontend", "staging")
	out, err := process.Command{Path: tooltest.Find(t, "helm"), Dir: dir, Env: []string{"HOME=" + t.TempDir()},
		Args: []string{
			"template", "frontend", "apps/frontend/chart", "--namespace", "frontend", "--values",
			"apps/frontend/overlays/staging/values.yaml",
		}}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	agree(t, ours, string(out))
}

func agree(t *testing.T, ours []render.Object, theirs string) {
	t.Helper()
	objects, err := renderer(t, map[string][]byte{"out.yaml": []byte(theirs)}).Manifests("out.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(ours) == 0 || len(ours) != len(objects) {
		t.Errorf("%d objects, the command line makes %d", len(ours), len(objects))
	}
	if d := render.Diff(objects, ours); len(d) != 0 {
		t.Errorf("differs from the command line:\n%s", render.Text(d))
	}
}

func TestNothingOutsideTheRepositoryIsRendered(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"remote base":        "resources: ['https://github.com/evil/base?ref=main']",
		"remote base, short": "resources: [github.com/evil/base]",
		"ssh base":           "resources: ['git@github.com:evil/base.git']",
		"old field":          "bases: [https://github.com/evil/base]",
		"remote component":   "components: [https://github.com/evil/base]",
		"remote file":        "resources: [https://example.com/x.yaml]",
		"remote patch":       "resources: [ok.yaml]\npatches: [{path: https://example.com/p.yaml}]",
		"remote generator":   "configMapGenerator: [{name: x, files: ['a=https://example.com/p']}]",
		"remote env":         "secretGenerator: [{name: x, envs: ['https://example.com/p']}]",
		"remote CRD":         "crds: [https://example.com/p]",
		"remote openapi":     "openapi: {path: https://example.com/p}",
		"remote transformer": "resources: [ok.yaml]\ntransformers: [https://example.com/p]",
		"inline transformer": "resources: [ok.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  " +
			"metadata: {name: x}\n  path: https://example.com/p\n",
		"above":          "resources: [../../../etc]",
		"absolute":       "resources: [/app/ok.yaml]",
		"through a base": "resources: [base]",
		"helm inflation": "helmCharts: [{name: x, repo: https://example.com}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := renderer(t, map[string][]byte{
				"app/kustomization.yaml":      []byte(text),
				"app/ok.yaml":                 []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"),
				"app/base/kustomization.yaml": []byte("resources: [https://github.com/evil/base]"),
			})
			_, err := r.Kustomize("app")
			reason := map[string]string{"above": "leads out of the config repository", "helm inflation": "fetches and runs helm"}[name]
			if reason == "" {
				reason = "this repository"
			}
			if err == nil || !strings.Contains(err.Error(), "kustomization.yaml: ") || !strings.Contains(err.Error(), reason) {
				t.Errorf("error %v does not refuse what is outside", err)
			}
		})
	}
}

func TestHelmErrors(t *testing.T) {
	t.Parallel()
	_, files, cfg := example(t)
	app, err := cfg.App("frontend")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ file, text, want string }{
		"required value": {
			"apps/frontend/overlays/dev/values.yaml", "environment: dev\ningress: {host: dev.example}\nimage: {digest: \"\"}\n",
			"image.digest is written by Waybill",
		},
		"broken values": {
			"apps/frontend/overlays/dev/values.yaml", "image: [\n", "read values apps/frontend/overlays/dev/values.yaml",
		},
		"broken template": {"apps/frontend/chart/templates/service.yaml", "{{ .Nope", "service.yaml:1"},
		"missing dependency": {
			"apps/frontend/chart/Chart.yaml",
			"apiVersion: v2\nname: frontend\nversion: 0.1.0\ndependencies: [{name: redis, version: 1.0.0, repository: " +
				"https://example.com}]\n",
			"helm dependency build",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := make(map[string][]byte)
			for k, v := range files {
				changed[k] = v
			}
			changed[c.file] = []byte(c.text)
			_, err := renderer(t, changed).App(t.Context(), app, "dev")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
}

const before = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: prod, labels: {a: x}}
spec:
  template:
    spec:
      containers:
      - {name: api, image: "api@sha256:1", args: [a, b]}
      - {name: log, image: "log@sha256:1"}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: prod}
data: {password: b2xk}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, namespace: prod}
`

const after = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: prod, labels: {a: x, "b.c/d": "y"}}
spec:
  template:
    spec:
      containers:
      - {name: log, image: "log@sha256:1"}
      - {name: api, image: "api@sha256:2", args: [a, c]}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: prod}
data: {password: bmV3}
---
apiVersion: v1
kind: Service
metadata: {name: new, namespace: prod}
`

func TestDiffShowsFieldsAndHidesSecrets(t *testing.T) {
	t.Parallel()
	r := renderer(t, map[string][]byte{"a": []byte(before), "b": []byte(after)})
	a, err := r.Manifests("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Manifests("b")
	if err != nil {
		t.Fatal(err)
	}
	want := `-ConfigMap prod/gone
 Secret prod/s
-  data.password: (hidden)
+  data.password: (hidden)
+Service prod/new
 Deployment prod/api
+  metadata.labels["b.c/d"]: y
-  spec.template.spec.containers[api].args[1]: b
+  spec.template.spec.containers[api].args[1]: c
-  spec.template.spec.containers[api].image: api@sha256:1
+  spec.template.spec.containers[api].image: api@sha256:2
`
	if d := cmp.Diff(want, render.Text(render.Diff(a, b))); d != "" {
		t.Error(d)
	}
	if got, want := render.Images(b), []string{"log@sha256:1", "api@sha256:2"}; !slices.Equal(got, want) {
		t.Errorf("images %v, want %v", got, want)
	}
}

func TestRendererIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	_, files, cfg := example(t)
	r := renderer(t, files)
	done := make(chan []render.Object)
	for range 8 {
		go func() {
			app, _ := cfg.App("backend")
			objects, err := r.App(t.Context(), app, "prod")
			if err != nil {
				t.Error(err)
			}
			done <- objects
		}()
	}
	for range 8 {
		if objects := <-done; len(objects) != 9 {
			t.Errorf("%d objects, want 9", len(objects))
		}
	}
}

// A renderer of one changed file renders that, also where it makes a new directory, and
// leaves the first one as it was.
func TestOneFileChanged(t *testing.T) {
	t.Parallel()
	first := render.New(map[string][]byte{"a/kustomization.yaml": []byte("resources: [m.yaml]\n"), "a/m.yaml": configMap("one")})
	second := first.With("a/m.yaml", configMap("two"))
	third := second.With("b/c/kustomization.yaml", []byte("resources: [../../a]\n"))
	for _, test := range []struct {
		r         *render.Renderer
		dir, want string
	}{{first, "a", "one"}, {second, "a", "two"}, {third, "b/c", "two"}} {
		objects, err := test.r.Kustomize(test.dir)
		if err != nil || len(objects) != 1 || objects[0].Name != test.want {
			t.Errorf("%s: got %v, %v, want %s", test.dir, objects, err, test.want)
		}
	}
}

func configMap(name string) []byte {
	return []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n")
}

// What Helm ignores of a chart decides nothing here either: a later definition
// could hide another one that the cluster goes by.
func TestChartsAreReadAsHelmReadsThem(t *testing.T) {
	t.Parallel()
	for what, ignored := range map[string]string{"a file": "templates/zz.tpl\n", "a pattern": "*.tpl\n", "a directory": "more/\n"} {
		late := "c/templates/zz.tpl"
		if what == "a directory" {
			late = "c/templates/more/zz.tpl"
		}
		r := render.New(map[string][]byte{
			"c/Chart.yaml": []byte("apiVersion: v2\nname: c\nversion: 0.1.0\n"), "c/.helmignore": []byte(ignored), "v.yaml": []byte("{}\n"),
			"c/templates/_aa.txt": []byte(`{{ define "image" }}real{{ end }}`), late: []byte(`{{ define "image" }}shown{{ end }}`),
			"c/templates/p.yaml": []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: {{ " +
				"include \"image\" . }}}]}\n"),
		})
		objects, err := r.Helm(config.Helm{Chart: "c"}, "v.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if images := render.Images(objects); len(images) != 1 || images[0] != "real" {
			t.Errorf("%s: got %q", what, images)
		}
	}
}

// A chart that makes passwords, certificates and dates renders alike twice: what
// it makes is no difference between two commits.
func TestFunctionsThatChangeAreNoDifference(t *testing.T) {
	t.Parallel()
	calls := []string{
		"now", `randAlphaNum 8`, `randAlpha 8`, `randAscii 8`, `randNumeric 8`, `randBytes 8`, `randInt 1 1000000`,
		`shuffle "abcdefghijklmnop"`, "uuidv4",
		`bcrypt "x"`, `htpasswd "u" "p"`, `encryptAES "0123456789abcdef" "x"`, `genPrivateKey "ed25519"`, `(genCA "x" 1).Cert`,
		`(genSelfSignedCert "x" nil nil 1).Cert`,
		`(genSignedCert "x" nil nil 1 (genCA "x" 1)).Cert`,
	}
	template := "kind: A\nmetadata: {name: a}\ndata:\n"
	for i, call := range calls {
		template += fmt.Sprintf("  x%d: {{ %s | toString | quote }}\n", i, call)
	}
	files := map[string][]byte{
		"c/Chart.yaml": []byte("apiVersion: v2\nname: c\nversion: 0.1.0\n"), "c/templates/a.yaml": []byte(template),
		"values.yaml": []byte("x: 1\n"),
	}
	both := make([][]render.Object, 2)
	for i := range both {
		var err error
		if both[i], err = render.New(files).Helm(config.Helm{Chart: "c", Release: "r", Namespace: "n"}, "values.yaml"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range render.Diff(both[0], both[1]) {
		for _, f := range c.Fields {
			t.Errorf("%s differs", f.Path)
		}
	}
}
