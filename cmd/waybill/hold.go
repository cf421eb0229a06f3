package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
)

func runHold(ctx context.Context, call *cli.Call) error {
	repo, err := openRepository(ctx, call)
	if err != nil {
		return err
	}
	branch, err := repo.branch(ctx, call)
	if err != nil {
		return err
	}
	result, err := hold.Run(ctx, repo, hold.Request{
		App: call.In.String("app"), Env: call.In.String("env"), Lift: call.In.Bool("lift"), Reason: call.In.String("reason"),
		Branch: branch, Run: call.Runner.Context().RunURL(),
	})
	if err != nil {
		return err
	}
	return reportHold(call, result)
}

func reportHold(call *cli.Call, r hold.Result) error {
	app, env, lift := call.In.String("app"), call.In.String("env"), call.In.Bool("lift")
	switch {
	case lift && r.Changed:
		call.Sayf("lifted   %s in %s was held: %s", app, env, r.Hold.Reason)
	case lift:
		call.Sayf("current  nothing holds %s in %s", app, env)
	case r.Changed:
		call.Sayf("held     %s in %s: %s", app, env, r.Hold.Reason)
	default:
		call.Sayf("current  %s in %s is held already: %s", app, env, r.Hold.Reason)
	}
	if _, err := fmt.Fprintln(call.Stdout, r.Commit); err != nil {
		return err
	}
	for name, value := range map[string]string{"changed": strconv.FormatBool(r.Changed), "commit": r.Commit} {
		if err := call.Output(name, value); err != nil {
			return err
		}
	}
	return nil
}
