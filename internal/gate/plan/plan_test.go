package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/plan"
)

func record() plan.Document {
	return plan.Document{Version: 1, Repository: "acme/infra", Head: "h1", Roots: []plan.RootRecord{{
		Dir: "d", Workspace: "default", Terraform: "terraform 1", Lineage: "l", Serial: 1, LockFile: "k", Configuration: "c",
		Plan: "p", Changes: "x"}}}
}

// Every field moves the fingerprint, and Compare names it.
func TestCompareNamesEveryField(t *testing.T) {
	t.Parallel()
	seen := map[plan.Fingerprint]string{}
	for field, move := range map[string]func(*plan.Document){
		"nothing":           func(*plan.Document) {},
		"document version":  func(d *plan.Document) { d.Version++ },
		"repository":        func(d *plan.Document) { d.Repository = "o" },
		"head commit":       func(d *plan.Document) { d.Head = "o" },
		"directory":         func(d *plan.Document) { d.Roots[0].Dir = "o" },
		"workspace":         func(d *plan.Document) { d.Roots[0].Workspace = "o" },
		"terraform version": func(d *plan.Document) { d.Roots[0].Terraform = "o" },
		"state lineage":     func(d *plan.Document) { d.Roots[0].Lineage = "o" },
		"state serial":      func(d *plan.Document) { d.Roots[0].Serial++ },
		"lock file":         func(d *plan.Document) { d.Roots[0].LockFile = "o" },
		"configuration":     func(d *plan.Document) { d.Roots[0].Configuration = "o" },
		"binary plan":       func(d *plan.Document) { d.Roots[0].Plan = "secret-digest" },
		"changes":           func(d *plan.Document) { d.Roots[0].Changes = "secret-digest" },
	} {
		moved := record()
		move(&moved)
		f, err := moved.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[f]; twice {
			t.Errorf("%s and %s have the same fingerprint", field, other)
		}
		seen[f] = field
		differences := plan.Compare(record(), moved)
		if field == "nothing" {
			if len(differences) > 0 {
				t.Errorf("nothing moved: %v", differences)
			}
			continue
		}
		if !slices.ContainsFunc(differences, func(d plan.FieldDifference) bool { return d.Field == field }) {
			t.Errorf("%s moved: %v", field, differences)
		}
		if strings.Contains(fmt.Sprint(differences), "secret-digest") {
			t.Errorf("a digest is given out: %v", differences)
		}
	}
}

func TestParseFingerprint(t *testing.T) {
	t.Parallel()
	full := plan.Fingerprint(strings.Repeat("a41f", 16))
	for text, want := range map[string]bool{
		"a41f a41f a41f": true, "A41FA41FA41F": true, string(full): true, "a41fa41fa41": false, "": false, "a41fa41fa41g": false,
		string(full) + "a": false,
	} {
		f, err := plan.ParseFingerprint(text)
		if (err == nil) != want || want && !f.Means(full) {
			t.Errorf("%q: %q %v", text, f, err)
		}
	}
	if plan.Fingerprint("").Means(full) || plan.Fingerprint("a41f").Means(full) || full.Means("a41fa41fa41f") {
		t.Error("too little means something")
	}
	if full.Short() != "a41f a41f a41f" {
		t.Error(full.Short())
	}
}

