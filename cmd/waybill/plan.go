package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/gate/roots"
)

func runPlan(ctx context.Context, call *cli.Call, in options.Plan) (result proposal.Result, err error) {
	request, err := planRequest(ctx, call, in)
	if err == nil {
		result, err = proposal.Run(ctx, request)
	}
	return result, request.Failed(ctx, connect.Identity(err))
}

// planRequest returns, with an error too, as much as it takes to say that there
// is no plan.
func planRequest(ctx context.Context, call *cli.Call, in options.Plan) (r proposal.Request, err error) {
	if r.Seal, err = proposal.ParseSeal(in.SealTo, in.Store); err != nil {
		return r, err
	}
	access := connect.Access{
		Call: call, Repository: options.Repository{Repo: in.Repo}, GitHub: in.GitHub, Registry: in.Registry,
	}
	r.Seal.Registry, r.Seal.Lifetime = access.SealStores(), in.Expires
	r.Head, r.Parallel, r.ValidateOnly = in.Head, in.Parallel, in.ValidateOnly
	r.Comment, r.RunURL, r.JSONOut = in.Comment, call.Runner.Context().RunURL(), in.JSONOut
	top, err := connect.Top(ctx, in.Checkout)
	if err != nil {
		return r, err
	}
	r.Roots = roots.Request{
		Top: top, Dirs: in.Dir, Workspace: in.Workspace, VarFiles: in.VarFile, Backend: in.BackendConfig, Since: in.ChangedSince,
	}
	if r.Site, err = access.PullRequest(ctx, top, in.PullRequest); err != nil {
		return r, err
	}
	r.Tool, err = access.Terraform(in.Terraform, in.Cloud, top)
	r.Tool.Version, r.Tool.Unlocked = in.TerraformVersion, !in.Lock
	return r, err
}
