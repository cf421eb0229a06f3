package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/status"
)

func runStatus(ctx context.Context, call *cli.Call, in options.Status) (status.Table, error) {
	access := connect.Access{Call: call, Repository: in.Repository, GitHub: in.GitHub, WorkingDirectory: true}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return status.Table{}, err
	}
	var open []status.Open
	if repo.HasForge() {
		pulls, err := repo.API.ListPulls(ctx, repo.GitHub, "waybill/")
		if err != nil {
			return status.Table{}, err
		}
		for _, p := range pulls {
			open = append(open, status.Open{Number: p.Number, URL: p.URL, Branch: p.HeadRef})
		}
	}
	return status.Read(ctx, repo, status.Request{Branch: branch, Open: open, Now: time.Now()})
}
