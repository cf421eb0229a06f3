package main

import (
	"context"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/tag"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runTag(ctx context.Context, call *cli.Call, in options.Tag) (tag.Result, error) {
	flavor, err := tag.ParseFlavor(in.Flavor)
	if err != nil {
		return tag.Result{}, outcome.Usagef("--flavor: %w", err)
	}
	facts, err := tagFacts(ctx, call)
	if err != nil {
		return tag.Result{}, err
	}
	access := connect.Access{Call: call, Sigstore: in.Sigstore, Registry: in.Registry}
	image, registry, err := tagImage(ctx, access, in.Image, facts.Commit)
	if err != nil {
		return tag.Result{}, err
	}
	copies, err := image.Copies(in.Copies)
	if err != nil {
		return tag.Result{}, outcome.Usagef("--copies: %w", err)
	}
	if in.DryRun {
		registry = tag.Nowhere{Reader: registry}
	}
	question := connect.Question{Image: image, Policy: in.Policy, App: in.App, Env: in.Env, Host: image.Registry()}
	judge := func(image imageref.Ref) (evidence.Waybill, error) {
		question.Image = image
		waybill, err := access.Waybill(ctx, question)
		question.App = waybill.App // of the first repository, whose name the policy knows
		return waybill, err
	}
	request := tag.Request{Types: in.Tags, Flavor: flavor, Facts: facts, AllowOlder: in.AllowOlder}
	if !strings.Contains(in.Image, "@") {
		request.Commit = facts.Commit
	}
	return tag.Everywhere(ctx, registry, judge, append([]imageref.Ref{image}, copies...), request)
}

// tagImage finds the image: by its digest, or as the one that was built from the
// run's commit.
func tagImage(ctx context.Context, access connect.Access, name, commit string) (imageref.Ref, tag.Shelf, error) {
	if repository, err := imageref.ParseRepository(name); err == nil {
		registry := access.RegistryClient(repository.RegistryStr())
		image, err := tag.Built(ctx, registry, repository, commit)
		return image, registry, err
	}
	image, err := imageref.Parse(name)
	if err != nil {
		return imageref.Ref{}, nil, outcome.Usagef("%w", err)
	}
	return image, access.RegistryClient(image.Registry()), nil
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
