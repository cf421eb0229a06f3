package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/rollback"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runRollback(ctx context.Context, call *cli.Call, in options.Rollback) (rollback.Result, error) {
	to, err := imageref.ParseAll(in.To)
	if err != nil {
		return rollback.Result{}, outcome.Usagef("%w", err)
	}
	access := connect.Access{
		Call: call, Repository: in.Repository, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry, AsksTeams: true,
		DryRun: in.DryRun,
	}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return rollback.Result{}, err
	}
	judge, err := access.Judge(ctx, repo, branch)
	if err != nil {
		return rollback.Result{}, err
	}
	roller := rollback.Roller{Repo: repo, Judge: judge}
	if repo.HasForge() {
		roller.Forge = repo.Forge(branch, in.CheckWorkflow)
	}
	request := rollback.Request{
		App: in.App, Env: in.Env, To: to, Steps: in.Steps, Direct: in.Direct, AllowNew: in.AllowNew, Reason: in.Reason,
		Branch: branch, Run: call.Runner.Context().RunURL(),
	}
	result, err := roller.Run(ctx, request)
	if err != nil {
		return rollback.Result{}, err
	}
	access.Notify(ctx, repo, branch, connect.RolledBack(request, result)...)
	return result, nil
}
