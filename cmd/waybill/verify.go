package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runVerify(ctx context.Context, call *cli.Call, in options.Verify) (evidence.Waybill, error) {
	image, err := imageref.Parse(in.Image)
	if err != nil {
		return evidence.Waybill{}, outcome.Usagef("%w", err)
	}
	access := connect.Access{Call: call, Sigstore: in.Sigstore, Registry: in.Registry}
	return access.Waybill(ctx, connect.Question{Image: image, Policy: in.Policy, App: in.App, Env: in.Env, Keys: in.Key})
}
