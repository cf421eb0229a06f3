package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runBuild(ctx context.Context, call *cli.Call, in options.Build) (result build.Result, err error) {
	if len(in.Join) > 0 {
		return joinBuilds(ctx, call, in)
	}
	builders, err := buildkit.ParseBuilders(in.Builder, call.Env(contract.EnvBuildkitHost))
	if err != nil {
		return build.Result{}, outcome.Usagef("--builder: %w", err)
	}
	place, err := build.Find(ctx, in.Context, in.File, call.Stdin, layerfile.Decompress)
	if err != nil {
		return build.Result{}, err
	}
	defer func() { err = outcome.Join(err, place.Close()) }()
	order, err := buildOrder(call, in, place)
	if err != nil {
		return build.Result{}, err
	}
	access := connect.Access{Call: call, Registry: in.Registry}
	client := access.RegistryClientTelling(order.Repository.RegistryStr(), build.Paced(time.Now, "pushed", call.Sayf))
	if in.Check {
		return build.Result{}, checkDockerfile(ctx, call, order, client, place)
	}
	if err := makeRepositories(ctx, access, in, order); err != nil {
		return build.Result{}, err
	}
	source := readSource(ctx, call, place) // before anything is written there
	if err := (madeBefore{client, place, source}).add(ctx, in, &order); err != nil {
		return build.Result{}, err
	}
	if err := order.Describe(ctx, source, call.Env(contract.EnvSourceDate)); err != nil {
		return build.Result{}, err
	}
	if err := place.Strip(); err != nil {
		return build.Result{}, err
	}
	for _, note := range order.Notes {
		call.Sayf("note: %s", note)
	}
	order.Warn = func(w build.Warning) { warn(call, source, w) }
	engines, err := engines(ctx, call, client, builders)
	if err != nil {
		return build.Result{}, err
	}
	endGroup := func() {}
	return build.Deliver(ctx, build.Shop{
		Registry: client,
		Load:     container(call).Load,
		Engines:  engines,
		Chosen: func(c build.Choice) {
			call.Sayf("%s  %s", c.Engine, c.Reason)
			if c.Engine == build.BuildKit {
				endGroup = call.Runner.Group("BuildKit")
			}
		},
		Built: func() { endGroup() },
	}, order)
}
