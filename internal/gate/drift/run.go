package drift

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Search says where drift is looked for, and whether issues are kept of it.
type Search struct {
	Site      *site.Site
	Roots     roots.Request
	Tool      tool.Request
	Parallel  int // roots planned at the same time; 0 is 4
	Unmanaged bool
	Issues    bool
	Label     string // of the issues
	// Environment keeps the roots of one GitHub environment, which its plan role plans. If
	// empty, all are looked at by one role.
	Environment string
	List        bool // gives the environments, and looks at nothing
	// Login gives the login for a plan role of terraform.environments.
	Login func(role string) (cloud.Request, error)
}

// MatrixJob is one of a matrix of jobs that look for drift.
type MatrixJob struct {
	Environment string `json:"environment"`
	Roots       int    `json:"roots"`
}

// Matrix is a matrix of jobs, as a workflow takes it.
type Matrix struct {
	Include []MatrixJob `json:"include"`
}

// Run finds drift and keeps the issues. What it found is given beside an error of
// the issues.
func Run(ctx context.Context, s Search) (*Report, error) {
	if s.Label == "" || strings.ContainsAny(s.Label, ",\n") {
		return nil, outcome.Usagef("--label %q: the name of one label, without a comma", s.Label)
	}
	if err := s.findWorkspaces(ctx); err != nil {
		return nil, err
	}
	list, err := roots.Named(s.Roots)
	if err != nil {
		return nil, err
	}
	cfg, err := roots.Config(s.Roots.Top)
	if err != nil {
		return nil, err
	}
	allowed, err := s.Site.Terraform(ctx)
	if err != nil {
		return nil, err
	}
	every := list
	if s.List || s.Environment != "" {
		each, err := roots.Environments(list, allowed)
		if err != nil || s.List {
			return &Report{Matrix: matrixOf(each)}, err
		}
		if list, err = s.ofEnvironment(each); err != nil {
			return nil, err
		}
	}
	kit, err := tool.Prepare(s.Tool)
	if err != nil {
		return nil, err
	}
	defer kit.Close()
	guard := policy.NewGuard(s.Roots.Top, allowed)
	kit.Guard, kit.Given = guard.Check, allowed.Given
	for _, r := range list {
		guard.Reads(r.Dir, r.VarFiles)
	}
	broken := kit.ChooseEach(ctx, list)
	if err := kit.Login(ctx); err != nil {
		return nil, err
	}
	report, err := Find(ctx, Request{
		Top: s.Roots.Top, Roots: list, Tool: kit.Tool, Parallel: s.Parallel, Unmanaged: s.Unmanaged,
		Ignores: cfg.Drift, Unapplied: cfg.Unapplied, All: len(s.Roots.Dirs) == 0 && len(list) == len(every), Now: time.Now(),
		Broken: broken,
	})
	if err != nil || !s.Issues || !s.Site.OnGitHub() {
		return report, err
	}
	tracker := Tracker{API: s.Site.API, Repo: s.Site.Repo, Label: s.Label}
	if len(s.Roots.Dirs) == 0 {
		tracker.Every = every
	}
	if err := tracker.Keep(ctx, report); err != nil {
		return report, fmt.Errorf("keep the issues: %w", err) // what was found is said all the same
	}
	return report, nil
}

// findWorkspaces asks the backends for the workspaces of roots that name them by a pattern.
func (s *Search) findWorkspaces(ctx context.Context) error {
	cfg, err := roots.Config(s.Roots.Top)
	if err != nil || len(s.Roots.Dirs) > 0 || len(roots.Patterns(cfg)) == 0 {
		return err
	}
	allowed, err := s.Site.Terraform(ctx)
	if err == nil {
		s.Roots.Found, err = policy.Listing{Tool: s.Tool, Allowed: allowed, Login: s.Login}.Find(ctx)
	}
	return err
}

func matrixOf(each []roots.Environment) *Matrix {
	m := &Matrix{Include: []MatrixJob{}}
	for _, e := range each {
		m.Include = append(m.Include, MatrixJob{e.Name, len(e.Roots)})
	}
	return m
}

// ofEnvironment keeps the roots of the job's environment, and takes its plan role.
func (s *Search) ofEnvironment(each []roots.Environment) ([]roots.Root, error) {
	for _, e := range each {
		if e.Name != s.Environment {
			continue
		}
		var err error
		if e.PlanRole != "" {
			s.Tool.Login, err = s.Login(e.PlanRole)
		}
		return e.Roots, err
	}
	return nil, outcome.Usagef("no root is of the environment %s, by terraform.environments of the default branch", s.Environment)
}

// Outcome is how the command ends: a root that could not be planned is broken,
// whatever the others are.
func (r *Report) Outcome(failOnDrift bool) error {
	var problems []string
	for _, root := range r.Of(Broken) {
		problems = append(problems, root.Dir+": "+root.Problem)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d of %d roots could not be planned: %s", len(problems), len(r.Roots), strings.Join(problems, "\n"))
	}
	if n := len(r.Of(Drifted)); n > 0 && failOnDrift {
		return outcome.Refusedf("%d of %d roots drifted", n, len(r.Roots))
	}
	return nil
}

// Entry is a root as an output of the job shows it.
type Entry struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
	Resources int    `json:"resources,omitempty"`
	Issue     int    `json:"issue,omitempty"`
}

// Entries are the roots with a status.
func (r *Report) Entries(status string) []Entry {
	list := []Entry{}
	for _, root := range r.Of(status) {
		e := Entry{Dir: root.Dir, Workspace: root.Workspace, Resources: len(root.Drift)}
		if root.Issue != nil {
			e.Issue = root.Issue.Number
		}
		list = append(list, e)
	}
	return list
}
