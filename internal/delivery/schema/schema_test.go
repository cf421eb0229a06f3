package schema_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
)

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: meshes.acme.dev}
spec:
  group: acme.dev
  scope: Cluster
  names: {kind: Mesh, plural: meshes}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [peers]
              properties: {peers: {type: integer}, mode: {type: string, enum: [on, off]}, secret: {type: string, maxLength: 3}}
    - {name: v2, served: false, storage: false, schema: {openAPIV3Schema: {type: object}}}
`

func objects(t *testing.T, text string) []render.Object {
	t.Helper()
	list, err := render.New(map[string][]byte{"x.yaml": []byte(text)}).Manifests("x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// What the API server would refuse, or pass over, is a problem with its reason.
func TestProblems(t *testing.T) {
	t.Parallel()
	known := schema.New(objects(t, definition))
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: "
	mesh := func(rest string) string { return "apiVersion: acme.dev/v1\nkind: Mesh\nmetadata: {name: x}\n" + rest }
	for what, test := range map[string]struct{ text, want string }{
		"what fits":                 {deployment + "{replicas: 2}", ""},
		"a field that there is not": {deployment + "{replica: 2}", `unknown field "spec.replica"`},
		"several of them": {
			deployment + "{replica: 2, templat: {}}", `unknown field "spec.replica"; unknown field "spec.templat"`,
		},
		"another type": {
			deployment + "{replicas: two}",
			"cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
		},
		"no such kind": {
			"apiVersion: apps/v1\nkind: Deploymint\nmetadata: {name: x}", "Kubernetes has no kind Deploymint in apps/v1",
		},
		"no such version": {
			"apiVersion: apps/v3\nkind: Deployment\nmetadata: {name: x}", "Kubernetes has no kind Deployment in apps/v3",
		},
		"no version":        {"kind: Deployment\nmetadata: {name: x}", "it has no apiVersion"},
		"no name":           {"apiVersion: v1\nkind: ConfigMap\ndata: {a: b}", "it has no metadata.name"},
		"a name to be made": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}", ""},
		"a secret": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {a: hush!}",
			"a value of it has another type than a Secret's (hidden)",
		},
		"a definition":                 {definition, ""},
		"a definition with a mistake":  {strings.Replace(definition, "scope:", "scop:", 1), `unknown field "spec.scop"`},
		"a custom kind":                {mesh("spec: {peers: 1}"), ""},
		"its unknown field":            {mesh("spec: {peers: 1, peer: 2}"), `unknown field "spec.peer"`},
		"its missing field":            {mesh("spec: {}"), "spec.peers: Required value"},
		"its value of another type":    {mesh("spec: {peers: one}"), "spec.peers: Invalid value"},
		"its value, which is not told": {mesh("spec: {peers: 1, secret: hush}"), "spec.secret: Too long"},
		"its version": {
			"apiVersion: acme.dev/v2\nkind: Mesh\nmetadata: {name: x}", "its definition does not serve the version acme.dev/v2",
		},
		"its namespace": {
			"apiVersion: acme.dev/v1\nkind: Mesh\nmetadata: {name: x, namespace: shop}\nspec: {peers: 1}",
			"it belongs to the cluster, and names a namespace",
		},
		"a kind that nothing defines": {"apiVersion: other.dev/v1\nkind: Other\nmetadata: {name: x}\nspec: {a: b}", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(known.Problems(objects(t, test.text)[0]), "; ")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || strings.Contains(got, "hush") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDeprecated(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		text  string
		minor int
		want  string
	}{
		"a version that stays": {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}", 40, ""},
		"one that goes":        {"apiVersion: v1\nkind: Endpoints\nmetadata: {name: x}", 34, "v1 is deprecated since Kubernetes 1.33"},
		"before it goes":       {"apiVersion: v1\nkind: Endpoints\nmetadata: {name: x}", 32, ""},
		"one that is gone": {
			"apiVersion: flowcontrol.apiserver.k8s.io/v1beta3\nkind: FlowSchema\nmetadata: {name: x}", 34,
			"flowcontrol.apiserver.k8s.io/v1beta3 is gone since Kubernetes 1.32: write flowcontrol.apiserver.k8s.io/v1 instead",
		},
		"a kind of somebody else": {"apiVersion: other.dev/v1\nkind: Other\nmetadata: {name: x}", 34, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if got := schema.Deprecated(objects(t, test.text)[0], test.minor); !strings.HasPrefix(got, test.want) ||
				(got == "") != (test.want == "") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestKnows(t *testing.T) {
	t.Parallel()
	known := schema.New(objects(t, definition))
	for text, want := range map[string]bool{
		"apiVersion: apps/v7\nkind: Deploymint": true, "apiVersion: acme.dev/v9\nkind: Mesh": true, "kind: Deployment": true,
		"apiVersion: acme.dev/v1\nkind: Other": false, "apiVersion: other.dev/v1\nkind: Deployment": false, "kind: Mesh": false,
	} {
		if got := known.Knows(objects(t, text)[0]); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
