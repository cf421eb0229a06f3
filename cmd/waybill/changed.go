package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/changed"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func runChanged(ctx context.Context, call *cli.Call, in options.Changed) (changed.Result, error) {
	client := connect.Access{Call: call, Registry: in.Registry}.RegistryClient(imageref.Host(in.Image))
	return changed.Run(ctx, client, changed.Request{Image: in.Image, Paths: in.Paths, Dir: "."})
}
