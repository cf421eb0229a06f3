package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// planAgain starts the workflow that plans where a plan is out of date.
func planAgain(ctx context.Context, call *cli.Call, in options.Plan) (result proposal.Result, err error) {
	access := connect.Access{Call: call, Repository: options.Repository{Repo: in.Repo}, GitHub: in.GitHub, Registry: in.Registry}
	top, err := connect.Top(ctx, in.Checkout)
	if err != nil {
		return result, err
	}
	where, err := access.Site(ctx, top)
	if err != nil {
		return result, err
	}
	if !where.OnGitHub() {
		return result, outcome.Usagef("--again-workflow: which repository? Give --repo OWNER/NAME")
	}
	again := proposal.Again{Workflow: in.AgainWorkflow, Age: in.AgainAfter, Now: time.Now(), Registry: access.SealStores()}
	result.Stale, err = again.Run(ctx, where)
	return result, err
}
