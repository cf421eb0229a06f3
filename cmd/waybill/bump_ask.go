package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/delivery/asking"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// askForBump asks the config repository's own workflow, and waits for its answer.
func askForBump(
	ctx context.Context, call *cli.Call, repo connect.ConfigRepository, request bump.Request, timeout time.Duration,
) (result bump.Result, err error) {
	if err := repo.NeedsForge("--via deployment"); err != nil {
		return result, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	asker := asking.Asker{
		API: repo.API, Repository: repo.GitHub, Branch: request.Branch, Say: call.Sayf,
		Interval: asking.DefaultInterval, Within: asking.DefaultWithin,
	}
	answer, err := asker.Ask(ctx, asking.Question{
		Image: imageref.Lines(request.Images), App: request.App, Env: request.Env, Path: repo.Path,
	})
	result.Answer, result.URL = answer.State, answer.URL
	result.Decide(err)
	return result, err
}
