package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
)

func runScan(ctx context.Context, call *cli.Call, in options.Scan) (views.Scanned, error) {
	if in.Running {
		return runRunning(ctx, call, in)
	}
	access := connect.Access{Call: call, GitHub: in.GitHub, Registry: in.Registry}
	o, client, stop, err := scanOrder(ctx, access, in)
	if err != nil {
		return views.Scanned{}, err
	}
	defer stop()
	result, err := scanImage(ctx, call, in, client, o)
	if err != nil {
		return views.Scanned{}, err
	}
	if err := result.Write(scan.Files{
		Report: in.Report, SARIF: in.SARIF, CycloneDX: in.SBOMCycloneDX, SPDX: in.SBOMSPDX, Alerts: in.AlertsAt,
	}); err != nil {
		return views.Scanned{}, err
	}
	if in.UploadSARIF {
		sarif, err := result.SARIF(in.AlertsAt)
		if err != nil {
			return views.Scanned{}, err
		}
		if err := access.UploadSARIF(ctx, sarif); err != nil {
			return views.Scanned{}, err
		}
	}
	if in.Documents {
		if err := result.Push(ctx, client); err != nil {
			return views.Scanned{}, err
		}
	}
	return views.Scanned{Result: result}, nil
}