func TestChangesDigestIgnoresOrder(t *testing.T) {
	t.Parallel()
	digest := func(text string) string {
		d, err := plan.ChangesDigest([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a := digest(`{"resource_changes":[{"address":"a","n":1},{"address":"b"}],"output_changes":{"x":{},"y":{}},"timestamp":"1"}`)
	if a != digest(`{"timestamp":"2","output_changes":{"y":{},"x":{}},"resource_changes":[{"address":"b"},{"n":1,"address":"a"}]}`) {
		t.Error("order counts")
	}
	for _, other := range []string{
		`{"resource_changes":[{"address":"a","n":1.0},{"address":"b"}],"output_changes":{"x":{},"y":{}}}`,
		`{"resource_changes":[{"address":"a","n":1}],"output_changes":{"x":{},"y":{}}}`,
		`{"resource_changes":[{"address":"a","n":1},{"address":"b"}],"output_changes":{"x":{}}}`,
		`{"resource_changes":[{"address":"a","n":1},{"address":"b"}],"output_changes":{"x":{},"y":{}},"action_invocations":[{"address":"c"}]}`,
		`{"resource_changes":[{"address":"a","n":1}],"output_changes":{"x":{},"y":{}},"action_invocations":[{"address":"b"}]}`,
		`{"resource_changes":[{"address":"a","n":1},{"address":"b"}],"output_changes":{"x":{},"y":{}},` +
			`"deferred_action_invocations":[{"address":"c"}]}`,
	} {
		if a == digest(other) {
			t.Errorf("%s has the same digest", other)
		}
	}
}

// What applying a plan does is not what drifted or what checks say, unless it takes what
// drifted into the state.
func TestEffectsOfLists(t *testing.T) {
	t.Parallel()
	effect := func(refresh bool, list, of string) string {
		t.Helper()
		got, err := plan.RootRecord{RefreshOnly: refresh}.Effects([]byte(`{"format_version":"1.2","` + list + `":[` + of + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	const a, b = `{"address":"a"}`, `{"address":"b"}`
	for _, c := range []struct {
		refresh, counts bool
		list            string
	}{
		{true, true, "resource_drift"}, {false, false, "resource_drift"}, {true, false, "checks"}, {false, false, "checks"},
		{false, true, "resource_changes"}, {false, true, "action_invocations"},
	} {
		if counts := effect(c.refresh, c.list, a) != effect(c.refresh, c.list, b); counts != c.counts {
			t.Errorf("refresh-only %t: %s counts: %t", c.refresh, c.list, counts)
		}
	}
}

// All that a plan says is in the digest, in whatever order it is listed, but for its time:
// people are shown some of it, and hooks read any of it.
func TestChangesDigestHasAllOfThePlan(t *testing.T) {
	t.Parallel()
	digest := func(list, of string) string {
		t.Helper()
		got, err := plan.ChangesDigest([]byte(`{"format_version":"1.2","` + list + `":[` + of + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	const a, b, c = `{"address":"a"}`, `{"address":"b"}`, `{"address":"c"}`
	seen := make(map[string]string)
	for _, list := range []string{
		"resource_drift", "checks", "resource_changes", "action_invocations", "deferred_action_invocations", "planned_values",
		"prior_state", "configuration", "relevant_attributes", "Resource_Changes",
	} {
		if digest(list, a+","+b+","+c) != digest(list, c+","+a+","+b) {
			t.Errorf("%s in another order are another plan", list)
		}
		for _, of := range []string{a, b} {
			what, sum := list+" "+of, digest(list, of)
			if same := seen[sum]; same != "" || sum == digest(list, "") {
				t.Errorf("%s and %q have one digest", what, same)
			}
			seen[sum] = what
		}
	}
	const data = `{"mode":"data","address":"data.a","values":{"token":"1"}}`
	other := strings.Replace(data, `"1"`, `"2"`, 1)
	if digest("prior_state", data) != digest("prior_state", other) {
		t.Error("what a data source answers beside the changes counts")
	}
	if digest("resource_changes", data) == digest("resource_changes", other) {
		t.Error("what a data source answers does not count in a change")
	}
	if same, err := plan.SameAnswers([]byte("["+data+"]"), []byte("["+other+"]")); err != nil || same {
		t.Errorf("other answers are the same: %v", err)
	}
	if same, err := plan.SameAnswers([]byte("["+data+", 1]"), []byte("[1, "+data+"]")); err != nil || !same {
		t.Errorf("the same answers are others: %v", err)
	}
	if digest("timestamp", a) != digest("timestamp", b) {
		t.Error("a plan that is made later is another one")
	}
	for _, list := range []string{"resource_changes", "resource_drift"} { // lists in a value have an order
		if digest(list, `{"after":{"l":[1,2]}}`) == digest(list, `{"after":{"l":[2,1]}}`) {
			t.Errorf("the order in a value of %s does not count", list)
		}
	}
	for name, twice := range map[string]string{
		"a list that stands there twice": `{"resource_changes":[],"resource_changes":[{"address":"a"}]}`, "nothing": ``,
	} {
		if got, err := plan.ChangesDigest([]byte(twice)); err == nil {
			t.Errorf("%s has the digest %s", name, got)
		}
	}
}
