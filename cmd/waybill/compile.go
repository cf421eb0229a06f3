package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/compile"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runCompile(ctx context.Context, call *cli.Call, in options.Compile) (compile.Result, error) {
	if (in.Image == "") == (in.Place == "") {
		return compile.Result{}, outcome.Usagef("where do the binaries go? Give --image REPOSITORY to push them, or --place DIR")
	}
	platforms, err := build.ParsePlatforms(in.Platform)
	if err != nil {
		return compile.Result{}, outcome.Usagef("--platform: %w", err)
	}
	request := compile.Request{
		Dir: ".", Package: in.Package, App: in.App, Go: "go", Env: compile.Env(call.Getenv),
		SharedCache: call.Env(contract.EnvSharedGoCache) == "true",
	}
	for _, p := range platforms {
		request.Platforms = append(request.Platforms, compile.Platform(p))
	}
	binaries, err := compile.Run(ctx, request)
	if err != nil {
		return compile.Result{}, err
	}
	if in.Place != "" {
		return compile.Listed(binaries), compile.Place(in.Place, binaries)
	}
	repository, err := imageref.ParseRepository(in.Image)
	if err != nil {
		return compile.Result{}, outcome.Usagef("--image: %w", err)
	}
	access := connect.Access{Call: call, Registry: in.Registry}
	if in.CreateRepository {
		if err := access.MakeRepository(ctx, repository); err != nil {
			return compile.Result{}, err
		}
	}
	return compile.Push(ctx, access.RegistryClient(repository.RegistryStr()), repository, binaries)
}
