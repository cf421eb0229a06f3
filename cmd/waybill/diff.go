package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runDiff(context.Context, *cli.Call) error {
	return errors.New("diff is not built yet")
}
