package main

import (
	"cmp"
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runPlan(ctx context.Context, call *cli.Call, in options.Plan) (result proposal.Result, err error) {
	if in.AgainWorkflow != "" {
		return planAgain(ctx, call, in)
	}
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
	if r.Spread, err = planSpread(call, in); err != nil {
		return r, err
	}
	r.Login = func(role string) (cloud.Request, error) {
		return connect.Cloud(call, connect.WithRole(in.Cloud, role))
	}
	r.Comment, r.RunURL, r.JSONOut = in.Comment, call.Runner.Context().RunURL(), in.JSONOut
	top, err := connect.Top(ctx, in.Checkout)
	if err == nil {
		err = git.Empty(ctx, top) // a plan is bound to a commit
	}
	if err != nil {
		return r, err
	}
	r.Roots = roots.Request{
		Top: top, Dirs: in.Dir, Workspace: in.Workspace, VarFiles: in.VarFile, Backend: in.BackendConfig, Since: in.ChangedSince,
	}
	if r.Site, err = access.PullRequest(ctx, top, in.PullRequest); err != nil {
		return r, err
	}
	event, err := call.Runner.Event()
	if err == nil {
		err = r.Again(ctx, proposal.Wish{Root: in.Only, Comment: in.AskedBy, Started: connect.Asked(event)})
	}
	if err == nil {
		r.Tool, err = access.Terraform(in.Terraform, in.Cloud, top)
	}
	r.Tool.Version, r.Tool.Unlocked = in.TerraformVersion, !in.Lock
	return r, err
}

// planSpread says how the roots are planned by several jobs.
func planSpread(call *cli.Call, in options.Plan) (s proposal.Spread, err error) {
	s = proposal.Spread{
		List: in.List, Auto: in.Spread, Size: in.GroupSize, Group: in.Group, Join: in.Join,
		Run: cmp.Or(in.Run, call.Runner.Context().RunID), Workspaces: in.Workspaces,
	}
	if (in.Group != "" || in.Join) && in.Store == "" {
		err = outcome.Usagef("--group and --join without --store: say where the parts of the plan are kept")
	}
	return s, err
}
