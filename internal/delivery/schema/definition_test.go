package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/schema"
)

// define is a definition of the kind Route of which spec has the given schema.
func define(spec string) string {
	return `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: routes.acme.dev}
spec:
  group: acme.dev
  scope: Namespaced
  names: {kind: Route, plural: routes}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: ` + spec + `}}}}]
`
}

func judge(t *testing.T, definition, spec string) string {
	t.Helper()
	known := schema.New(objects(t, definition))
	object := objects(t, "apiVersion: acme.dev/v1\nkind: Route\nmetadata: {name: x}\nspec: "+spec)[0]
	return strings.Join(known.Problems(object), "; ")
}

// What the schema alone cannot say: items that stand twice, and rules in CEL.
func TestListTypesAndRules(t *testing.T) {
	t.Parallel()
	const (
		set   = "{type: object, properties: {a: {type: array, x-kubernetes-list-type: set, items: {type: string}}}}"
		byKey = "{type: object, properties: {a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], " +
			"items: {type: object, required: [name], properties: {name: {type: string}, b: {type: string}}}}}}"
		rule = "{type: object, properties: {min: {type: integer}, max: {type: integer}, secret: {type: string, maxLength: 50}, " +
			"m: {type: object, additionalProperties: {type: integer}}}, " +
			"x-kubernetes-validations: [%s]}"
	)
	with := func(rules string) string { return fmt.Sprintf(rule, rules) }
	ordered := with(`{rule: "self.min <= self.max", message: min is at most max}`)
	for what, test := range map[string]struct{ schema, spec, want string }{
		"a set":                    {set, "{a: [x, z]}", ""},
		"a value twice":            {set, "{a: [hush, hush]}", "spec.a[1]: Duplicate value"},
		"keys":                     {byKey, "{a: [{name: x}, {name: z}]}", ""},
		"a key twice":              {byKey, "{a: [{name: hush, b: c}, {name: hush}]}", "spec.a[1]: Duplicate value"},
		"a rule that holds":        {ordered, "{min: 1, max: 2}", ""},
		"a rule that does not":     {ordered, "{min: 3, max: 2}", "spec: Invalid value: min is at most max"},
		"a rule without a message": {with(`{rule: "self.min <= self.max"}`), "{min: 3, max: 2}", "failed rule: self.min <= self.max"},
		"its field": {
			with(`{rule: "self.min <= self.max", message: m, fieldPath: .min}`), "{min: 3, max: 2}", "spec.min: Invalid value: m",
		},
		"a value only at its field": {ordered, "{min: x, max: 2}", "spec.min: Invalid value"},
		"a message made of a value": {
			with(`{rule: "self.min <= self.max", messageExpression: "'is ' + self.secret"}`), "{min: 3, max: 2, secret: hush}",
			"spec: Invalid value: failed rule: self.min <= self.max",
		},
		"a rule that fails at a value": {
			with(`{rule: "self.m[self.secret] > 1", message: a number}`), "{secret: hush, m: {}}",
			"spec: Invalid value: a rule of the definition cannot be evaluated: a number",
		},
		"a value that reads as a rule": {
			with(`{rule: "self.m[self.secret] > 1", message: a number}`), "{secret: 'hush evaluating rule: hush', m: {}}",
			"spec: Invalid value: a rule of the definition cannot be evaluated: a number",
		},
		"a rule about what was before": {with(`{rule: "self.min == oldSelf.min"}`), "{min: 3}", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got := judge(t, define(test.schema), test.spec)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || strings.Contains(got, "hush") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A definition that cannot be used is a problem of itself, and nothing of its kind
// passes unjudged.
func TestDefinitionsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	rule := func(text string) string {
		return define(`{type: object, properties: {a: {type: string}, l: {type: array, items: {type: array, items: ` +
			`{type: string}}}}, x-kubernetes-validations: [{rule: "` + text + `"}]}`)
	}
	many := define(`{type: object, x-kubernetes-validations: [` + strings.Repeat(`{rule: "true"}, `, 2001) + `]}`)
	for what, test := range map[string]struct{ definition, want string }{
		"a rule of no sense":    {rule("self.b == 1"), `the rule "self.b == 1": compilation failed`},
		"a rule that is no yes": {rule("self.a"), `must evaluate to a bool`},
		"a rule that costs too much": {
			rule("self.l.all(x, self.l.all(y, self.l.all(z, x == z)))"), "and 10000000 is allowed: bound the lists",
		},
		"too many rules":     {many, "it has 2001 rules, and Waybill evaluates up to 2000"},
		"no type":            {define(`{properties: {a: {type: string}}}`), "type: Required value"},
		"a type that is not": {define(`{type: object, properties: {a: {type: array}}}`), "items: Required value"},
		"no schema": {
			strings.Replace(
				define("{type: object}"), "schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object}}}}", "schema: {}", 1,
			),
			"it has no schema",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			known := schema.New(objects(t, test.definition))
			of := strings.Join(known.Problems(objects(t, test.definition)[0]), "; ")
			if !strings.HasPrefix(of, "its version v1 cannot be used: ") || !strings.Contains(of, test.want) {
				t.Errorf("of the definition: %q, want %q", of, test.want)
			}
			got := judge(t, test.definition, "{}")
			if !strings.HasPrefix(got, "it cannot be judged, because its definition cannot be used: ") || !strings.Contains(got, test.want) {
				t.Errorf("of an object: %q, want %q", got, test.want)
			}
		})
	}
}

// Definitions of another API are nothing to a cluster, and judge nothing.
func TestOnlyClustersDefinitionsCount(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"apiextensions.k8s.io/v1beta1", "acme.dev/v1"} {
		other := strings.Replace(define("{type: object}"), "apiextensions.k8s.io/v1", api, 1)
		known := schema.New(objects(t, other))
		if route := objects(t, "apiVersion: acme.dev/v1\nkind: Route\nmetadata: {name: x}\nspec: {a: b}")[0]; known.Knows(route) {
			t.Errorf("%s: it defines a kind", api)
		}
	}
	old := strings.Replace(define("{type: object}"), "apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1", 1)
	got := strings.Join(schema.New(nil).Problems(objects(t, old)[0]), "; ")
	if want := "Kubernetes has no kind CustomResourceDefinition in apiextensions.k8s.io/v1beta1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A rule costs no more than a cluster lets it cost.
func TestRulesEnd(t *testing.T) {
	t.Parallel()
	dear := define(`{type: object, properties: {l: {type: array, maxItems: 700, items: {type: integer}}}, ` +
		`x-kubernetes-validations: [{rule: "self.l.all(x, self.l.all(y, x + y >= 0))"}]}`)
	numbers := strings.TrimSuffix(strings.Repeat("1, ", 700), ", ")
	got := judge(t, dear, "{l: ["+numbers+"]}")
	if want := "call cost exceeds limit for rule: self.l.all("; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
