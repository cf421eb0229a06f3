package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/gate/roots"
)

func runDrift(ctx context.Context, call *cli.Call, in options.Drift) (drift.Report, error) {
	search, err := driftSearch(ctx, call, in)
	if err != nil {
		return drift.Report{}, err
	}
	report, err := drift.Run(ctx, search)
	if report == nil {
		return drift.Report{}, connect.Identity(err)
	}
	return *report, err
}

func driftSearch(ctx context.Context, call *cli.Call, in options.Drift) (s drift.Search, err error) {
	top, err := connect.Top(ctx, in.Checkout)
	if err != nil {
		return s, err
	}
	access := connect.Access{Call: call, Repository: options.Repository{Repo: in.Repo}, GitHub: in.GitHub}
	s = drift.Search{
		Roots: roots.Request{
			Top: top, Dirs: in.Dir, Workspace: in.Workspace, VarFiles: in.VarFile, Backend: in.BackendConfig,
		},
		Environment: in.Environment, List: in.List,
		Login: func(role string) (cloud.Request, error) {
			return connect.Cloud(call, connect.WithRole(in.Cloud, role))
		},
		Parallel: in.Parallel, Unmanaged: in.Unmanaged, Issues: in.Issues, Label: in.Label,
	}
	if s.Tool, err = access.Terraform(in.Terraform, in.Cloud, top); err != nil {
		return s, err
	}
	s.Tool.Version, s.Tool.Unlocked = in.TerraformVersion, !in.Lock
	s.Site, err = access.Site(ctx, top)
	return s, err
}
