package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runPromote(ctx context.Context, call *cli.Call, in options.Promote) ([]promote.Promotion, error) {
	access := connect.Access{
		Call: call, Repository: in.Repository, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry, AsksTeams: true,
		DryRun: in.DryRun,
	}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return nil, err
	}
	judge, err := access.Judge(ctx, repo, branch)
	if err != nil {
		return nil, err
	}
	promoter := promote.Promoter{Repo: repo, Judge: judge}
	if repo.HasForge() {
		promoter.Forge = repo.Forge(branch, in.CheckWorkflow)
	}
	shard, err := promote.ParseShard(in.Shard)
	if err != nil {
		return nil, err
	}
	run := call.Runner.Context().RunURL()
	request := promote.Request{
		From: in.From, To: in.To, App: in.App, Branch: branch, AllowOlder: in.AllowOlder, Run: run, Shard: shard,
	}
	unverified := access.Verify(ctx, repo, judge, request)
	result, err := promoter.Run(ctx, request)
	err = outcome.Join(err, unverified)
	access.Notify(ctx, repo, branch, append(connect.Promoted(result, run), access.NewlyRefused(ctx, repo, branch, result, run)...)...)
	if access.RecordArtifacts = in.RecordArtifacts; in.RecordDeployments {
		access.RecordDeployments(ctx, repo, branch, run, result)
	}
	return result, err
}
