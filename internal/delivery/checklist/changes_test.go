package checklist_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/checklist"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
)

const reviewed = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a, istio: on}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: shop}
rules:
  - {apiGroups: [""], resources: [pods, "*/log"], verbs: [get]}
  - {apiGroups: [apps], resources: [deployments], verbs: ["*"], resourceNames: [api]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}, {nonResourceURLs: [/metrics, /debug/*], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: ServiceAccount, name: s, namespace: shop}]
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk, namespace: shop}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings-2g4f5bk7c9, namespace: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: s, namespace: shop, annotations: {eks.amazonaws.com/role-arn: reader}}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: ms.acme.dev}}
`

// What a reviewer must know of a change is said, with the object, and nothing else is.
func TestChanges(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ old, new, want string }{
		"nothing":           {"", "", ""},
		"a label that goes": {"team: a, ", "", "namespace-labels: Namespace shop: its labels change: team=a goes"},
		"another value":     {"team: a", "team: b", "namespace-labels: Namespace shop: its labels change: team goes from a to b"},
		"a new label":       {"team: a", "team: a, x: z", "namespace-labels: Namespace shop: its labels change: x=z is new"},
		"a verb more": {"verbs: [get]}\n  -", "verbs: [get, list]}\n  -",
			"rbac: Role shop/r: it newly allows: list pods, list */log",
		},
		"a resource more":           {"[pods,", "[pods, secrets,", "rbac: Role shop/r: it newly allows: get secrets"},
		"a subresource that it had": {"[pods,", "[pods, pods/log,", ""},
		"a verb of any verb":        {`["*"], resourceNames`, `[get], resourceNames`, ""},
		"any name":                  {", resourceNames: [api]", "", "rbac: Role shop/r: it newly allows: * deployments.apps"},
		"another name":              {"[api]", "[api, web]", "rbac: Role shop/r: it newly allows: * deployments.apps web"},
		"another group":             {"[apps]", "[apps, batch]", "rbac: Role shop/r: it newly allows: * deployments.batch api"},
		"a part of everything":      {`resources: ["*"], verbs: ["*"]`, `resources: [secrets], verbs: ["*"]`, ""},
		"a URL":                     {"[/metrics,", "[/metrics, /logs,", "rbac: ClusterRole all: it newly allows: get /logs"},
		"a URL below":               {"[/metrics,", "[/metrics, /debug/x,", ""},
		"roles of roles": {"name: all}\n", "name: all}\naggregationRule: {clusterRoleSelectors: [{}]}\n",
			"rbac: ClusterRole all: its aggregationRule changes: what it allows comes from other roles"},
		"a subject more": {"subjects: [", "subjects: [{kind: Group, name: all}, ",
			"rbac: RoleBinding shop/b: it newly gives Role r to: Group all"},
		"a subject of another namespace": {"namespace: shop}]", "namespace: web}]",
			"rbac: RoleBinding shop/b: it newly gives Role r to: ServiceAccount web/s"},
		"another role": {"kind: Role, name: r}", "kind: ClusterRole, name: admin}",
			"rbac: RoleBinding shop/b: it newly gives ClusterRole admin to: ServiceAccount shop/s"},
		"a new role": {"name: r, namespace: shop}", "name: q, namespace: shop}",
			"rbac: Role shop/q: it newly allows: get pods, get */log, * deployments.apps api; removed: Role shop/r: it is deployed no longer"},
		"another role of a cloud": {"role-arn: reader", "role-arn: admin", "rbac: ServiceAccount shop/s: it newly acts in the cloud as: admin"},
		"a second cloud": {"role-arn: reader", "role-arn: reader, iam.gke.io/gcp-service-account: a@b",
			"rbac: ServiceAccount shop/s: it newly acts in the cloud as: a@b"},
		"no role of a cloud": {", annotations: {eks.amazonaws.com/role-arn: reader}", "", ""},
		"a claim that goes": {"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk, namespace: shop}}", "",
			"removed: PersistentVolumeClaim shop/disk: it is deployed no longer: its data goes with it"},
		"a definition that goes": {"name: ms.acme.dev", "name: ns.acme.dev",
			"removed: CustomResourceDefinition ms.acme.dev: it is deployed no longer: every object of its kind goes with it"},
		"a service that goes":      {"kind: Service,", "kind: Endpoints,", "removed: Service shop/api: it is deployed no longer"},
		"another hash of settings": {"settings-2g4f5bk7c9", "settings-g2k4m6t8h9", ""},
		"settings that go":         {"settings-2g4f5bk7c9", "more", "removed: ConfigMap shop/settings-2g4f5bk7c9: it is deployed no longer"},
	} {
		if got := changes(t, reviewed, strings.Replace(reviewed, test.old, test.new, 1)); got != test.want &&
			(test.want == "" || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: got %q, want %q", what, got, test.want)
		}
	}
}

// A message names a few things and counts the others; a role of too many rules ends soon.
func TestManyGrants(t *testing.T) {
	t.Parallel()
	role := func(n int) string {
		var resources []string
		for i := range n {
			resources = append(resources, fmt.Sprint("r", i))
		}
		return "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [x], verbs: [get], resources: [" +
			strings.Join(resources, ", ") + "]}]\n"
	}
	const few, many = "get r0.x, get r1.x, get r2.x, get r3.x, get r4.x, and 2 more", "more than 5000 things, which are not compared"
	for n, want := range map[int]string{7: few, 5001: many} {
		if got := changes(t, role(0), role(n)); !strings.Contains(got, want) {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// changes is what the rules about changes find, where there is a rendering before.
func changes(t *testing.T, before, after string) string {
	t.Helper()
	set := func(text string) *checklist.Set {
		objects, err := render.New(map[string][]byte{"x.yaml": []byte(text)}).Manifests("x.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return checklist.New(objects, schema.New(nil), 34)
	}
	var list []string
	for _, r := range checklist.Rules() {
		if r.ID != "removed" && r.ID != "rbac" && r.ID != "namespace-labels" {
			continue
		}
		if alone := r.New(nil, set(after)); len(alone) > 0 {
			t.Errorf("%s finds %v where nothing was before", r.ID, alone)
		}
		for _, p := range r.New(set(before), set(after)) {
			list = append([]string{r.ID + ": " + p.Object.String() + ": " + p.Message}, list...)
		}
	}
	return strings.Join(list, "; ")
}
