package render_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// The schema that Kustomize merges by is one for the process: what one kustomization sets
// must not decide what another one renders.
func TestASchemaStaysWithItsKustomization(t *testing.T) {
	t.Parallel()
	const patch = "patches:\n- patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: " +
		"{containers: [{name: b, image: b}]}}}}'\n"
	r := render.New(map[string][]byte{
		"plain/kustomization.yaml": []byte("resources: [d.yaml]\n" + patch),
		"plain/d.yaml": []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: " +
			"[{name: a, image: a}]}}}\n"),
		"own/kustomization.yaml": []byte("resources: [../plain/d.yaml]\nopenapi: {path: schema.json}\n" + patch),
		"own/schema.json": []byte(`{"definitions": {"Deployment": {"type": "object", "x-kubernetes-group-version-kind": ` +
			`[{"group": "apps", "version": "v1", "kind": "Deployment"}]}}}`),
		"above/kustomization.yaml": []byte("resources: [../own]\n"),
	})
	for _, step := range []struct {
		dir  string
		want []string
	}{
		{"plain", []string{"b", "a"}}, {"own", []string{"b"}}, {"plain", []string{"b", "a"}},
		{"above", []string{"b"}}, {"plain", []string{"b", "a"}},
	} {
		objects, err := r.Kustomize(step.dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, render.Images(objects)); diff != "" {
			t.Errorf("%s: %s", step.dir, diff)
		}
	}
}
