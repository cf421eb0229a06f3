package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/config"
)

func runVersion(context.Context, *cli.Call, options.Version) (cli.Build, error) {
	return cli.ThisBuild(), nil
}

func runSchema(_ context.Context, call *cli.Call) error {
	_, err := call.Stdout.Write(config.Schema)
	return err
}
