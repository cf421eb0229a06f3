package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// readSource describes the source of the build context, as far as it is known.
func readSource(ctx context.Context, call *cli.Call, place build.Place) build.Source {
	job := call.Runner.Context()
	source, err := place.Source(ctx, build.Job{Server: job.ServerURL, Repository: job.Repository, Commit: job.SHA, Ref: job.Ref})
	if err != nil {
		call.Sayf("note: labels and build record say less of the source: %v", err)
	}
	return source
}

// warn shows a warning about the Dockerfile at its line.
func warn(call *cli.Call, source build.Source, w build.Warning) {
	call.Sayf("warning: %s", w)
	at := runner.Annotation{Level: runner.Warning, File: source.Relative(w.Path), Line: w.Line, Title: w.Rule, Message: w.Message}
	if err := call.Runner.Annotate(at); err != nil {
		call.Sayf("note: %v", err)
	}
}

// makeRepositories makes those that the image is pushed to, if that is asked for.
func makeRepositories(ctx context.Context, access connect.Access, in options.Build, o build.Order) error {
	if !in.CreateRepository {
		return nil
	}
	for _, repository := range o.Repositories() {
		if err := access.MakeRepository(ctx, repository); err != nil {
			return err
		}
	}
	return nil
}

// checkDockerfile looks the Dockerfile over, and builds nothing.
func checkDockerfile(ctx context.Context, call *cli.Call, o build.Order, images assemble.Images, place build.Place) error {
	source := readSource(ctx, call, place)
	file, err := build.ReadDockerfile(o.Context, o.Dockerfile)
	if err != nil {
		return err
	}
	o.Warn = func(w build.Warning) { warn(call, source, w) }
	findings, err := assemble.Check(ctx, images, o.Request, file, call.Sayf)
	if err == nil && findings > 0 {
		err = outcome.Refusedf("%s has findings of the checks (%d): mend them, or leave a rule out by a first line `# check=skip=RULE`",
			file.Path, findings)
	}
	return err
}
