package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/tag"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runTag(ctx context.Context, call *cli.Call, in options.Tag) (tag.Result, error) {
	image, err := imageref.Parse(in.Image)
	if err != nil {
		return tag.Result{}, outcome.Usagef("%w", err)
	}
	access := connect.Access{Call: call, Sigstore: in.Sigstore, Registry: in.Registry}
	waybill, err := access.Waybill(ctx, connect.Question{Image: image, Policy: in.Policy, App: in.App, Env: in.Env})
	if err != nil {
		return tag.Result{}, err
	}
	facts, err := tagFacts(ctx, call)
	if err != nil {
		return tag.Result{}, err
	}
	var registry tag.Registry = access.RegistryClient(image.Registry())
	if in.DryRun {
		registry = tag.Nowhere{}
	}
	return tag.Run(ctx, registry, tag.Request{Waybill: waybill, Types: in.Tags, Facts: facts})
}

// tagFacts reads what the job is about, and outside Actions what git says of
// the working directory.
func tagFacts(ctx context.Context, call *cli.Call) (tag.Facts, error) {
	if call.Runner.Active() {
		job := call.Runner.Context()
		return tag.Facts{Now: time.Now(), Commit: job.SHA, Ref: job.Ref, RunNumber: job.RunNumber}, nil
	}
	d, err := git.Describe(ctx, ".")
	return tag.Facts{Now: time.Now(), Commit: d.Commit, Ref: d.Ref}, err
}
