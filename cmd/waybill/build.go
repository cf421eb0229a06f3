package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/cli"
)

func runBuild(context.Context, *cli.Call) error {
	return errors.New("build is not built yet")
}
