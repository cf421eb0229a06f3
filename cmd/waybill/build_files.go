package main

import (
	"cmp"
	"context"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/compile"
	"github.com/waybill-dev/waybill/internal/door/registry"
)

// madeBefore is what other jobs have made of the source, and where it belongs.
type madeBefore struct {
	client *registry.Client
	place  build.Place
	source build.Source
}

// add writes them, and records it.
func (f madeBefore) add(ctx context.Context, in options.Build, o *build.Order) (err error) {
	if o.Record.Binaries, err = compile.Fetch(ctx, f.client, o.Repository, in.Binaries, f.place.Context); err != nil {
		return err
	}
	o.Record.Prepared, err = build.AddPrepared(in.Prepared, cmp.Or(f.source.Root, f.place.Context))
	return err
}
