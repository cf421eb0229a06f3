package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runBump(context.Context, *cli.Call) error {
	return errors.New("bump is not built yet")
}
