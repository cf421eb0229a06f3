package examples_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// What docs/fleet.md and the config repository's README say of one more application is all
// that its clusters need: a copy of its Application, named wherever the copied one is.
func TestOneMoreApplicationIsDeployed(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "fleet.md", "an Argo CD `Application` for all environments in `clusters/base/apps/`, listed in "+
		"`clusters/base/kustomization.yaml` wherever `backend` is")
	files := exampleTree(t)
	if !strings.Contains(string(files["README.md"]), "Copy its Application in `clusters/base/apps` too") {
		t.Error("README.md does not say where the Application of a new application is")
	}
	more := func(text string) []byte { return []byte(strings.ReplaceAll(text, "backend", "orders")) }
	for name, data := range files {
		if copied := strings.ReplaceAll(name, "backend", "orders"); copied != name &&
			(strings.HasPrefix(name, "apps/backend/") || strings.HasPrefix(name, "clusters/base/apps/")) {
			files[copied] = more(string(data))
		}
	}
	const base = "clusters/base/kustomization.yaml"
	var list strings.Builder
	for line := range strings.Lines(string(files[base])) {
		list.WriteString(line)
		if strings.Contains(line, "backend.yaml") || strings.Contains(line, "name: backend}") {
			list.Write(more(line))
		}
	}
	files[base] = []byte(list.String())
	for env, namespace := range environments {
		objects, err := render.New(files).Kustomize("clusters/" + env)
		if err != nil {
			t.Fatal(err)
		}
		app, found := find(objects, "Application", func(o render.Object) bool { return o.Name == "orders" })
		if path := text(app.Content, "spec", "source", "path"); !found || path != "apps/orders/overlays/"+env {
			t.Errorf("%s deploys %q", env, path)
		}
		if got := text(app.Content, "spec", "destination", "namespace"); got != namespace {
			t.Errorf("%s deploys to the namespace %q, want %q", env, got, namespace)
		}
	}
}
