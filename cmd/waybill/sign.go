package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runSign(context.Context, *cli.Call) error {
	return errors.New("sign is not built yet")
}
