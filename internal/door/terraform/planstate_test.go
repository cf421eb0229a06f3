package terraform

import (
	"slices"
	"strings"
	"testing"
)

// A plan's objects are those of the state, or the plan says why not.
func TestOtherObjects(t *testing.T) {
	t.Parallel()
	const here = `provider["registry.terraform.io/hashicorp/aws"]`
	state := func(name, provider, version, attributes string) string {
		return `{"resources":[{"mode":"data","type":"d","name":"d","instances":[{"attributes":{"id":"` + name + `"}}]},` +
			`{"module":"module.m[\"a\"]","mode":"managed","type":"aws_vpc","name":"` + name + `","provider":"` + strings.ReplaceAll(provider, `"`, `\"`) +
			`","instances":[{"index_key":0,"schema_version":` + version + `,"attributes":{` + attributes + `}},` +
			`{"index_key":0,"deposed":"1234","attributes":{"id":"` + name + version + `"}}]}]}`
	}
	said := func(list, fields string) string {
		return `{"format_version":"1.2","` + list + `":[{"address":"x","module_address":"module.m[\"a\"]","mode":"managed",` +
			`"type":"aws_vpc","name":"a","index":0,` + fields + `}]}`
	}
	held := state("a", here, "1", `"id":"vpc-1","cidr":"10.0.0.0/8","old":1`)
	for name, c := range map[string]struct{ planned, said, want string }{
		"the same":                       {planned: held},
		"another attribute more or less": {planned: state("a", here, "1", `"cidr":"10.0.0.0/8","id":"vpc-1","new":null`)},
		"another version of the schema":  {planned: state("a", here, "2", `"id":"vpc-1","cidr":["10.0.0.0/8"]`)},
		"another id":                     {planned: state("a", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`},
		"another value": {
			planned: state("a", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`), want: `module.m["a"].aws_vpc.a[0]`,
		},
		"another name": {
			planned: state("b", here, "1", `"id":"vpc-1"`), want: `module.m["a"].aws_vpc.a[0] module.m["a"].aws_vpc.b[0]`,
		},
		"it drifted": {
			planned: state("a", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`),
			said:    said("resource_drift", `"change":{"actions":["update"],"after":{"id":"vpc-1","cidr":"0.0.0.0/0"}}`),
		},
		"it drifted otherwise than the plan says": {
			planned: state("a", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"after":{"id":"vpc-1","cidr":"10.1.0.0/16"}}`),
		},
		"it drifted, in values of every kind": {
			planned: state("a", here, "1", `"n":1e3,"big":12345678901234567890,"b":true,"z":null,"l":[{"k":1}],`+
				`"any":{"type":["map","number"],"value":{"x":2}},"own":{"type":"t","value":"v"}`),
			said: said("resource_drift", `"change":{"actions":["update"],"after":{"n":1000,"big":12345678901234567890,"b":true,"z":null,`+
				`"l":[{"k":1}],"any":{"x":2},"own":{"type":"t","value":"v"}}}`),
		},
		"another value deep inside": {
			planned: state("a", here, "1", `"l":[{"k":1,"any":{"type":"number","value":2}}]`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"after":{"l":[{"k":1,"any":3}]}}`),
		},
		"it drifted, and the plan has none": {
			planned: `{}`, want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"after":{"id":"vpc-1"}}`),
		},
		"it is gone": {planned: `{}`, said: said("resource_drift", `"change":{"actions":["delete"],"after":null}`)},
		"it is gone, and the plan has one": {
			planned: held, want: `module.m["a"].aws_vpc.a[0]`, said: said("resource_drift", `"change":{"actions":["delete"],"after":null}`),
		},
		"another of its objects drifted": {
			planned: state("a", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"deposed":"1234","change":{"actions":["update"],"after":{"id":"vpc-2"}}`),
		},
		"it moved, and is another": {
			planned: strings.ReplaceAll(state("a", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`), `"name":"a"`, `"name":"b"`),
			want:    `module.m["a"].aws_vpc.b[0]`,
			said: strings.ReplaceAll(said("resource_changes", `"previous_address":"module.m[\"a\"].aws_vpc.a[0]",`+
				`"change":{"actions":["no-op"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"}}`), `"name":"a"`, `"name":"b"`),
		},
		"it drifted to another": {
			planned: state("a", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"after":{"id":"vpc-3"}}`),
		},
		"it moved": {
			planned: strings.ReplaceAll(held, `"name":"a"`, `"name":"b"`),
			said: strings.ReplaceAll(said("resource_changes", `"previous_address":"module.m[\"a\"].aws_vpc.a[0]",`+
				`"change":{"actions":["no-op"],"before":{"id":"vpc-1"}}`), `"name":"a"`, `"name":"b"`),
		},
		"destroyed by another provider": {
			planned: strings.ReplaceAll(held, `aws\"]`, `aws\"].other`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_changes", `"change":{"actions":["delete"],"before":{"id":"vpc-1"}}`),
		},
		"changed by another provider": { // the configuration says by which
			planned: strings.ReplaceAll(held, `aws\"]`, `aws\"].other`),
			said:    said("resource_changes", `"change":{"actions":["update"],"before":{"id":"vpc-1"}}`),
		},
	} {
		if c.said == "" {
			c.said = `{"format_version":"1.2"}`
		}
		p, err := ParsePlan([]byte(c.said))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := OtherObjects(binaryPlan(t, part{"tfstate", []byte(c.planned)}), []byte(held), p)
		if err != nil || !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q %v, want %q", name, got, err, c.want)
		}
	}
}
