package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/why"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runWhy(ctx context.Context, call *cli.Call, in options.Why) (why.Result, error) {
	images, err := imageref.ParseAll(in.Image)
	if err != nil {
		return why.Result{}, outcome.Usagef("--image: %w", err)
	}
	request := why.Request{App: in.App, Env: in.Env, Images: images}
	access := connect.Access{
		Call: call, Repository: in.Repository, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry,
		WorkingDirectory: true,
	}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return why.Result{}, err
	}
	judge, err := access.Judge(ctx, repo, branch)
	if err != nil {
		return why.Result{}, err
	}
	request.Branch = branch
	if !repo.HasForge() {
		return why.Explain(ctx, repo, judge, nil, request)
	}
	return why.Explain(ctx, repo, judge, repo.Forge(branch, ""), request)
}
