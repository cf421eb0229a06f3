package admission_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
)

// policy is a policy on deployments with a part of its spec, bound to all.
func policy(spec string) string {
	return `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
` + indent(spec) + binding("")
}

func binding(spec string) string {
	return `---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: b}
spec:
  policyName: p
  validationActions: [Deny]
` + indent(spec)
}

func indent(text string) string {
	if text = strings.Trim(text, "\n"); text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop, labels: {tier: web}}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - {name: api, image: "ghcr.io/acme/api:v1", securityContext: {privileged: true}}
`

func object(t *testing.T, text string) admission.Object {
	t.Helper()
	var content map[string]any
	if err := yaml.Unmarshal([]byte(text), &content); err != nil {
		t.Fatal(err)
	}
	return admission.Object{ID: "id", Content: content}
}

// judge gives violations and gaps as lines.
func judge(t *testing.T, files map[string]string, o admission.Object) []string {
	t.Helper()
	data := make(map[string][]byte)
	for name, text := range files {
		data[name] = []byte(text)
	}
	s := admission.Load(data)
	var lines []string
	for _, p := range s.Problems {
		lines = append(lines, fmt.Sprintf("problem %s:%d %s", p.File, p.Line, p.Message))
	}
	violations, gaps, err := s.Judge(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		lines = append(lines, strings.ToLower(v.Action)+" "+v.Object+" "+v.Message)
	}
	for _, g := range gaps {
		lines = append(lines, "gap "+g.Object+" "+g.Why)
	}
	return lines
}

func wants(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range want {
		ok = ok && strings.Contains(got[i], want[i])
	}
	if !ok {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Expressions are evaluated as the API server evaluates them.
func TestExpressions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec string
		want []string
	}{
		"holds": {"validations: [{expression: object.spec.replicas <= 2}]", nil},
		"does not": {
			"validations: [{expression: object.spec.replicas > 2, message: more}]", []string{"deny Deployment shop/api more"},
		},
		"two": {
			"validations: [{expression: 'false', message: one}, {expression: 'true'}, {expression: 'false', message: three}]",
			[]string{"one", "three"},
		},
		"no message": {
			"validations: [{expression: object.spec.replicas   > 2}]", []string{"failed expression: object.spec.replicas > 2"},
		},
		"own message": {
			"validations: [{expression: 'false', message: plain, messageExpression: '\"has \" + string(object.spec.replicas)'}]",
			[]string{"deny Deployment shop/api has 2"},
		},
		"bad message":   {"validations: [{expression: 'false', message: plain, messageExpression: 'object.none'}]", []string{"plain"}},
		"empty message": {"validations: [{expression: 'false', message: plain, messageExpression: '\" \"'}]", []string{"plain"}},
		"lines message": {"validations: [{expression: 'false', message: plain, messageExpression: '\"a\\nb\"'}]", []string{"plain"}},
		"long message": {
			"validations: [{expression: 'false', message: plain, messageExpression: '\"" + strings.Repeat("x", 6000) + "\"'}]",
			[]string{"plain"},
		},
		"odd message": {
			"validations: [{expression: 'false', messageExpression: '\"a\\u001b[31m\\u202eb\"'}]",
			[]string{"deny Deployment shop/api a[31mb"},
		},
		"variables": {
			"variables: [{name: n, expression: object.spec.replicas}, {name: m, expression: variables.n + 1}]\nvalidations: " +
				"[{expression: variables.m == 3}, {expression: variables.m == 4, messageExpression: 'string(variables.m)'}]",
			[]string{"deny Deployment shop/api 3"},
		},
		"unused variable": {"variables: [{name: n, expression: object.none.more}]\nvalidations: [{expression: 'true'}]", nil},
		"bad variable": {
			"variables: [{name: n, expression: object.none.more}]\nvalidations: [{expression: variables.n == 1}]",
			[]string{"validation 1 fails on it, and the cluster refuses what a policy fails on: variable n: no such key: none"},
		},
		"error": {"validations: [{expression: object.spec.none == 1}]", []string{"fails on it, and the cluster refuses"}},
		"ignored error": {
			"failurePolicy: Ignore\nvalidations: [{expression: object.spec.none == 1}]",
			[]string{"gap Deployment shop/api validation 1 fails on it, which the cluster passes over"},
		},
		"optionals": {
			"validations: [{expression: 'object.spec.?none.orValue(1) == 1'}, {expression: '!has(object.spec.none)'}]", nil,
		},
		"library": {
			"validations: [{expression: 'quantity(\"1Gi\").isGreaterThan(quantity(\"500Mi\")) && \"a,b\".split(\",\").size() == 2 " +
				"&& isURL(\"https://x\") && [3, 1].isSorted() == false'}]",
			nil,
		},
		"names": {
			"validations: [{expression: 'object.spec.template.spec.containers.all(c, " +
				"!c.?securityContext.?privileged.orValue(false))', messageExpression: " +
				"'object.spec.template.spec.containers.filter(c, c.?securityContext.?privileged.orValue(false)).map(c, " +
				"c.name).join(\", \")'}]",
			[]string{"deny Deployment shop/api api"},
		},
		"request": {
			"validations: [{expression: 'request.operation == \"CREATE\" && request.resource.resource == \"deployments\" && " +
				"request.kind.kind == \"Deployment\" && request.namespace == \"shop\" && request.name == \"api\" && !request.dryRun " +
				"&& oldObject == null'}]",
			nil,
		},
		"condition": {
			"matchConditions: [{name: other, expression: object.metadata.name != 'api'}]\nvalidations: [{expression: 'false'}]",
			nil,
		},
		"bad condition": {
			"matchConditions: [{name: bad, expression: object.none == 1}]\nvalidations: [{expression: 'true'}]",
			[]string{"matchCondition bad fails on it"},
		},
		"both conditions": {
			"matchConditions: [{name: bad, expression: object.none == 1}, {name: other, expression: 'false'}]\nvalidations: " +
				"[{expression: 'false'}]",
			nil,
		},
		// What only the cluster knows is said, and never taken for allowed.
		"user": {
			"validations: [{expression: request.userInfo.username == 'x'}]",
			[]string{"gap Deployment shop/api validation 1: it asks what only the cluster knows"},
		},
		"user elsewhere": {"validations: [{expression: request.userInfo.username == 'x' || object.spec.replicas == 2}]", nil},
		"user condition": {
			"matchConditions: [{name: who, expression: 'request.userInfo.groups.exists(g, g == \"x\")'}]\nvalidations: " +
				"[{expression: 'false'}]",
			[]string{"gap Deployment shop/api matchCondition who: it asks"},
		},
		"user variable": {
			"variables: [{name: n, expression: request.userInfo.username}]\nvalidations: [{expression: variables.n == 'x'}]",
			[]string{"gap"},
		},
		"authorizer": {
			"validations: [{expression: 'authorizer.group(\"\").resource(\"pods\").check(\"get\").allowed()'}, {expression: " +
				"'authorizer.requestResource.check(\"get\").allowed()'}]",
			[]string{"gap", "gap"},
		},
		"namespace": {
			"validations: [{expression: 'namespaceObject.metadata.name == \"shop\"'}, {expression: " +
				"'namespaceObject.metadata.labels[\"team\"] == \"x\"'}]",
			[]string{"gap"},
		},
		"no params": {"paramKind: {apiVersion: v1, kind: ConfigMap}\nvalidations: [{expression: params == null}]", nil},
		"does not type": {
			"validations: [{expression: 1 + 'a' == 2}]", []string{"problem platform/p.yaml:2 the policy p does not compile"},
		},
		"no validations": {
			"failurePolicy: Fail",
			[]string{"problem platform/p.yaml:2 the policy p does not compile, and the cluster would not take it: it has no validations"},
		},
		"unknown name": {"validations: [{expression: nothing == 1}]", []string{"undeclared reference to 'nothing'"}},
		"defaults": {
			"validations: [{expression: 'object.spec.template.spec.containers[0].imagePullPolicy == \"IfNotPresent\" && " +
				"object.spec.strategy.type == \"RollingUpdate\" && has(object.spec.template.spec.securityContext)'}]",
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wants(t, c.spec, judge(t, map[string]string{"platform/p.yaml": policy(c.spec)}, object(t, deployment)), c.want...)
		})
	}
}

// An object that is there already is updated: rules of what may not change see
// both sides.
func TestUpdate(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"platform/p.yaml": policy("validations: [{expression: 'oldObject == null || oldObject.spec.replicas <= " +
			"object.spec.replicas', messageExpression: 'request.operation'}]"),
	}
	o := object(t, deployment)
	wants(t, "made", judge(t, files, o))
	o.Old = object(t, strings.Replace(deployment, "replicas: 2", "replicas: 3", 1)).Content
	wants(t, "fewer", judge(t, files, o), "deny Deployment shop/api UPDATE")
	// A label that is taken away takes no policy away with it.
	labelled := strings.Replace(
		policy("validations: [{expression: 'false', message: no}]"), "matchConstraints:\n",
		"matchConstraints:\n    objectSelector: {matchLabels: {tier: db}}\n", 1,
	)
	o.Old = object(t, strings.Replace(deployment, "tier: web", "tier: db", 1)).Content
	wants(t, "label", judge(t, map[string]string{"platform/p.yaml": labelled}, o), "no")
}

// Whole numbers are integers, however the renderer read them.
func TestNumbers(t *testing.T) {
	t.Parallel()
	o := object(t, deployment)
	for _, two := range []any{2, int64(2), uint64(2), 2.0} {
		o.Content["spec"].(map[string]any)["replicas"] = two
		wants(t, fmt.Sprintf("%T", two), judge(
			t, map[string]string{"platform/p.yaml": policy("validations: [{expression: type(object.spec.replicas) == int}]")}, o,
		))
	}
}

// Who a policy is for: resources, operations, names, scopes, labels, actions.
func TestMatching(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: p}\nspec:\n  " +
		"validations: [{expression: 'false', message: no}]\n  matchConstraints:\n"
	rule := func(text string) string { return "    resourceRules: [{" + text + "}]\n" }
	const all = "apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']"
	for name, c := range map[string]struct {
		policy, binding string
		matches         bool
	}{
		"all":               {rule(all), "", true},
		"all and all below": {rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*']"), "", true},
		"another group":     {rule("apiGroups: [batch], apiVersions: ['*'], operations: ['*'], resources: ['*']"), "", false},
		"another version":   {rule("apiGroups: [apps], apiVersions: [v1beta1], operations: ['*'], resources: ['*']"), "", true},
		"exactly another": {
			rule("apiGroups: [apps], apiVersions: [v1beta1], operations: ['*'], resources: ['*']") + "    matchPolicy: Exact\n", "",
			false,
		},
		"deletion":           {rule("apiGroups: ['*'], apiVersions: ['*'], operations: [DELETE, CONNECT], resources: ['*']"), "", false},
		"update":             {rule("apiGroups: ['*'], apiVersions: ['*'], operations: [UPDATE], resources: ['*']"), "", false},
		"a part of it":       {rule("apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: [deployments/scale]"), "", false},
		"its name":           {rule(all + ", resourceNames: [api]"), "", true},
		"another name":       {rule(all + ", resourceNames: [web]"), "", false},
		"namespaced":         {rule(all + ", scope: Namespaced"), "", true},
		"any scope":          {rule(all + ", scope: '*'"), "", true},
		"cluster":            {rule(all + ", scope: Cluster"), "", false},
		"excluded":           {rule(all) + "    excludeResourceRules: [{" + all + ", resourceNames: [api]}]\n", "", false},
		"object label":       {rule(all) + "    objectSelector: {matchLabels: {tier: web}}\n", "", true},
		"other object label": {rule(all) + "    objectSelector: {matchLabels: {tier: db}}\n", "", false},
		"no object label": {
			rule(all) + "    objectSelector: {matchExpressions: [{key: x, operator: DoesNotExist}, {key: tier, operator: Exists}, " +
				"{key: tier, operator: NotIn, values: [db]}, {key: tier, operator: In, values: [web]}]}\n",
			"", true,
		},
		"namespace name": {rule(all) + "    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}\n", "", true},
		"not this namespace": {
			rule(all) + "    namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: " +
				"[shop]}]}\n",
			"", false,
		},
		"namespace label":    {rule(all) + "    namespaceSelector: {matchLabels: {team: a}}\n", "", true},
		"no namespace label": {rule(all) + "    namespaceSelector: {matchLabels: {team: b}}\n", "", false},
		"bound to deployment": {
			rule(all),
			"matchResources: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments]}]}",
			true,
		},
		"bound to others": {
			rule(all),
			"matchResources: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [services]}]}",
			false,
		},
		"bound elsewhere": {rule(all), "matchResources: {namespaceSelector: {matchLabels: {team: b}}}", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{
				"platform/p.yaml": head + c.policy, "clusters/b.yml": binding(c.binding),
				"platform/n.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a}}\n",
			}
			var want []string
			if c.matches {
				want = []string{"deny Deployment shop/api no"}
			}
			wants(t, c.policy+c.binding, judge(t, files, object(t, deployment)), want...)
		})
	}
}

// What is not known of a namespace makes no policy pass.
func TestNamespaceIsNotKnown(t *testing.T) {
	t.Parallel()
	no := policy("validations: [{expression: 'false', message: no}]")
	labelled := strings.Replace(no, "matchConstraints:\n", "matchConstraints:\n    namespaceSelector: {matchLabels: {team: b}}\n", 1)
	wants(
		t, "labels", judge(t, map[string]string{"platform/p.yaml": labelled}, object(t, deployment)),
		"no (judged as if the policy held there: the labels of namespace shop are not in this repository)",
	)
	named := strings.Replace(
		no, "matchConstraints:\n", "matchConstraints:\n    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}\n",
		1,
	)
	nowhere := object(t, strings.Replace(deployment, "namespace: shop, ", "", 1))
	wants(
		t, "name", judge(t, map[string]string{"platform/p.yaml": named}, nowhere),
		"deny Deployment api no (judged as if the policy held there: its namespace is not said here)",
	)
	asks := policy("validations: [{expression: namespaceObject.metadata.name == 'shop'}, {expression: request.namespace == 'shop'}]")
	wants(
		t, "expressions", judge(t, map[string]string{"platform/p.yaml": asks}, nowhere),
		"gap Deployment api validation 1: it asks what only the cluster knows", "gap Deployment api validation 2",
	)
	nowhere.Namespace = "other"
	wants(t, "name that is given", judge(t, map[string]string{"platform/p.yaml": named}, nowhere))
}

func TestActions(t *testing.T) {
	t.Parallel()
	no := policy("validations: [{expression: 'false', message: no}]")
	for actions, want := range map[string][]string{
		"[Warn, Audit]": {"warn Deployment shop/api no"}, "[Audit]": nil, "[Audit, Deny]": {"deny Deployment shop/api no"},
	} {
		wants(
			t, actions,
			judge(t, map[string]string{"platform/p.yaml": strings.Replace(no, "[Deny]", actions, 1)}, object(t, deployment)),
			want...,
		)
	}
	// A policy that nothing binds does nothing, and so does a binding of nothing.
	alone, bound, _ := strings.Cut(no, "---\n")
	wants(t, "alone", judge(t, map[string]string{"platform/p.yaml": alone}, object(t, deployment)))
	wants(t, "bound", judge(t, map[string]string{"platform/p.yaml": bound}, object(t, deployment)))
	// Elsewhere in the repository it is only a file.
	wants(t, "elsewhere", judge(t, map[string]string{"apps/p.yaml": no}, object(t, deployment)))
}

func TestParams(t *testing.T) {
	t.Parallel()
	limited := strings.Replace(policy("paramKind: {apiVersion: v1, kind: ConfigMap}\nvalidations: [{expression: "+
		"'object.spec.replicas <= int(params.data.most)', messageExpression: '\"at most \" + params.data.most'}]"),
		"policyName: p\n", "policyName: p\n  REF\n", 1)
	config := func(name, namespace, most string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: " + namespace + ", labels: {is: " +
			"limit}}\ndata: {most: '" + most + "'}\n"
	}
	params := config("one", "shop", "1") + config("many", "shop", "9") + config("one", "other", "0")
	for ref, want := range map[string][]string{
		"paramRef: {name: one, parameterNotFoundAction: Deny}":                            {"deny Deployment shop/api at most 1"},
		"paramRef: {name: one, namespace: other, parameterNotFoundAction: Deny}":          {"deny Deployment shop/api at most 0"},
		"paramRef: {selector: {matchLabels: {is: limit}}, parameterNotFoundAction: Deny}": {"deny Deployment shop/api at most 1"},
		"paramRef: {selector: {matchLabels: {is: nothing}}, parameterNotFoundAction: Deny}": {"gap Deployment shop/api its " +
			"parameters are not in this repository"},
		"paramRef: {name: none, parameterNotFoundAction: Allow}": {"gap Deployment shop/api its parameters are not in this repository"},
	} {
		wants(
			t, ref,
			judge(
				t, map[string]string{"platform/p.yaml": strings.Replace(limited, "REF", ref, 1), "platform/c.yaml": params},
				object(t, deployment),
			),
			want...,
		)
	}
}

// What refuses the pods of a workload keeps it from running; where the policy
// judges the workload too, once is enough.
func TestPodsOfWorkloads(t *testing.T) {
	t.Parallel()
	pods := func(resources string) map[string]string {
		text := policy("validations: [{expression: 'object.kind == \"Pod\" ? !object.spec.containers[0].securityContext.privileged " +
			": false', message: no}]")
		return map[string]string{"platform/p.yaml": strings.Replace(
			text, "{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}",
			"{apiGroups: ['', apps, batch], apiVersions: [v1], operations: [CREATE], resources: "+resources+"}", 1,
		)}
	}
	wants(t, "pods", judge(t, pods("[pods]"), object(t, deployment)), "deny Pod shop/api no")
	wants(t, "both", judge(t, pods("[pods, deployments]"), object(t, deployment)), "deny Deployment shop/api no")
	// The pods of one that is there already are new ones.
	o := object(t, deployment)
	o.Old = o.Content
	wants(t, "update", judge(t, pods("[pods]"), o), "deny Pod shop/api no")
	cron := "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c, namespace: shop}\nspec: {jobTemplate: {spec: {template: " +
		"{spec: {containers: [{name: x, image: x, securityContext: {privileged: true}}]}}}}}\n"
	wants(t, "cron job", judge(t, pods("[pods]"), object(t, cron)), "deny Pod shop/c no")
}

// The plural of a custom kind, and whether it lives in a namespace, stand in its
// definition.
func TestCustomResources(t *testing.T) {
	t.Parallel()
	no := strings.Replace(
		policy("validations: [{expression: 'false', message: no}]"),
		"{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}",
		"{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [octopodes], scope: Cluster}", 1,
	)
	octopus := object(t, "apiVersion: example.com/v1\nkind: Octopus\nmetadata: {name: o}\n")
	wants(t, "unknown", judge(t, map[string]string{"platform/p.yaml": no}, octopus))
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: octopodes.example.com}\nspec: " +
		"{group: example.com, scope: Cluster, names: {kind: Octopus, plural: octopodes}}\n"
	wants(t, "known", judge(t, map[string]string{"platform/p.yaml": no, "platform/crds/c.yaml": crd}, octopus), "deny Octopus o no")
}

// A file that holds a policy and cannot be read is said; one of a chart's
// templates does not matter here.
func TestFilesThatAreNoManifests(t *testing.T) {
	t.Parallel()
	files := map[string]string{"platform/chart/templates/x.yaml": "a: {{ .Values.a }}\n",
		"platform/bad.yaml": "kind: ValidatingAdmissionPolicy\n  a: [\n", "platform/list.yaml": "- a\n",
		"platform/README.md": "kind: ValidatingAdmissionPolicy", "platform/empty.yaml": "",
		"platform/odd.yaml": "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: " +
			"odd}\nspec: {validations: no}\n"}
	got := judge(t, files, object(t, deployment))
	slices.Sort(got)
	wants(
		t, "files", got, "problem platform/bad.yaml:0 holds an admission policy and cannot be read as a manifest",
		"problem platform/odd.yaml:2 the policy odd cannot be read",
	)
}
