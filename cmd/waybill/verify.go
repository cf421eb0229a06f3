package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runVerify(context.Context, *cli.Call) error {
	return errors.New("verify is not built yet")
}
