package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runCheck(context.Context, *cli.Call) error {
	return errors.New("check is not built yet")
}
