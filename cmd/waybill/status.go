package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runStatus(context.Context, *cli.Call) error {
	return errors.New("status is not built yet")
}
