package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runInit(context.Context, *cli.Call) error {
	return errors.New("init is not built yet")
}
