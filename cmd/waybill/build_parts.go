package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/door/registry"
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

// engines are those that build, of which the Dockerfile decides.
func engines(
	ctx context.Context, call *cli.Call, client *registry.Client, builders buildkit.Builders,
) (map[string]build.Engine, error) {
	bases, err := client.Session(ctx) // which logs in once for all that is read of a base image
	if err != nil {
		return nil, err
	}
	packed := build.Paced(time.Now, "packed", call.Sayf)
	return map[string]build.Engine{
		build.Assemble: assemble.Engine{
			Images: registry.Bases{Client: bases}, Packed: func(n int64) { packed(n, 0) }, Cache: connect.LayerCache(call),
		},
		build.BuildKit: buildkit.Engine{
			Builders: builders, Container: container(call), Credentials: client.Credentials, Progress: call.Stderr,
			Getenv: call.Getenv, Registry: client,
		},
	}, nil
}

// container is where BuildKit runs if no daemon answers, in the Docker of the
// job's environment.
func container(call *cli.Call) buildkit.Container {
	c := buildkit.Container{Say: call.Sayf, Hosts: registry.ReadHosts(call.Env(contract.EnvRegistries))}
	for _, name := range buildkit.Variables {
		if value := call.Getenv(name); value != "" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	return c
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
