package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/diff"
)

func runDiff(ctx context.Context, call *cli.Call, in options.Diff) ([]diff.Place, error) {
	access := connect.Access{Call: call, Repository: in.Repository, GitHub: in.GitHub, WorkingDirectory: true}
	repo, err := access.ConfigRepository(ctx)
	if err != nil {
		return nil, err
	}
	return diff.Run(ctx, repo, diff.Request{Base: in.Base, Head: in.Head, App: in.App, Env: in.Env})
}
