package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/text"
)

func scanImage(ctx context.Context, call *cli.Call, in options.Scan, client *registry.Client, o scan.Options) (scan.Result, error) {
	executable, _ := os.Executable() // without it, PATH alone is searched
	path, err := scan.FindChild(executable)
	if err != nil {
		return scan.Result{}, err
	}
	child := scan.Child{Path: path, Timeout: scan.DefaultTimeout, Words: call.Stderr}
	cache, err := connect.CacheDir(call)
	if err != nil {
		return scan.Result{}, err
	}
	from := scan.DatabaseOptions{
		Repository: strings.Join(in.DBRepository, ","), CacheDir: cache, MaxAge: in.DBMaxAge,
		Offline: in.Offline, Now: time.Now(), Warn: call.Sayf,
	}
	database, err := scan.OpenDatabase(ctx, client, from)
	if err != nil {
		return scan.Result{}, err
	}
	o.JavaDatabase = func(ctx context.Context) (string, error) {
		from.Repository = in.JavaDBRepository
		call.Sayf("the image has JAR files: fetching %s", from.Repository)
		return scan.OpenJavaDatabase(ctx, client, from)
	}
	call.Sayf("scan     %s with the database of %s", o.Image.Short(), text.Time(database.UpdatedAt))
	return scan.Scan(ctx, client, database, child, o)
}
