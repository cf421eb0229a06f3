package verdict

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
)

// The answer to /help lists so many roots and counts the others; no name breaks out of its
// row or makes it long.
func TestHelpOfManyRoots(t *testing.T) {
	t.Parallel()
	claim := comment.Claim{}
	for i := range 100 {
		claim.Roots = append(claim.Roots, comment.ClaimRoot{Dir: fmt.Sprintf("infra/r%d-", i) + strings.Repeat("x", 2_000)})
		claim.Parts = append(claim.Parts, plan.Fingerprint(strings.Repeat("a", 64)))
		wait := plan.Waiting{Dir: fmt.Sprintf("infra/w%d", i)}
		for j := range 100 {
			wait.After = append(wait.After, fmt.Sprintf("infra/<b>@acme/r%d", j))
		}
		claim.Waits = append(claim.Waits, wait)
	}
	claim.Roots[0] = comment.ClaimRoot{Dir: "infra/a|b`\n@acme", Destroys: true}
	claim.Roots[1] = comment.ClaimRoot{Dir: "infra/gone", Removed: true, Destroys: true}
	claim.Roots[2] = comment.ClaimRoot{Dir: "infra/changed", Changes: true}
	got := helpTable(claim, []comment.Moved{{Dir: "infra/changed", Workspace: "default", Serial: 7, By: 3}},
		func(r comment.ClaimRoot) string { return "of " + r.Dir[:7] })
	rows := strings.Split(got, "\n")
	for i, want := range []string{
		"", "| root | fingerprint | plan | applied in |", "|---|---|---|---|", "**destroys**", "is no root any more",
		"changes; ⚠️ the state of infra/changed moved to serial 7, by #\u200b3: plan it again", "| changes nothing | `of infra/r`",
	} {
		if !strings.Contains(rows[i], want) || i > 1 && i < 7 && strings.Count(rows[i], " | ") != 3 && i != 2 {
			t.Errorf("row %d is %q, want %q", i, rows[i], want)
		}
	}
	if n := strings.Count(got, "…` | `aaaa aaaa aaaa`"); n != 57 {
		t.Errorf("%d names are cut", n)
	}
	for _, want := range []string{"\n40 roots more.\n", "\n40 roots more wait for others too.\n", "r59 and 40 more is applied.\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(got, "<b>") || strings.Contains(got, "@acme/r") ||
		strings.Contains(got, "infra/r60") || strings.Contains(got, "w60") {
		t.Errorf("it says more than it should: %s", got[len(got)-3000:])
	}
}
