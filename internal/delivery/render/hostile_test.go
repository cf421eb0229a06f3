package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
)

// aliases is 1 KB of YAML that stands for more than a thousand million values.
func aliases() string {
	out := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		out += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	return out
}

const object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"

func indented(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n" }

func TestKustomizationsStayWithinBounds(t *testing.T) {
	t.Parallel()
	explosion := map[string]string{"app/kustomization.yaml": "resources: [ok.yaml]\ncomponents: [../c0/a, ../c0/b]\n"}
	for i := range 20 {
		for _, side := range []string{"a", "b"} {
			explosion[fmt.Sprintf("c%d/%s/kustomization.yaml", i, side)] =
				fmt.Sprintf(
					"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncomponents: [../../c%d/a, ../../c%d/b]\n", i+1,
					i+1,
				)
		}
	}
	for _, side := range []string{"a", "b"} {
		explosion["c20/"+side+"/kustomization.yaml"] = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	}
	doubling := "- {op: add, path: /data, value: {a: x}}\n"
	for range 40 {
		doubling += "- {op: copy, from: /data, path: /data/b}\n- {op: copy, from: /data, path: /data/c}\n"
	}
	bomb := object + "data:\n  " + strings.ReplaceAll(aliases(), "\n", "\n  ") + "\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"bomb in the kustomization": {
			map[string]string{"app/kustomization.yaml": "resources: [ok.yaml]\n" + aliases()},
			"app/kustomization.yaml: the content has more than 1000000 values",
		},
		"bomb in a resource": {
			map[string]string{"app/kustomization.yaml": "resources: [bomb.yaml]", "app/bomb.yaml": bomb},
			"app/bomb.yaml: the content has more than 1000000 values",
		},
		"bomb in a patch": {
			map[string]string{"app/kustomization.yaml": "resources: [ok.yaml]\npatches: [{path: bomb.yaml}]", "app/bomb.yaml": bomb},
			"app/bomb.yaml: the content has more than",
		},
		"bomb in an inline patch": {
			map[string]string{"app/kustomization.yaml": "resources: [ok.yaml]\npatches:\n- patch: |\n" + indented(bomb)},
			"an inline patch: the content has more than",
		},
		"bomb in a transformer": {
			map[string]string{
				"app/kustomization.yaml": "resources: [ok.yaml]\ntransformers: [t.yaml]",
				"app/t.yaml":             "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npatch: |\n" + indented(bomb),
			},
			"app/t.yaml: the content has more than",
		},
		"a circle": {
			map[string]string{
				"app/kustomization.yaml": "resources: [ok.yaml, ../b]", "b/kustomization.yaml": "resources: [../c]",
				"c/kustomization.yaml": "resources: [../b]",
			},
			"b: the kustomizations refer to each other in a circle",
		},
		"itself": {
			map[string]string{"app/kustomization.yaml": "resources: [ok.yaml, ../app]"},
			"app: the kustomizations refer to each other in a circle",
		},
		"components that multiply": {explosion, "rendering it loads more than 10000 files or 64 MiB"},
		"a large file, many times": {
			map[string]string{
				"app/kustomization.yaml": "resources: [ok.yaml]\nconfigMapGenerator:\n- {name: a, files: [" + strings.Repeat("large.bin,", 70) + "]}\n",
				"app/large.bin":          strings.Repeat("x", 1<<20),
			},
			"more than 10000 files or 64 MiB",
		},
		"a patch that copies itself": {
			map[string]string{
				"app/kustomization.yaml": "resources: [ok.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n" + indented(doubling),
			},
			"the accumulated size increase of copy is",
		},
		"deep": {
			map[string]string{
				"app/kustomization.yaml": "resources: [deep.yaml]",
				"app/deep.yaml":          object + "data: {a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}\n",
			},
			"app/deep.yaml:4: the content is nested more than 200 levels deep",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{"app/ok.yaml": []byte(object)}
			for k, v := range c.files {
				files[k] = []byte(v)
			}
			if _, err := renderer(t, files).Kustomize("app"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.300v, want %q", err, c.want)
			}
		})
	}
}

func TestChartsStayWithinBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"bomb in the overlay": {"o/values.yaml", aliases(), "o/values.yaml: the content has more than"},
		"bomb in the chart":   {"chart/values.yaml", aliases(), "chart/values.yaml: the content has more than"},
		"bomb in its metadata": {
			"chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\nannotations:\n  x: x\n" + aliases(),
			"chart/Chart.yaml: the content has more than",
		},
		"bomb of a subchart": {"chart/charts/sub/values.yaml", aliases(), "chart/charts/sub/values.yaml: the content has more than"},
		"bomb in what is rendered": {
			"chart/templates/x.yaml", object + "data:\n  " + strings.ReplaceAll(aliases(), "\n", "\n  "),
			"the content has more than",
		},
		"schema of this machine": {
			"chart/values.schema.json", `{"$ref": "file:///etc/passwd"}`,
			`chart/values.schema.json: "file:///etc/passwd" is not in this file`,
		},
		"schema of another server": {
			"chart/values.schema.json", `{"properties": {"x": {"allOf": [{"$ref": "http://127.0.0.1:1/x"}]}}}`,
			`"http://127.0.0.1:1/x" is not in this file`,
		},
		"schema by its own name": {
			"chart/values.schema.json", `{"$id": "http://127.0.0.1:1/", "$dynamicRef": "x.json"}`, `"x.json" is not in this file`,
		},
		"schema's schema": {
			"chart/values.schema.json", `{"$schema": "http://127.0.0.1:1/x"}`, `"http://127.0.0.1:1/x" is not in this file`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{
				"chart/Chart.yaml": []byte("apiVersion: v2\nname: c\nversion: 0.1.0\n"), "chart/templates/ok.yaml": []byte(object),
				"o/values.yaml":            []byte("a: b\n"),
				"chart/values.schema.json": []byte(`{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/$defs/a", "$defs": {"a": {}}}`),
			}
			h := config.Helm{Chart: "chart", Release: "r", Namespace: "n"}
			if _, err := renderer(t, files).Helm(h, "o/values.yaml"); err != nil {
				t.Fatalf("before: %v", err)
			}
			files[c.file] = []byte(c.text)
			if _, err := renderer(t, files).Helm(h, "o/values.yaml"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.300v, want %q", err, c.want)
			}
		})
	}
}

