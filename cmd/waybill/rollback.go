package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runRollback(context.Context, *cli.Call) error {
	return errors.New("rollback is not built yet")
}
