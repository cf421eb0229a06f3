package verdict

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	pending := approval.Decision{
		Verdict: approval.Pending, Roots: []approval.RootDecision{{Dir: "infra/prod", Needs: 2, From: []string{"acme/dba", "dan"}}},
	}
	approved := approval.Decision{Verdict: approval.Approved}
	before := &github.Status{State: "success", Description: "onto main@0123456789: approved by bob"}
	none, nothing, failed := &unplannedError{}, &unplannedError{none: true}, &unplannedError{failed: true}
	for name, c := range map[string]struct {
		s           situation
		state, says string
		keep        bool
	}{
		"approved": {situation{decision: approved}, "success", "approved by nobody: no rule asks for it", false},
		"pending":  {situation{decision: pending}, "pending", "needs 2 of acme/dba or dan for infra/prod", false},
		"refused":  {situation{decision: approved, problem: outcome.Refusedf("a\nb")}, "failure", "a; b", false},
		"broken": {
			situation{decision: approved, problem: errors.New("403")}, "error", "it could not be decided; see the run", false,
		},
		"a state that moved": {situation{decision: approved, problem: outcome.Pendingf("x moved")}, "pending", "x moved", false},
		"nothing to plan":    {situation{problem: nothing, before: before}, "success", "no terraform root is touched", false},
		"a plan that failed": {
			situation{problem: failed, before: before}, "failure", "the plan of 0123456 failed; see its run", false,
		},
		"no plan yet":           {situation{problem: none}, "pending", "waits for a plan of 0123456", false},
		"no plan, and a status": {situation{problem: none, before: before}, "success", before.Description, true},
		"no plan, and not believed": {
			situation{problem: none, before: before, strict: true}, "pending", "waits for a plan of 0123456", false,
		},
		"no plan, in a queue": {situation{problem: none, before: before, queue: true}, "success", "approved by bob", false},
		"no plan, in a queue, doubtful": {
			situation{problem: none, before: before, queue: true, strict: true}, "pending", "waits for a plan of 0123456", false,
		},
	} {
		c.s.head = "0123456789abcdef"
		if state, says, keep := c.s.status(); state != c.state || says != c.says || keep != c.keep {
			t.Errorf("%s: %s %q %t", name, state, says, keep)
		}
	}
}

// A plan must name every root that the change touches or takes away, by its
// directory to the letter: rules are found by it.
func TestWholePlansOnly(t *testing.T) {
	t.Parallel()
	touched := &roots.Selection{
		Roots:   []roots.Root{{Dir: "infra/prod"}, {Dir: "infra/dev", Workspace: "blue"}},
		Removed: []roots.Removed{{Dir: "infra/old", Workspace: "default"}},
	}
	all := []comment.ClaimRoot{
		{Dir: "infra/prod", Workspace: "default"}, {Dir: "infra/dev", Workspace: "blue"}, {Dir: "infra/old", Removed: true},
	}
	if err := whole(comment.Claim{Roots: all}, touched); err != nil {
		t.Errorf("all of them: %v", err)
	}
	for says, change := range map[string]func([]comment.ClaimRoot){
		"infra/prod is touched, and the plan does not name it":          func(r []comment.ClaimRoot) { r[0].Dir = "infra/./prod" },
		"infra/dev in workspace blue is touched, and the plan does":     func(r []comment.ClaimRoot) { r[1].Workspace = "green" },
		"infra/old is taken away, and the plan does not say so\nplan":   func(r []comment.ClaimRoot) { r[2].Removed = false },
		"infra/old is taken away, and the plan does not say so":         func(r []comment.ClaimRoot) { r[2].Workspace = "other" },
		"infra/prod is touched, and the plan does not name it\nplan ag": func(r []comment.ClaimRoot) { r[0].Dir = "infra" },
	} {
		claim := comment.Claim{Roots: append([]comment.ClaimRoot{}, all...)}
		change(claim.Roots)
		if err := whole(claim, touched); outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
	}
	if err := whole(comment.Claim{}, nil); err != nil {
		t.Errorf("without a checkout: %v", err)
	}
}

// A root may wait for another one only where waybill.yaml says that it comes after that,
// and the plan changes that.
func TestOnlyWhatComesAfterAChangeWaits(t *testing.T) {
	t.Parallel()
	service := roots.Root{Dir: "infra/service", After: []string{"infra/network"}}
	for name, c := range map[string]struct {
		root    roots.Root
		changes bool
		waits   string
		is      bool
	}{
		"it comes after a change":     {service, true, "infra/service", true},
		"that changes nothing":        {service, false, "infra/service", false},
		"it comes after another":      {roots.Root{Dir: "infra/service", After: []string{"infra/dns"}}, true, "infra/service", false},
		"it comes after none":         {roots.Root{Dir: "infra/service"}, true, "infra/service", false},
		"another spelling of it":      {service, true, "infra/./service", false},
		"the plan says nothing of it": {service, true, "infra/other", false},
	} {
		claim := comment.Claim{
			Roots: []comment.ClaimRoot{{Dir: "infra/network", Workspace: "default", Changes: c.changes}},
			Waits: []plan.Waiting{{Dir: c.waits, Workspace: "default", After: []string{"infra/network"}}},
		}
		err := whole(claim, &roots.Selection{Roots: []roots.Root{{Dir: "infra/network"}, c.root}})
		switch {
		case c.is && err != nil:
			t.Errorf("%s: %v", name, err)
		case !c.is && (err == nil || !strings.Contains(err.Error(), "infra/service is touched, and the plan does not name it")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// That there was nothing to plan is the plan job's word: where an App reports, and no
// checkout says the same, it is not believed.
func TestNothingPlannedIsAClaim(t *testing.T) {
	t.Parallel()
	for strict, says := range map[bool]string{true: "no plan", false: "nothing to plan"} {
		r := Request{Site: &site.Site{}, Strict: strict, Planned: Planned{Nothing: true}}
		if _, err := r.claimed(t.Context(), nil); err == nil || err.Error() != says {
			t.Errorf("strict %t: %v", strict, err)
		}
	}
	touched := &roots.Selection{Roots: []roots.Root{{Dir: "infra/prod"}}}
	r := Request{Site: &site.Site{Top: "x"}, Planned: Planned{Nothing: true}}
	if _, err := r.claimed(t.Context(), touched); err == nil || err.Error() != "no plan" {
		t.Errorf("the checkout touches a root: %v", err)
	}
}