// A single call of a function cannot ask for any amount of memory, and what
// charts ask for is as it was.
func TestTemplatesStayWithinBounds(t *testing.T) {
	t.Parallel()
	render := func(template string) (string, error) {
		objects, err := renderer(t, map[string][]byte{
			"chart/Chart.yaml":       []byte("apiVersion: v2\nname: c\nversion: 0.1.0\n"),
			"o/values.yaml":          []byte("count: 100000000\nwords: [a, b]\n"),
			"chart/templates/t.yaml": []byte(object + "data:\n  a: {{ print (" + template + ") | trunc 100 | quote }}\n"),
		}).Helm(config.Helm{Chart: "chart", Release: "r", Namespace: "n"}, "o/values.yaml")
		if err != nil {
			return "", err
		}
		data, _ := objects[0].Content["data"].(map[string]any)
		text, _ := data["a"].(string)
		return text, nil
	}
	for _, template := range []string{
		`repeat 10000000000 "x"`, `repeat (int .Values.count) "x"`, `repeat (mul 100000 100000 | int) "xy"`, `until 1000000000`,
		`until -1000000000`, `untilStep 0 1000000000 1`, `untilStep 1000000000 0 -7`,
		`seq 1000000000`, `seq 1 1000000000`, `seq 0 2 1000000000`, `indent 1000000000 "x"`, `nindent 1000000000 "x"`,
		`replace "x" (repeat 1000000 "y") (repeat 1000000 "x")`,
		`join (repeat 1000000 "y") (until 1000000)`, `join "" (list (repeat 10000000 "x") (repeat 10000000 "x"))`,
		`wrapWith 1 (repeat 1000000 "y") (repeat 1000000 "x")`,
		`randAlphaNum 1000000000`, `randAlpha 1000000000`, `randAscii 1000000000`, `randNumeric 1000000000`, `randBytes 1000000000`,
	} {
		if got, err := render(template); err == nil ||
			!strings.Contains(err.Error(), "would make more than 16 MiB of text, or more than 1000000 numbers") {
			t.Errorf("%s: got %q, %.200v", template, got, err)
		}
	}
	for template, want := range map[string]string{
		`repeat 3 "ab"`: "ababab", `until 4`: "[0 1 2 3]", `until -2`: "[0 -1]", `untilStep 1 8 3`: "[1 4 7]",
		`untilStep 3 0 1`: "[]", `seq 3`: "1 2 3", `seq 2 -1`: "2 1 0 -1", `seq 1 2 6`: "1 3 5", `seq 1 0 3`: "",
		`indent 2 "a\nb"`: "  a\n  b", `nindent 2 "a"`: "\n  a", `replace "a" "bb" "aXa"`: "bbXbb", `join "-" .Values.words`: "a-b",
		`wrapWith 1 "-" "a b"`: "a-b", `randNumeric 4 | len`: "4",
	} {
		if got, err := render(template); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", template, got, err, want)
		}
	}
}

// Names that Go's module rules, Windows or a terminal would not take.
var oddNames = []string{
	"docs/Read me.md", "docs/logo@2x.png", "docs/CON", "docs/aux.txt", "docs/a\nb", "docs/\x01\x7f", "docs/\xff\xfe.bin",
	"docs/ü 😀.md", `docs/a\b:c*?"<>|`,
	"docs/" + strings.Repeat("x", 255), ".hidden/..x", "docs/-rf", "docs/ends.", "docs/ends ", "docs/'quote'",
}

func TestAnyNameOfAFileIsTaken(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{
		"app/kustomization.yaml": []byte("resources: [ok.yaml, 'Read me.yaml']\nconfigMapGenerator: [{name: logo, files: " +
			"[logo@2x.png]}]\n"),
	}
	for _, name := range oddNames {
		files[name] = []byte("anything")
	}
	files["app/ok.yaml"], files["app/logo@2x.png"] = []byte(object), []byte("png")
	files["app/Read me.yaml"] = []byte(strings.ReplaceAll(object, "name: x", "name: y"))
	objects, err := renderer(t, files).Kustomize("app")
	if err != nil || len(objects) != 3 {
		t.Errorf("%d objects, want 3: %v", len(objects), err)
	}
}

func TestListsAreTheirItems(t *testing.T) {
	t.Parallel()
	list := "apiVersion: v1\nkind: %s\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, " +
		"image: one}]}}\n" +
		"- {apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [{name: c, " +
		"image: two}]}}]}\n"
	for _, kind := range []string{"List", "PodList", "Anything"} {
		objects, err := renderer(t, map[string][]byte{"f.yaml": fmt.Appendf(nil, list, kind)}).Manifests("f.yaml")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range objects {
			got = append(got, o.String())
		}
		if strings.Join(got, ", ") != "Pod a, Pod b" {
			t.Errorf("%s: %v", kind, got)
		}
	}
	objects, err := renderer(
		t, map[string][]byte{"f.yaml": []byte("apiVersion: x/v1\nkind: Menu\nmetadata: {name: m}\nitems: [soup]\n")},
	).Manifests("f.yaml")
	if err != nil || len(objects) != 1 || objects[0].Kind != "Menu" {
		t.Errorf("items that are no objects: %v, %v", objects, err)
	}
}
