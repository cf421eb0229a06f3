package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/replay"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runReplay(ctx context.Context, call *cli.Call, in options.Replay) (replay.Result, error) {
	policy, err := config.Load(in.Policy)
	if err != nil {
		return replay.Result{}, outcome.Usagef("%w", err)
	}
	access := connect.Access{
		Call: call, Repository: in.Repository, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry, WorkingDirectory: true,
	}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return replay.Result{}, err
	}
	judge, err := access.Judge(ctx, repo, branch, policy)
	if err != nil {
		return replay.Result{}, err
	}
	return replay.Run(ctx, repo, judge, replay.Request{
		Branch: branch, App: in.App, Env: in.Env, Policy: policy, Period: in.Period, Now: time.Now(),
	})
}
