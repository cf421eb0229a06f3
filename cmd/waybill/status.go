package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/status"
)

// recentOnPage is how many deployments of each place the page lists.
const recentOnPage = 5

// periodOnPage is how far back the page's figures count.
const periodOnPage = 90 * 24 * time.Hour

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
	request := status.Request{Branch: branch, Open: open, Now: time.Now(), Judge: access.Witness(repo, branch)}
	if in.Format == options.FormatHTML {
		request.Recent = recentOnPage
	}
	table, err := status.Read(ctx, repo, request)
	if err != nil || in.Format != options.FormatHTML {
		return table, err
	}
	table.Title, table.Server = repo.Title(in.Dir), call.Env(contract.EnvGitHubServer)
	measured, err := report.Measure(ctx, repo, report.Request{Branch: branch, Period: periodOnPage, Now: request.Now})
	table.Report = &measured
	return table, err
}
