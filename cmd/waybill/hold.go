package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
)

func runHold(ctx context.Context, call *cli.Call, in options.Hold) (hold.Result, error) {
	repo, branch, err := connect.Access{Call: call, Repository: in.Repository, GitHub: in.GitHub}.Deployments(ctx)
	if err != nil {
		return hold.Result{}, err
	}
	return hold.Run(ctx, repo, hold.Request{
		App: in.App, Env: in.Env, Lift: in.Lift, Reason: in.Reason, Branch: branch, Run: call.Runner.Context().RunURL(),
	})
}
