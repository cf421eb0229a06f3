package apply

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// MatrixJob is one of a matrix: an environment of GitHub, and the role that applies there.
type MatrixJob struct {
	Environment string `json:"environment"`
	Role        string `json:"role"`
}

// Matrix is a matrix of jobs, as a workflow takes it.
type Matrix struct {
	Include []MatrixJob `json:"include"`
}

// ofEnvironment keeps the roots that are applied in this job's environment, by the
// rules of the default branch. What a root is applied by, and by whose approval, is
// then the environment's. It gives the fingerprints of their plans too, and to the
// result that of the whole plan.
func (o Order) ofEnvironment(ctx context.Context, b *seal.Bundle, result *Result) (*seal.Bundle, plan.Parts, error) {
	parts, err := b.Document.Parts()
	if err == nil {
		result.Fingerprint, err = parts.Fingerprint()
	}
	if err != nil || o.Environment == "" {
		return b, parts, err
	}
	rules, err := o.Site.Terraform(ctx)
	if err != nil {
		return nil, nil, err
	}
	kept, keptParts := *b, plan.Parts{}
	kept.Document.Roots, kept.Roots = nil, nil
	for i, r := range b.Document.Roots {
		if rules.Environment(r.Dir, r.Workspace).Name == o.Environment {
			kept.Document.Roots, kept.Roots = append(kept.Document.Roots, r), append(kept.Roots, b.Roots[i])
			keptParts = append(keptParts, parts[i])
		}
	}
	if len(kept.Roots) == 0 && len(b.Roots) > 0 {
		if o.Push != nil && o.Asked == nil {
			return nil, nil, nil // a push brought several plans, each with its own environments
		}
		return nil, nil, outcome.Refusedf("no root of the plan is applied in the environment %s, by terraform.environments in %s of the "+
			"default branch", o.Environment, config.FileName)
	}
	return &kept, append(keptParts, parts[len(b.Roots):]...), nil
}

// List says in which environments the plans are applied that the order is about, in
// the order of their roots, and what is to be merged afterwards.
func (o Order) List(ctx context.Context) (*Result, error) {
	m, err := o.environments(ctx)
	if err != nil {
		return nil, err
	}
	head, err := o.mergeHead(ctx)
	return &Result{Matrix: &m, MergeHead: head}, err
}

func (o Order) environments(ctx context.Context) (m Matrix, err error) {
	switch by, err := o.asker(ctx); {
	case err != nil && by == "":
		return m, err
	case err != nil: // the job that applies answers
		return Matrix{Include: []MatrixJob{{Environment: config.DefaultEnvironment}}}, nil
	}
	sites := []*site.Site{o.Site}
	if o.Site.Pull == nil && o.Site.OnGitHub() && o.Push != nil {
		var pulls []*github.PullRequest
		if pulls, err = o.pushed(ctx); err != nil {
			return m, err
		}
		sites = nil
		for _, p := range pulls {
			sites = append(sites, o.Site.Of(p))
		}
	}
	rules, err := o.Site.Terraform(ctx)
	if err != nil {
		return m, err
	}
	add := func(e config.TerraformEnvironment) {
		if job := (MatrixJob{e.Name, e.Role}); !slices.Contains(m.Include, job) {
			m.Include = append(m.Include, job)
		}
	}
	if o.Unlocks() {
		e, err := o.unlockEnvironment(ctx, rules)
		add(e)
		return m, err
	}
	for _, s := range sites {
		claim, found, err := comment.FindClaim(ctx, s)
		if err == nil && found {
			claim, err = claim.Whole(ctx, o.Registry)
		}
		if err != nil {
			return m, err
		}
		for _, r := range claim.Roots {
			if !r.Removed {
				add(rules.Environment(r.Dir, r.Workspace))
			}
		}
	}
	if len(m.Include) == 0 {
		add(config.TerraformEnvironment{Name: config.DefaultEnvironment})
	}
	return m, nil
}
