package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/report"
)

func runHistory(ctx context.Context, call *cli.Call, in options.History) (report.Place, error) {
	access := connect.Access{Call: call, Repository: in.Repository, GitHub: in.GitHub, WorkingDirectory: true}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return report.Place{}, err
	}
	return report.Read(ctx, repo, report.Query{Branch: branch, App: in.App, Env: in.Env, Limit: in.Limit, Now: time.Now()})
}

func runReport(ctx context.Context, call *cli.Call, in options.Report) (report.Report, error) {
	access := connect.Access{Call: call, Repository: in.Repository, GitHub: in.GitHub, WorkingDirectory: true}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return report.Report{}, err
	}
	return report.Measure(ctx, repo, report.Request{Branch: branch, App: in.App, Env: in.Env, Period: in.Period, Now: time.Now()})
}
