package main

import (
	"context"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/doctor"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runDoctor(ctx context.Context, call *cli.Call, in options.Doctor) (doctor.Report, error) {
	access := connect.Access{Call: call, Repository: in.Repository, GitHub: in.GitHub, Registry: in.Registry}
	app, err := access.NarrowToInstallation(ctx, doctor.Reads)
	if err != nil {
		return doctor.Report{}, err
	}
	dir, err := configrepo.CleanDirectory(in.Path)
	if err != nil {
		return doctor.Report{}, outcome.Usagef("--path: %w", err)
	}
	access.Path = "" // workflows and owners lie at the top
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return doctor.Report{}, err
	}
	files, err := repo.Snapshot(ctx, branch)
	if err != nil {
		return doctor.Report{}, err
	}
	request := doctor.Request{
		API: settings.Of(repo.API), Repository: repo.GitHub, Branch: branch, Files: files.Files, Dir: dir, Version: cli.Version(), App: app,
		Now: time.Now(), Database: access.DatabaseMade, Root: access.RootReady,
		Pull: access.CanPull, AsRepository: strings.EqualFold(call.Runner.Context().Repository, repo.GitHub.String()),
	}
	if request.AsRepository {
		request.Docker = container(call).Ready
	}
	return doctor.Run(ctx, request)
}
