package proposal

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Spread says how roots are planned by several jobs.
type Spread struct {
	List  bool   // gives the jobs, and plans nothing
	Auto  bool   // plans where one job is enough, and gives the jobs otherwise
	Size  int    // most roots of a job; 0 is 25
	Group string // N/M: the job plans that group alone
	Join  bool   // joins what the jobs planned
	Run   string // to which the parts belong
	// Workspaces are those that another job found, as JSON; if empty, this job asks.
	Workspaces string
}

// MatrixJob is one of a matrix of jobs that plan.
type MatrixJob struct {
	Group       string `json:"group"` // N/M
	Environment string `json:"environment"`
	Roots       int    `json:"roots"`
}

// Matrix is a matrix of jobs, as a workflow takes it.
type Matrix struct {
	Include []MatrixJob `json:"include"`
}

const (
	defaultGroup = 25
	maxGroups    = 256 // jobs that a matrix of GitHub may have
)

// group is what one job plans: roots of one environment, in their order.
type group struct {
	number, of  int
	environment config.TerraformEnvironment
	roots       []roots.Root
}

func (g group) String() string { return fmt.Sprintf("%d/%d", g.number, g.of) }

// groupsOf divides the roots, each environment for itself. Where that makes more jobs
// than GitHub runs, each job plans more roots.
func groupsOf(list []roots.Root, rules config.Terraform, size int) ([]group, error) {
	if size <= 0 {
		size = defaultGroup
	}
	each, err := roots.Environments(list, rules)
	if err != nil {
		return nil, err
	}
	if len(each) > maxGroups {
		return nil, outcome.Refusedf("the roots are of %d environments, and a matrix of GitHub has %d jobs at most", len(each), maxGroups)
	}
	for ; ; size++ {
		jobs := 0
		for _, e := range each {
			jobs += (len(e.Roots) + size - 1) / size
		}
		if jobs <= maxGroups {
			break
		}
	}
	var groups []group
	for _, e := range each {
		for rest := e.Roots; len(rest) > 0; {
			n := min(size, len(rest))
			groups, rest = append(groups, group{environment: e.TerraformEnvironment, roots: rest[:n]}), rest[n:]
		}
	}
	for i := range groups {
		groups[i].number, groups[i].of = i+1, len(groups)
	}
	return groups, nil
}

// divide divides the selected roots by the environments of the default branch.
func (p *Prepared) divide(ctx context.Context) ([]group, error) {
	rules, err := p.r.Site.Terraform(ctx)
	if err != nil {
		return nil, err
	}
	return groupsOf(p.Roots, rules, p.r.Spread.Size)
}

// list gives the jobs that plan, where there are to be several.
func (p *Prepared) list(ctx context.Context) (*Matrix, error) {
	s := p.r.Spread
	if !s.List && !s.Auto {
		return nil, nil
	}
	groups, err := p.divide(ctx)
	if err != nil {
		return nil, err
	}
	if !s.List && p.oneJob(groups) {
		return nil, nil
	}
	m := &Matrix{Include: []MatrixJob{}}
	for _, g := range groups {
		m.Include = append(m.Include, MatrixJob{g.String(), g.environment.Name, len(g.roots)})
	}
	return m, nil
}

// oneJob reports whether one job plans all of them: they are few, and one role reads
// them all.
func (p *Prepared) oneJob(groups []group) bool {
	size := p.r.Spread.Size
	if size <= 0 {
		size = defaultGroup
	}
	return len(p.Roots) <= size && oneRole(groups)
}

func oneRole(groups []group) bool {
	for _, g := range groups {
		if g.environment.PlanRole != groups[0].environment.PlanRole {
			return false
		}
	}
	return true
}

// narrow keeps the roots of the job's group, where it plans one.
func (p *Prepared) narrow(ctx context.Context) error {
	groups, err := p.divide(ctx)
	if err != nil {
		return err
	}
	if p.r.Spread.Group == "" {
		if !oneRole(groups) {
			return outcome.Refusedf("the roots have different plan roles in terraform.environments, and one job has one of them: " +
				"take the newer plan.yml, or plan some of the roots by --dir")
		}
		if len(groups) > 0 {
			p.role = groups[0].environment.PlanRole
		}
		return nil
	}
	for _, g := range groups {
		if g.String() == p.r.Spread.Group {
			p.Roots, p.role, p.group = g.roots, g.environment.PlanRole, &g
			p.Removed = nil // the job that joins says it
			return nil
		}
	}
	return outcome.Refusedf("there is no group %s: the roots make %d groups now, because waybill.yaml of the default branch or the pull "+
		"request was changed meanwhile. Plan again", p.r.Spread.Group, len(groups))
}
