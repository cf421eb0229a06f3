package summary

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
)

func TestDifferentChanges(t *testing.T) {
	t.Parallel()
	parse := func(changes string) *terraform.Plan {
		p, err := terraform.ParsePlan(
			[]byte(
				`{"format_version":"1.2","terraform_version":"1.11.4","output_changes":{"o":{"actions":["create"],"after":"` + changes[:1] + `"}},"resource_changes":[` + changes[1:] + `]}`,
			),
		)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	change := func(address, actions, after string) string {
		return `{"address":"` + address + `","type":"t","change":{"actions":[` + actions + `],` +
			`"before":null,"after":{"v":"` + after + `"},"after_sensitive":{"v":true}}}`
	}
	approved := parse("1" + strings.Join(
		[]string{
			change("same", `"create"`, "x"), change("other", `"create"`, "sesame-1"), change("gone", `"update"`, "x"),
			change("worse", `"update"`, "x"), change("none", `"no-op"`, "x"),
		},
		",",
	))
	now := parse("2" + strings.Join(
		[]string{
			change("same", `"create"`, "x"), change("other", `"create"`, "sesame-2"), change("worse", `"delete","create"`, "x"),
			change("none", `"no-op"`, "y"), change("fresh", `"delete"`, "x"),
		},
		",",
	))
	var got []string
	for _, d := range DifferentChanges(approved, now, redact.FindSecrets(approved, now)) {
		got = append(got, d.String())
	}
	want := []string{
		"fresh: approved: nothing; now: is destroyed", "gone: approved: changes; now: nothing",
		"other: approved: is added; now: is added, with other values",
		"output o: approved: is added; now: is added, with other values", "worse: approved: changes; now: is replaced",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Of plans that bring the state up to date, what changed outside is what they differ in;
// other plans do nothing about it.
func TestDifferentRefresh(t *testing.T) {
	t.Parallel()
	parse := func(size string) *terraform.Plan {
		p, err := terraform.ParsePlan([]byte(`{"format_version":"1.2","terraform_version":"1.11.4","resource_drift":[{"address":"x","type":"t",` +
			`"change":{"actions":["update"],"before":{"size":"1"},"after":{"size":"` + size + `"}}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	approved, now := parse("8"), parse("9")
	secrets := redact.FindSecrets(approved, now)
	got := DifferentRefresh(approved, now, secrets)
	if len(got) != 1 || got[0].String() != "x (as it is): approved: changes; now: changes, with other values" {
		t.Errorf("%v", got)
	}
	if got := DifferentChanges(approved, now, secrets); len(got) > 0 {
		t.Errorf("plans that change nothing there differ: %v", got)
	}
}
