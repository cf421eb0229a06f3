package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runPromote(context.Context, *cli.Call) error {
	return errors.New("promote is not built yet")
}
