package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runTag(context.Context, *cli.Call) error {
	return errors.New("tag is not built yet")
}
