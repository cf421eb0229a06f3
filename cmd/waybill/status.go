package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/status"
)

// recentOnPage is how many deployments of each place the page lists.
const recentOnPage = 5

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
	request := status.Request{Branch: branch, Open: open, Now: time.Now()}
	if in.Format == options.FormatHTML {
		request.Recent = recentOnPage
	}
	table, err := status.Read(ctx, repo, request)
	table.Title, table.Server = repo.Title(in.Dir), call.Env(contract.EnvGitHubServer)
	return table, err
}
