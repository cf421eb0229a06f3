package approval

import (
	"fmt"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Change is a root of the plan, and whether it destroys.
type Change struct {
	Dir      string
	Destroys bool
	None     bool // it changes nothing
}

// Needs are what a plan asks for.
type Needs struct {
	Roots  []Need
	Digits int // of the fingerprint that an approval must name
}

// NeedsOf says what the roots ask for by each of several sets of rules: all of
// them hold, so that a pull request cannot loosen the rules that it is judged
// by. A root that changes nothing asks for nothing.
func NeedsOf(rules []config.Terraform, changes []Change) (Needs, error) {
	var needs Needs
	for _, t := range rules {
		needs.Digits = max(needs.Digits, t.Digits)
	}
	for _, c := range changes {
		if c.None {
			continue
		}
		for _, t := range rules {
			approval, ok := t.Approval(c.Dir, c.Destroys)
			if !ok {
				return Needs{}, outcome.Refusedf("%s: no rule says who approves it: add one to terraform.rules in %s on the base branch", c.Dir, config.FileName)
			}
			need := Need{Dir: c.Dir, Approvals: approval.Approvals, From: approval.From, Destroys: c.Destroys}
			if !contains(needs.Roots, need) {
				needs.Roots = append(needs.Roots, need)
			}
		}
	}
	return needs, nil
}

func contains(needs []Need, n Need) bool {
	for _, other := range needs {
		if fmt.Sprint(other) == fmt.Sprint(n) {
			return true
		}
	}
	return false
}
