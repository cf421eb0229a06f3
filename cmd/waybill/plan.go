package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runPlan(ctx context.Context, call *cli.Call) error {
	request, err := planRequest(ctx, call)
	if err == nil {
		err = planAndShow(ctx, call, request)
	}
	if err = terraformProblem(call, err); err != nil && commentsPlan(call, request) && !call.In.Bool("validate_only") {
		err = outcome.Join(err, comment.KeepFailure(ctx, request.Site, err, call.Runner.Context().RunURL()))
	}
	return err
}

func planRequest(ctx context.Context, call *cli.Call) (r proposal.Request, err error) {
	if r.Seal, err = proposal.ParseSeal(call.In.List("seal_to"), call.In.String("store")); err != nil {
		return r, err
	}
	r.Seal.Registry, r.Seal.Lifetime = sealStores(call), call.In.Duration("expires")
	r.Head, r.Parallel = call.In.String("head"), call.In.Int("parallel")
	top, err := top(ctx, call)
	if err != nil {
		return r, err
	}
	r.Roots = rootRequest(call, top)
	r.Roots.Since = call.In.String("changed_since")
	if r.Site, err = openSite(ctx, call, top, true); err != nil {
		return r, err
	}
	r.Tool, err = toolRequest(call, top)
	r.Tool.Version, r.Tool.Unlocked = call.In.String("terraform_version"), !call.In.Bool("lock")
	return r, err
}

func commentsPlan(call *cli.Call, r proposal.Request) bool {
	return r.Site != nil && r.Site.Pull != nil && call.In.Bool("comment")
}

func planAndShow(ctx context.Context, call *cli.Call, r proposal.Request) error {
	prepared, err := proposal.Prepare(ctx, r)
	if err != nil {
		return err
	}
	defer prepared.Close()
	if call.In.Bool("validate_only") {
		return validateRoots(ctx, call, r.Roots.Top, prepared)
	}
	if prepared.Empty() {
		return showNothing(ctx, call, r, prepared)
	}
	result, err := prepared.Plan(ctx)
	if err != nil {
		return err
	}
	return showPlan(ctx, call, r, result)
}
