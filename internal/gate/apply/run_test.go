package apply

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func TestNotReached(t *testing.T) {
	t.Parallel()
	summary := summary.Summary{Resources: []summary.Resource{
		{Address: "gone", Action: summary.Destroy}, {Address: "new", Action: summary.Replace},
		{Address: "half", Action: summary.Replace}, {Address: "more", Action: summary.Add}, {Address: "bad", Action: summary.Change},
		{Address: "moved", Action: summary.Move}, {Address: "left", Action: summary.Change},
	}}
	r := RootResult{Done: []string{"gone: delete", "new: create", "new: delete", "half: delete"}, Failed: []string{"bad: update"}}
	if diff := cmp.Diff([]string{"half: create", "more: create", "left: update"}, notReached(summary, r)); diff != "" {
		t.Error(diff)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	many := strings.Split(strings.Repeat("a: create ", 25), " ")[:50]
	for name, c := range map[string]struct {
		results []RootResult
		says    []string
		not     string
	}{
		"all": {
			[]RootResult{{Dir: "a", State: Applied, Done: []string{"x: create"}}, {Dir: "b", State: Unchanged}},
			[]string{"a: applied, 1 done", "b: unchanged"}, "plan again",
		},
		"a part": {
			[]RootResult{
				{
					Dir: "a", State: Failed, Serial: 4, Done: []string{"x: create"}, Failed: []string{"y: create"},
					Untouched: []string{"z: update"},
				},
				{Dir: "b", State: Untouched},
			},
			[]string{
				"a: failed, 1 done, not done: y: create; the state is at serial 4", "  done: x: create", "  not begun: z: update",
				"b: untouched",
				"nothing is undone. The sealed plan is kept, but no longer fits: plan again, and approve what is left",
			},
			"lock lost",
		},
		"unsaved": {
			[]RootResult{{Dir: "a", State: Failed, Lost: "why", Kept: "oci://x"}},
			[]string{
				"lock lost: why", "sealed: oci://x", "before anything else: age --decrypt", "in the sealed state alone",
				"Push that state first",
			},
			"what was done is in the state;",
		},
		"many": {
			[]RootResult{{Dir: "a", State: Failed, Untouched: many}}, []string{"and 30 more"},
			"create, a: create, a: create, a: create, a: create, a: create, a: create, a: create, a: create, a: create, a: create, " +
				"a: create, a: create",
		},
		"hostile": {
			[]RootResult{{Dir: "a", State: Failed, Failed: []string{"x[\"\x1b[31m##[error]\"]: create"}}}, []string{"# #[error]"},
			"\x1b",
		},
	} {
		got := Report(c.results)
		for _, want := range c.says {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q: %s", name, want, got)
			}
		}
		if strings.Contains(got, c.not) {
			t.Errorf("%s holds %q: %s", name, c.not, got)
		}
	}
}

func TestMismatchIsARefusal(t *testing.T) {
	t.Parallel()
	err := mismatch(
		[]plan.FieldDifference{{Dir: "a", Field: "state serial", Planned: "1", Now: "2"}}, "a: planned now, it would differ:",
		"  x: approved: nothing; now: is added",
	)
	want := "a: state serial was 1 when planned, is 2 now (something was applied since, perhaps this plan itself)\na: planned now, " +
		"it would differ:\n  x: approved: nothing; now: is added\nwhat was approved is not what would be applied: plan again"
	if outcome.Code(err) != outcome.Refused || err.Error() != want {
		t.Errorf("%v", err)
	}
}
