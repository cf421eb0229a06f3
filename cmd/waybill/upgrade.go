package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/starter"
)

func runUpgrade(ctx context.Context, call *cli.Call, in options.Upgrade) (starter.Upgraded, error) {
	request := starter.UpgradeRequest{Dir: in.Dir, Version: cli.Version(), ActionsCommit: in.ActionsCommit, DryRun: in.DryRun}
	if !in.PullRequest || in.DryRun {
		return starter.Upgrade(ctx, request)
	}
	api, err := connect.Access{Call: call, GitHub: in.GitHub}.GitHubClient()
	if err != nil {
		return starter.Upgraded{}, err
	}
	return starter.Propose(ctx, api, request)
}
