package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
)

// Whoever may write can change what the plan comment of a job claims, and copy into it what
// other plans are. What it names is opened, and must be what people approved here.
func TestClaimsOfOtherPlans(t *testing.T) {
	t.Parallel()
	change := func(do func(w *infraWorld, c *comment.Claim)) func(*infraWorld, plan.Fingerprint) {
		return func(w *infraWorld, _ plan.Fingerprint) {
			claim := w.firstClaim()
			do(w, &claim)
			w.editFirstComment(forgedPlan(claim))
		}
	}
	for name, a := range map[string]attack{
		"of another pull request, where it is approved": {code: 3, gate: "the sealed plan is of commit", apply: "head commit was",
			do: change(func(w *infraWorld, c *comment.Claim) {
				w.second()
				f := w.planOf("2")
				w.reviewOf(2, "bob", f)
				head := c.Head
				for _, pull := range w.github.Pulls("acme/infra") {
					if pull.Number == 2 {
						*c, _ = comment.ReadClaim(pull.Comments[0])
					}
				}
				c.Head = head
				w.git(w.clone, "checkout", "-q", "change")
			})},
		"of no plan": {code: 3, says: `the sealed plan is refused \(not-sealed\)`,
			do: change(func(w *infraWorld, c *comment.Claim) { c.Plan = filepath.Join(w.clone, "infra/prod/main.tf") })},
		"without a fingerprint": {code: 4, says: "0 of 1 approvals",
			do: change(func(_ *infraWorld, c *comment.Claim) { c.Fingerprint = "" })},
		"with the beginning of one": {code: 4, says: "0 of 1 approvals",
			do: change(func(_ *infraWorld, c *comment.Claim) { c.Fingerprint = c.Fingerprint[:12] })},
		"with a part of the beginning": {code: 3, says: `the sealed plan is refused \(other-plan\)`,
			do: change(func(_ *infraWorld, c *comment.Claim) { c.Fingerprint = c.Fingerprint[:11] })},
		"with an earlier plan that never was": {code: 4, says: `bob \(other-fingerprint\): it names aaaa bbbb cccc`,
			do: change(func(w *infraWorld, c *comment.Claim) {
				w.review("bob", "APPROVE", "approve aaaa bbbb cccc")
				c.Earlier = []plan.Parts{c.Parts, append(plan.Parts{"aaaabbbbcccc"}, c.Parts...)}
			})},
		"with an earlier plan of another root": {code: 4, says: `bob \(other-fingerprint\)`,
			do: change(func(w *infraWorld, c *comment.Claim) {
				parts := plan.Parts{plan.Fingerprint(strings.Repeat("a", 64))}
				f, err := parts.Fingerprint()
				if err != nil {
					w.t.Fatal(err)
				}
				w.approve("bob", f)
				c.Earlier = []plan.Parts{parts}
			})},
		"with the approved plan of an earlier commit": {code: 4, says: `bob \(other-fingerprint\)`,
			do: func(w *infraWorld, f plan.Fingerprint) {
				w.comment("bob", "/approve "+f.Short())
				before := w.firstClaim()
				w.push("ada", map[string]string{"infra/prod/more.tf": "output \"more\" {\n  value = \"x\"\n}\n"})
				w.plan()
				claim := w.firstClaim()
				claim.Earlier = []plan.Parts{before.Parts}
				w.editFirstComment(forgedPlan(claim))
			}},
		"without its roots": {code: 4, says: "0 of 1 approvals",
			do: change(func(_ *infraWorld, c *comment.Claim) { c.Roots, c.Parts = nil, nil })},
		"with other roots": {code: 4, says: "0 of 1 approvals", do: change(func(_ *infraWorld, c *comment.Claim) {
			c.Roots = []comment.ClaimRoot{{Dir: "infra/none"}}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.attack(a, f)
		})
	}
}
