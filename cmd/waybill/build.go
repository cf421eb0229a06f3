package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/delivery/compile"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runBuild(ctx context.Context, call *cli.Call, in options.Build) (build.Result, error) {
	builders, err := buildkit.ParseBuilders(in.Builder, call.Env(contract.EnvBuildkitHost))
	if err != nil {
		return build.Result{}, outcome.Usagef("--builder: %w", err)
	}
	order, err := buildOrder(call, in)
	if err != nil {
		return build.Result{}, err
	}
	client := connect.Access{Call: call, Registry: in.Registry}.RegistryClient(order.Repository.RegistryStr())
	source := readSource(ctx, call, in.Context) // before anything is written there
	if order.Record.Binaries, err = compile.Fetch(ctx, client, order.Repository, in.Binaries, in.Context); err != nil {
		return build.Result{}, err
	}
	if err := order.Describe(source, call.Env(contract.EnvSourceDate)); err != nil {
		return build.Result{}, err
	}
	endGroup := func() {}
	return build.Deliver(ctx, build.Shop{
		Registry: client,
		Engines: map[string]build.Engine{
			build.Assemble: assemble.Engine{Images: client},
			build.BuildKit: buildkit.Engine{Builders: builders, Credentials: client.Credentials, Progress: call.Stderr},
		},
		Chosen: func(c build.Choice) {
			call.Sayf("%s  %s", c.Engine, c.Reason)
			if c.Engine == build.BuildKit {
				endGroup = call.Runner.Group("BuildKit")
			}
		},
		Built: func() { endGroup() },
	}, order)
}

// buildOrder reads the inputs that need neither the source nor the registry.
func buildOrder(call *cli.Call, in options.Build) (o build.Order, err error) {
	o = build.Order{Engine: string(in.Engine), Layout: in.OCILayout, Metadata: in.Metadata}
	o.Request = build.Request{Context: in.Context, Dockerfile: in.File, Target: in.Target, CacheFrom: in.CacheFrom, CacheTo: in.CacheTo}
	o.Record.Version, o.Record.StartedAt = cli.Version(), time.Now().UTC()
	if err := o.Parse(build.Texts{
		Image: in.Image, Platforms: in.Platform, Secrets: in.Secret, Args: in.BuildArg, Labels: in.Label, Annotations: in.Annotation,
	}, call.Getenv); err != nil {
		return o, err
	}
	for _, s := range o.Secrets {
		if err := call.Runner.Mask(string(s.Value)); err != nil {
			return o, err
		}
	}
	return o, build.Within(call.Runner.Context().Workspace, in.Context, in.File)
}

// readSource describes the source of the build context, as far as it is known.
func readSource(ctx context.Context, call *cli.Call, dir string) build.Source {
	job := call.Runner.Context()
	source, err := build.ReadSource(ctx, dir, build.Job{Server: job.ServerURL, Repository: job.Repository, Commit: job.SHA, Ref: job.Ref})
	if err != nil {
		call.Sayf("note: labels and build record say less of the source: %v", err)
	}
	return source
}
