package schema

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// What rules cost is counted over all objects, and ends at a bound.
func TestCostOfAllObjects(t *testing.T) {
	t.Parallel()
	o := render.Object{APIVersion: "acme.dev/v1", Kind: "Route", Name: "x", Content: map[string]any{
		"apiVersion": "acme.dev/v1", "kind": "Route", "metadata": map[string]any{"name": "x"}, "spec": map[string]any{"a": 1},
	}}
	crd := map[string]any{"spec": map[string]any{
		"group": "acme.dev", "names": map[string]any{"kind": "Route"},
		"versions": []any{map[string]any{"name": "v1", "served": true, "schema": map[string]any{"openAPIV3Schema": map[string]any{
			"type": "object",
			"properties": map[string]any{"spec": map[string]any{
				"type": "object", "properties": map[string]any{"a": map[string]any{"type": "integer"}},
				"x-kubernetes-validations": []any{map[string]any{"rule": "self.a > 0"}},
			}},
		}}}},
	}}
	s := New([]render.Object{{APIVersion: apiextensionsv1.SchemeGroupVersion.String(), Kind: "CustomResourceDefinition", Content: crd}})
	if got := s.Problems(o); len(got) != 0 {
		t.Fatal(got)
	}
	once := s.cost.Load()
	if s.Problems(o); once == 0 || s.cost.Load() != 2*once {
		t.Errorf("the rules of one object cost %d, those of two %d", once, s.cost.Load())
	}
	s.cost.Store(maxCost + 1)
	got := strings.Join(s.Problems(o), "; ")
	if want := "cost more than 50000000 together, so one of them is too expensive"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
