package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runScan(context.Context, *cli.Call) error {
	return errors.New("scan is not built yet")
}
