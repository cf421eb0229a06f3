package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/delivery/running"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runRunning(ctx context.Context, call *cli.Call, in options.Scan) (views.Scanned, error) {
	if in.Image != "" || in.OCILayout != "" {
		return views.Scanned{}, outcome.Usagef("--running scans what the config repository names: give no image beside it")
	}
	access := connect.Access{
		Call: call, Repository: in.Repository, GitHub: in.GitHub, Registry: in.Registry,
		Sigstore:         options.Sigstore{TrustedRoot: in.TrustedRoot},
		WorkingDirectory: true,
	}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return views.Scanned{}, err
	}
	request := running.Request{
		Branch: branch, App: in.App, Now: time.Now(), Bases: access.MovedBases, Say: call.Sayf,
		Scan: func(ctx context.Context, image imageref.Ref, host string, bom []byte) (evidence.ScanReport, error) {
			o := scan.Options{Image: image, Registry: image.Registry(), Now: time.Now, Secrets: evidence.Stance(in.Secrets)}
			remove, err := o.KeepBOM(bom)
			if err != nil {
				return evidence.ScanReport{}, err
			}
			defer remove()
			result, err := scanImage(ctx, call, in, access.RegistryClient(host), o)
			return result.Report, err
		},
	}
	if in.FromSBOM {
		request.Attested = access.Attested
	}
	report, err := running.Look(ctx, repo, request)
	if err != nil {
		return views.Scanned{}, err
	}
	if in.Issues && repo.HasForge() {
		err = running.Keep(ctx, repo.API, repo.GitHub, in.Label, report)
	}
	return views.Scanned{Running: report}, err // what was found is said whatever becomes of the issues
}
