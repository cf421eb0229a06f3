package proposal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
)

// No job plans roots of two environments, no job more than asked for, and no matrix has
// more jobs than GitHub runs.
func TestGroups(t *testing.T) {
	t.Parallel()
	rules := config.Terraform{Environments: []config.TerraformEnvironment{{Dir: "prod/**", Name: "prod"}}}
	list := func(n int) (made []roots.Root) {
		for i := range n {
			made = append(made, roots.Root{Dir: fmt.Sprintf("%s/r%04d", []string{"dev", "prod"}[i%2], i)})
		}
		return made
	}
	for _, c := range []struct{ roots, size, want, most int }{
		{0, 25, 0, 0}, {1, 25, 1, 1}, {50, 25, 2, 25}, {52, 25, 4, 25}, {1000, 25, 40, 25}, {1000, 1, 250, 4}, {50, 0, 2, 25},
	} {
		groups, err := groupsOf(list(c.roots), rules, c.size)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		most := 0
		for i, g := range groups {
			most = max(most, len(g.roots))
			if g.String() != fmt.Sprintf("%d/%d", i+1, c.want) {
				t.Errorf("group %d is called %s", i+1, g)
			}
			for _, r := range g.roots {
				if seen[r.Dir] || rules.Environment(r.Dir, "").Name != g.environment.Name {
					t.Errorf("%s stands in group %s of %s", r.Dir, g, g.environment.Name)
				}
				seen[r.Dir] = true
			}
		}
		if len(groups) != c.want || len(seen) != c.roots || most > c.most {
			t.Errorf("%d roots, %d each: %d groups of up to %d with %d roots", c.roots, c.size, len(groups), most, len(seen))
		}
	}
}

// Every job has one role: one environment of two roles is a mistake.
func TestGroupsHaveOneRole(t *testing.T) {
	t.Parallel()
	rules := config.Terraform{Environments: []config.TerraformEnvironment{
		{Dir: "a", Name: "prod", PlanRole: "one"}, {Dir: "b", Name: "prod", PlanRole: "two"},
	}}
	_, err := groupsOf([]roots.Root{{Dir: "a"}, {Dir: "b"}}, rules, 25)
	if err == nil || !strings.Contains(err.Error(), "gives prod two plan roles") {
		t.Error(err)
	}
	var many []roots.Root
	rules.Environments = nil
	for i := range maxGroups + 1 {
		dir := fmt.Sprintf("r%d", i)
		many = append(many, roots.Root{Dir: dir})
		rules.Environments = append(rules.Environments, config.TerraformEnvironment{Dir: dir, Name: dir})
	}
	if _, err := groupsOf(many, rules, 25); err == nil || !strings.Contains(err.Error(), "257 environments") {
		t.Error(err)
	}
}

// A root that could not be planned waits for a root of another job only if that one
// changes; otherwise the plan failed.
func TestWaitForRootsOfOtherJobs(t *testing.T) {
	t.Parallel()
	changes := summary.Summary{Outputs: []summary.Resource{{Address: "x"}}}
	made := &plan.Result{
		Roots: []plan.RootPlan{{Record: plan.RootRecord{Dir: "net"}, Summary: changes}, {Record: plan.RootRecord{Dir: "same"}}},
		Waits: []plan.Waiting{{Dir: "app", After: []string{"./net", "same"}, Why: "app: no output"}},
	}
	if err := wait(made); err != nil || strings.Join(made.Waits[0].After, " ") != "net" {
		t.Errorf("%v %v", made.Waits, err)
	}
	made.Waits = []plan.Waiting{{Dir: "app", After: []string{"same"}, Why: "app: no output"}}
	if err := wait(made); err == nil || !strings.Contains(err.Error(), "app: no output") {
		t.Error(err)
	}
}
