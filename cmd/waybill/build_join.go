package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// joinBuilds makes one image of what other jobs have built.
func joinBuilds(ctx context.Context, call *cli.Call, in options.Build) (build.Result, error) {
	for flag, given := range map[string]bool{
		"--oci-layout": in.OCILayout != "", "--archive": in.Archive != "", "--load": in.Load, "--compression": in.Compression != "",
		"--file": in.File != "", "--target": in.Target != "", "--binaries": in.Binaries != "", "--prepared": in.Prepared != "",
		"--build-arg": len(in.BuildArg) > 0, "--label": len(in.Label) > 0, "--annotation": len(in.Annotation) > 0,
		"--secret": len(in.Secret) > 0 || in.SecretValues != "",
	} {
		if given {
			return build.Result{}, outcome.Usagef("--join builds nothing: give %s to the builds that it joins", flag)
		}
	}
	records, err := build.ParseRecords(in.Join)
	if err != nil {
		return build.Result{}, err
	}
	o := build.Order{Metadata: in.Metadata}
	o.Record.Version = cli.Version()
	if err := o.Parse(build.Texts{Images: in.Image, Platforms: in.Platform}, call.Getenv); err != nil {
		return build.Result{}, err
	}
	access := connect.Access{Call: call, Registry: in.Registry}
	if err := makeRepositories(ctx, access, in, o); err != nil {
		return build.Result{}, err
	}
	return build.Join(ctx, access.RegistryClient(o.Repository.RegistryStr()), o, records)
}
