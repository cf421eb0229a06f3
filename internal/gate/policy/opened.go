package policy

import (
	"context"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Opened is a root that is initialised in its workspace, of a kit that has not logged in
// yet: for what asks a backend, and plans nothing. The policy judges it before.
func Opened(ctx context.Context, kit *tool.Kit, allowed config.Terraform, root roots.Root) (*terraform.Root, error) {
	guard := NewGuard(kit.Top(), allowed)
	kit.Guard, kit.Given = guard.Check, allowed.Given
	if err := guard.Trees(ctx, []roots.Root{root}); err != nil {
		return nil, err
	}
	sources, err := roots.ReadSources(ctx, kit.Top(), root.Dir, root.VarFiles)
	if err != nil {
		return nil, err
	}
	if err := outcome.Join(kit.Choose(ctx, []roots.Root{root}), kit.Login(ctx)); err != nil {
		return nil, err
	}
	tf, _, err := kit.Open(kit.Top(), root, "opened", sources.Variables)
	if err == nil {
		_, err = plan.Initialise(ctx, tf, root.Workspace, kit.Backend)
	}
	return tf, guard.Refusal(redact.GivenSecrets(kit.Env(sources.Sensitive)).Error(err))
}
