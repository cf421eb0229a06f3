package examples_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// environments are those of the examples, and where their applications run.
var environments = map[string]string{"dev": "shop", "staging": "staging", "prod": "production"}

// tree is the files of a config repository, by slash path.
type tree map[string][]byte

// exampleTree is examples/config as init writes it: without marks.
func exampleTree(t *testing.T) tree {
	t.Helper()
	return treeOf(t, starter.Names{})
}

// treeOf is the config repository of the example organisation that init writes for
// some choices.
func treeOf(t *testing.T, choices starter.Names) tree {
	t.Helper()
	dir := t.TempDir()
	choices.Owner, choices.Domain = "acme", "acme.example"
	if _, err := starter.Write(dir, starter.Config, choices, false); err != nil {
		t.Fatal(err)
	}
	return readTree(t, dir)
}

func readTree(t *testing.T, root string) tree {
	t.Helper()
	files := make(tree)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		files[filepath.ToSlash(relative)] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// with is a copy in which old is new in one file; old has to be there.
func (f tree) with(t *testing.T, file, old, new string) tree {
	t.Helper()
	if !strings.Contains(string(f[file]), old) {
		t.Fatalf("%s does not have %q: the mutation changes nothing", file, old)
	}
	changed := maps.Clone(f)
	changed[file] = []byte(strings.Replace(string(f[file]), old, new, 1))
	return changed
}

// unit is something that Argo CD renders as one, and what comes of it.
type unit struct {
	name    string // its directory, or file
	env     string // empty when it is every environment's
	app     string // empty when it is the platform's
	objects []render.Object
}

// render renders everything that an environment's cluster gets from this
// repository itself: kustomizations, plain manifests, and the applications.
func (f tree) render(t *testing.T) []unit {
	t.Helper()
	return f.renderChanged(t, nil, "")
}

// renderChanged renders the units that read a file, and takes the others from
// what was rendered before.
func (f tree) renderChanged(t *testing.T, before []unit, changed string) []unit {
	t.Helper()
	known := make(map[string]unit)
	for _, u := range before {
		known[u.name] = u
	}
	readers := f.readers(changed)
	return f.renderBy(t, func(u unit, dirs []string, objects func() ([]render.Object, error)) (unit, error) {
		if old, ok := known[u.name]; ok && !slices.ContainsFunc(dirs, func(dir string) bool { return readers[dir] }) {
			return old, nil
		}
		var err error
		u.objects, err = objects()
		return u, err
	})
}

// renderBy renders every unit by a function that may know it already.
func (f tree) renderBy(
	t *testing.T, by func(u unit, dirs []string, objects func() ([]render.Object, error)) (unit, error),
) []unit {
	t.Helper()
	renderer := render.New(f)
	var units []unit
	add := func(u unit, dirs []string, objects func() ([]render.Object, error)) {
		u, err := by(u, dirs, objects)
		if err != nil {
			t.Fatal(err)
		}
		if u.app != "" {
			for i, o := range u.objects { // Argo CD's destination
				if o.Namespace == "" {
					u.objects[i].Namespace = environments[u.env]
				}
			}
		}
		units = append(units, u)
	}
	for _, file := range slices.Sorted(maps.Keys(f)) {
		dir, base := path.Split(file)
		dir = strings.TrimSuffix(dir, "/")
		switch {
		case strings.HasPrefix(dir, "apps/"): // below, as waybill.yaml says
		case base == "kustomization.yaml" && !strings.Contains(string(f[file]), "kind: Component"):
			add(unit{name: dir, env: environmentOf(dir)}, []string{dir}, func() ([]render.Object, error) { return renderer.Kustomize(dir) })
		case base == "root.yaml":
			add(
				unit{name: file, env: environmentOf(dir)}, []string{dir},
				func() ([]render.Object, error) { return renderer.Manifests(file) },
			)
		}
	}
	cfg, err := config.Parse("waybill.yaml", f["waybill.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range cfg.AppNames() {
		for _, env := range cfg.EnvironmentNames() {
			app, err := cfg.App(name)
			if err != nil {
				t.Fatal(err)
			}
			u := unit{name: app.Overlay(env), env: env, app: name}
			add(u, []string{u.name, app.Helm(env).Chart}, func() ([]render.Object, error) { return renderer.App(t.Context(), app, env) })
		}
	}
	return units
}

// readers are the directories whose rendering depends on a file: the one it is
// in, those above, and those that refer to one of these.
func (f tree) readers(file string) map[string]bool {
	refersTo := make(map[string][]string) // from a directory to those that name it
	for name, data := range f {
		dir, base := path.Split(name)
		var k struct{ Resources, Components []string }
		if base != "kustomization.yaml" || yaml.Unmarshal(data, &k) != nil {
			continue
		}
		for _, entry := range slices.Concat(k.Resources, k.Components) {
			target := path.Join(dir, entry)
			refersTo[target] = append(refersTo[target], path.Clean(dir))
		}
	}
	found := make(map[string]bool)
	var add func(dir string)
	add = func(dir string) {
		for ; dir != "." && !found[dir]; dir = path.Dir(dir) {
			found[dir] = true
			for _, reader := range refersTo[dir] {
				add(reader)
			}
		}
	}
	add(path.Dir(file))
	return found
}

func environmentOf(dir string) string {
	if rest, ok := strings.CutPrefix(dir, "clusters/"); ok {
		env, _, _ := strings.Cut(rest, "/")
		return env
	}
	return ""
}

// dig follows keys through maps; nil when there is nothing.
func dig(v any, keys ...string) any {
	for _, key := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func text(v any, keys ...string) string {
	s, _ := dig(v, keys...).(string)
	return s
}

func list(v any, keys ...string) []any {
	l, _ := dig(v, keys...).([]any)
	return l
}
