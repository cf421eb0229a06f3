package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/desk"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
)

func runCheck(ctx context.Context, call *cli.Call, in options.Check) (desk.Verdict, error) {
	access := connect.Access{
		Call: call, Repository: in.Repository, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry, WorkingDirectory: true,
	}
	repo, err := access.ConfigRepository(ctx)
	if err != nil {
		return desk.Verdict{}, err
	}
	if in.StartWorkflow != "" {
		if err := repo.NeedsForge("--start-workflow"); err != nil {
			return desk.Verdict{}, err
		}
	}
	d := desk.Desk{
		Repo: repo, API: repo.API, GitHub: repo.GitHub, Dir: repo.Path,
		Judge: func(ctx context.Context, rev string) (*rules.Judge, error) { return access.Judge(ctx, repo, rev) },
	}
	run := call.Runner.Context().RunURL()
	verdict, err := d.Take(ctx, desk.Request{
		Base: in.Base, Head: in.Head, PullRequest: in.PullRequest, MergeGroup: in.MergeGroup,
		StartWorkflow: in.StartWorkflow, StatusContext: repo.Status(in.StatusContext), RunURL: run,
	})
	if events := connect.Judged(verdict, run); len(events) > 0 {
		if branch, err := repo.DefaultBranch(ctx); err == nil { // whose waybill.yaml says whom to tell
			access.Notify(ctx, repo, branch, events...)
		}
	}
	return verdict, err
}
