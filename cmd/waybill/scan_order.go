package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// scanOrder finds what is scanned, and what it is compared with. An OCI layout
// is served until stop is called.
func scanOrder(ctx context.Context, access connect.Access, in options.Scan) (
	o scan.Options, client *registry.Client, stop func(), err error,
) {
	o = scan.Options{VEX: in.VEX, Now: time.Now, OnlyNew: in.OnlyNew, Layout: in.OCILayout, Secrets: evidence.Stance(in.Secrets)}
	o.Threshold = evidence.Threshold{Severity: evidence.Severity(in.Severity), IgnoreUnfixed: in.IgnoreUnfixed}
	stop = func() {}
	if err := o.Parse(in.Image, in.Waivers); err != nil {
		return o, nil, nil, outcome.Usagef("%w", err)
	}
	if in.OCILayout != "" {
		if in.Documents {
			return o, nil, nil, outcome.Usagef("--documents pushes reports beside an image: the layout %s has no registry", in.OCILayout)
		}
		o.Registry = imageref.Host(in.Baseline) // the login is for what the layout is compared with
		if o.Image, stop, err = registry.ServeLayout(ctx, in.OCILayout); err != nil {
			return o, nil, nil, err
		}
	}
	client = access.RegistryClient(o.Registry)
	note, err := o.Compare(ctx, client, in.Baseline)
	if err != nil {
		stop()
		return o, nil, nil, err
	}
	if note != "" {
		access.Call.Sayf("note: %s", note)
	}
	return o, client, stop, nil
}
