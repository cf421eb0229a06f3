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
	bothOf := func(a, b string) string {
		return strings.TrimSuffix(a, "]}") + "," + strings.TrimPrefix(b, `{"resources":[`)
	}
	moved := func(fields string) string { // from a to b
		fields = `"previous_address":"module.m[\"a\"].aws_vpc.a[0]",` + fields
		return strings.Replace(said("resource_changes", fields), `"name":"a"`, `"name":"b"`, 1)
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
			said:    said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":{"id":"vpc-1","cidr":"0.0.0.0/0"}}`),
		},
		"it drifted otherwise than the plan says": {
			planned: state("a", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":{"id":"vpc-1","cidr":"10.1.0.0/16"}}`),
		},
		"it drifted, in values of every kind": {
			planned: state("a", here, "1", `"n":1e3,"big":12345678901234567890,"b":true,"z":null,"l":[{"k":1}],`+
				`"any":{"type":["map","number"],"value":{"x":2}},"own":{"type":"t","value":"v"}`),
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":{"n":1000,"big":12345678901234567890,"b":true,"z":null,`+
				`"l":[{"k":1}],"any":{"x":2},"own":{"type":"t","value":"v"}}}`),
		},
		"another value deep inside": {
			planned: state("a", here, "1", `"l":[{"k":1,"any":{"type":"number","value":2}}]`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":{"l":[{"k":1,"any":3}]}}`),
		},
		"it drifted, and the plan has none": {
			planned: `{}`, want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":{"id":"vpc-1"}}`),
		},
		"it is gone": {planned: `{}`, said: said("resource_drift", `"change":{"actions":["delete"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":null}`)},
		"it is gone, and the plan has one": {
			planned: held, want: `module.m["a"].aws_vpc.a[0]`, said: said("resource_drift", `"change":{"actions":["delete"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":null}`),
		},
		"another of its objects drifted": {
			planned: state("a", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"deposed":"1234","change":{"actions":["update"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":{"id":"vpc-2"}}`),
		},
		"it moved, and is another": {
			planned: strings.ReplaceAll(state("a", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`), `"name":"a"`, `"name":"b"`),
			want:    `module.m["a"].aws_vpc.b[0]`,
			said: strings.ReplaceAll(said("resource_changes", `"previous_address":"module.m[\"a\"].aws_vpc.a[0]",`+
				`"change":{"actions":["no-op"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"}}`), `"name":"a"`, `"name":"b"`),
		},
		"it drifted to another": {
			planned: state("a", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1","cidr":"10.0.0.0/8"},"after":{"id":"vpc-3"}}`),
		},
		"it moved": {
			planned: strings.ReplaceAll(held, `"name":"a"`, `"name":"b"`),
			said: strings.ReplaceAll(said("resource_changes", `"previous_address":"module.m[\"a\"].aws_vpc.a[0]",`+
				`"change":{"actions":["no-op"],"before":{"id":"vpc-1"}}`), `"name":"a"`, `"name":"b"`),
		},
		"it drifted from what it was not": { // people are shown no difference
			planned: state("a", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-2"},"after":{"id":"vpc-2"}}`),
		},
		"it is gone, and was another": {
			planned: `{}`, want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["delete"],"before":{"id":"vpc-2"},"after":null}`),
		},
		"it drifted from nothing": {
			planned: state("b", here, "1", `"id":"vpc-2"`) /* beside it */, want: `module.m["a"].aws_vpc.a[0] module.m["a"].aws_vpc.b[0]`,
			said: strings.ReplaceAll(said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1"},"after":{"id":"vpc-2"}}`),
				`"name":"a"`, `"name":"b"`),
		},
		"it drifted, and its schema is newer": {
			planned: state("a", here, "2", `"id":"vpc-1","cidr":["0.0.0.0/0"]`),
			said:    said("resource_drift", `"change":{"actions":["update"],"before":{"cidr":["10.0.0.0/8"]},"after":{"cidr":["0.0.0.0/0"]}}`),
		},
		"an older version of the schema": {
			planned: state("a", here, "0", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
		},
		"it drifted, and its schema is older": {
			planned: state("a", here, "0", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1"},"after":{"id":"vpc-2"}}`),
		},
		"a change that says nothing": {planned: held, said: said("resource_changes", `"action_reason":"none"`)},
		"it is imported": {
			planned: bothOf(held, state("b", here, "1", `"id":"vpc-2"`)),
			said: strings.ReplaceAll(said("resource_changes", `"change":{"actions":["no-op"],"importing":{"id":"vpc-2"},"before":{"id":"vpc-2"}}`),
				`"name":"a"`, `"name":"b"`),
		},
		"it is imported as another": {
			planned: bothOf(held, state("b", here, "1", `"id":"vpc-3"`)), want: `module.m["a"].aws_vpc.b[0]`,
			said: strings.ReplaceAll(said("resource_changes", `"change":{"actions":["no-op"],"importing":{"id":"vpc-2"},"before":{"id":"vpc-2"}}`),
				`"name":"a"`, `"name":"b"`),
		},
		"it is imported, and is there": {
			planned: state("a", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_changes", `"change":{"actions":["no-op"],"importing":{"id":"vpc-2"},"before":{"id":"vpc-2"}}`),
		},
		"it is made, and is there": { // only what moves or is imported is said
			planned: bothOf(held, state("b", here, "1", `"id":"vpc-2"`)), want: `module.m["a"].aws_vpc.b[0]`,
			said: strings.ReplaceAll(said("resource_changes", `"change":{"actions":["update"],"before":{"id":"vpc-2"}}`),
				`"name":"a"`, `"name":"b"`),
		},
		"it moved, and says so of what it is": { // people are shown the move alone
			planned: strings.ReplaceAll(state("a", here, "1", `"id":"vpc-2"`), `"name":"a"`, `"name":"b"`),
			want:    `module.m["a"].aws_vpc.b[0]`,
			said:    moved(`"change":{"actions":["no-op"],"before":{"id":"vpc-2"}}`),
		},
		"it moved from nowhere": {
			planned: bothOf(held, state("b", here, "1", `"id":"vpc-2"`)), want: `module.m["a"].aws_vpc.b[0]`,
			said: strings.Replace(moved(`"change":{"actions":["no-op"],"before":{"id":"vpc-2"}}`), `aws_vpc.a[0]`, `aws_vpc.z[0]`, 1),
		},
		"it moved, and stays": {
			planned: bothOf(held, strings.ReplaceAll(held, `"name":"a"`, `"name":"b"`)), want: `module.m["a"].aws_vpc.a[0]`,
			said: moved(`"change":{"actions":["no-op"],"before":{"id":"vpc-1"}}`),
		},
		"it moved and drifted": {
			planned: state("b", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`),
			said: strings.Replace(moved(`"change":{"actions":["update"],"before":{"cidr":"10.0.0.0/8"},"after":{"cidr":"0.0.0.0/0"}}`),
				"resource_changes", "resource_drift", 1),
		},
		"it moved, and its drift does not say so": {
			planned: state("b", here, "1", `"id":"vpc-1","cidr":"0.0.0.0/0"`),
			said: strings.Replace(moved(`"change":{"actions":["no-op"],"before":{"id":"vpc-1","cidr":"0.0.0.0/0"}}`), `]}`, `],`+
				strings.TrimPrefix(strings.ReplaceAll(said("resource_drift", `"change":{"actions":["update"],"before":{"cidr":"10.0.0.0/8"},`+
					`"after":{"cidr":"0.0.0.0/0"}}`), `"name":"a"`, `"name":"b"`), `{"format_version":"1.2",`), 1),
		},
		"it moved and drifted from what it was not": {
			planned: state("b", here, "1", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.b[0]`,
			said: strings.Replace(moved(`"change":{"actions":["update"],"before":{"id":"vpc-2"},"after":{"id":"vpc-2"}}`),
				"resource_changes", "resource_drift", 1),
		},
		"it moved, its schema is older": {
			planned: state("b", here, "0", `"id":"vpc-2"`), want: `module.m["a"].aws_vpc.b[0]`,
			said: moved(`"change":{"actions":["no-op"],"before":{"id":"vpc-2"}}`),
		},
		"it moved to another type": {
			planned: strings.ReplaceAll(state("b", here, "1", `"id":"vpc-1","cidr":["10.0.0.0/8"]`), "aws_vpc", "aws_net"),
			said:    strings.Replace(moved(`"change":{"actions":["no-op"],"before":{"cidr":["10.0.0.0/8"]}}`), `"type":"aws_vpc"`, `"type":"aws_net"`, 1),
		},
		"another of its objects moved": {
			planned: state("b", here, "1", `"id":"vpc-1"`), want: `module.m["a"].aws_vpc.a[0] module.m["a"].aws_vpc.b[0]`,
			said: moved(`"deposed":"1234","change":{"actions":["no-op"],"before":{"id":"vpc-1"}}`),
		},
		"moved and destroyed by another provider": {
			planned: strings.ReplaceAll(state("b", here, "1", `"id":"vpc-1"`), `aws\"]`, `aws\"].other`),
			want:    `module.m["a"].aws_vpc.b[0]`,
			said:    moved(`"change":{"actions":["delete"],"before":{"id":"vpc-1"}}`),
		},
		"gone before it was destroyed": {
			planned: `{}`,
			said: strings.Replace(said("resource_drift", `"change":{"actions":["delete"],"before":{"id":"vpc-1"},"after":null}`), `]}`, `],`+
				strings.TrimPrefix(said("resource_changes", `"change":{"actions":["delete"],"before":{"id":"vpc-1"}}`),
					`{"format_version":"1.2",`), 1),
		},
		"a value that looks as if it had a type beside": {
			planned: state("a", here, "1", `"own":{"type":"number","value":2,"more":1}`), want: `module.m["a"].aws_vpc.a[0]`,
			said: said("resource_drift", `"change":{"actions":["update"],"before":{"id":"vpc-1"},"after":{"own":2}}`),
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

// A state that cannot be read is one in which nothing is known; no state has no objects.
func TestOtherObjectsOfNoState(t *testing.T) {
	t.Parallel()
	nothing, err := ParsePlan([]byte(`{"format_version":"1.2"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		binary      []byte
		state, says string
	}{
		"none":                       {binary: binaryPlan(t)},
		"one that cannot be read":    {binary: binaryPlan(t), state: "{", says: "read the state: "},
		"one in the plan that can't": {binary: binaryPlan(t, part{"tfstate", []byte("{")}), says: "read the state in the binary plan: "},
		"one in the plan that is torn": {
			binary: tornPlan(t, "tfstate", []byte("{}")), says: "read the state in the binary plan: ",
		},
	} {
		got, err := OtherObjects(c.binary, []byte(c.state), nothing)
		if len(got) > 0 || (err != nil) != (c.says != "") || err != nil && !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for want, index := range map[string]any{`t.n["a\"b"]`: `a"b`, "t.n[1]": 1.0, "t.n": nil} {
		if got := address("", "t", "n", index); got != want {
			t.Errorf("%v: %s, want %s", index, got, want)
		}
	}
}
