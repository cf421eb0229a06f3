package proposal

import (
	"context"
	"encoding/json"

	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// findWorkspaces asks the backends for the workspaces of roots that name them by a
// pattern; where another job has asked them, it takes what that job said. Where nothing
// reaches a backend, each such root is looked at without a workspace.
func (r *Request) findWorkspaces(ctx context.Context) error {
	if len(r.Roots.Dirs) > 0 {
		return nil
	}
	cfg, err := roots.Config(r.Roots.Top)
	if err != nil {
		return err
	}
	if len(roots.Patterns(cfg)) == 0 && !r.Site.OnGitHub() {
		return nil
	}
	allowed, err := r.Site.Terraform(ctx)
	if err != nil {
		return err
	}
	switch {
	case r.Spread.Workspaces != "":
		if err := json.Unmarshal([]byte(r.Spread.Workspaces), &r.Roots.Found); err != nil {
			return outcome.Usagef("--workspaces: it is not what plan --list gave: %w", err)
		}
		return nil
	case r.ValidateOnly:
		r.Roots.Validate = true
		return nil
	}
	if r.Roots.Found, err = (policy.Listing{Tool: r.Tool, Allowed: allowed, Login: r.Login}).Find(ctx); err != nil {
		return err
	}
	return tellable(r.Roots.Found)
}

// tellable refuses more workspaces than the jobs that plan can be told.
func tellable(found roots.Workspaces) error {
	list, err := json.Marshal(found)
	if err != nil {
		return err
	}
	if len(list) > limit.Variable {
		n := 0
		for _, names := range found {
			n += len(names)
		}
		return outcome.Refusedf("the backends list %d workspaces, more than the jobs that plan can be told (%d bytes of names, and %d at most): "+
			"delete those that nobody uses, or move some to another root", n, len(list), limit.Variable)
	}
	return nil
}

// unmatched are the patterns of waybill.yaml that match no workspace.
func (p *Prepared) unmatched() []string {
	cfg, err := roots.Config(p.r.Roots.Top)
	if err != nil {
		return nil // the selection has said so
	}
	return p.r.Roots.Found.Unmatched(roots.Patterns(cfg))
}
