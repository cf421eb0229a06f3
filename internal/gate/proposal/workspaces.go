package proposal

import (
	"context"
	"encoding/json"

	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/roots"
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
	r.Roots.Found, err = policy.Listing{Tool: r.Tool, Allowed: allowed, Login: r.Login}.Find(ctx)
	return err
}

// unmatched are the patterns of waybill.yaml that match no workspace.
func (p *Prepared) unmatched() []string {
	cfg, err := roots.Config(p.r.Roots.Top)
	if err != nil {
		return nil // the selection has said so
	}
	return p.r.Roots.Found.Unmatched(roots.Patterns(cfg))
}
