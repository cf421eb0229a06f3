package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/rollback"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runRollback(ctx context.Context, call *cli.Call) error {
	var to imageref.Ref
	if text := call.In.String("to"); text != "" {
		var err error
		if to, err = imageref.Parse(text); err != nil {
			return outcome.Usagef("%w", err)
		}
	}
	repo, err := openRepository(ctx, call)
	if err != nil {
		return err
	}
	branch, err := repo.branch(ctx, call)
	if err != nil {
		return err
	}
	judge, err := repo.judge(ctx, call, branch)
	if err != nil {
		return err
	}
	roller := rollback.Roller{Repo: repo, Judge: judge}
	if repo.hasForge() {
		roller.Forge = repo.forge(branch, call.In.String("check_workflow"))
	}
	result, err := roller.Run(ctx, rollback.Request{
		App: call.In.String("app"), Env: call.In.String("env"), To: to, Steps: call.In.Int("steps"),
		Direct: call.In.Bool("direct"), AllowNew: call.In.Bool("allow_new"), Reason: call.In.String("reason"),
		Branch: branch, Run: call.Runner.Context().RunURL(),
	})
	if err != nil {
		return err
	}
	return reportRollback(call, result)
}

func reportRollback(call *cli.Call, r rollback.Result) error {
	switch {
	case r.URL != "":
		call.Sayf("rollback to %s: %s", r.Image.Short(), r.URL)
	case r.Changed:
		call.Sayf("rollback to %s: commit %s on %s", r.Image.Short(), r.Commit, r.Branch)
	default:
		call.Sayf("rollback to %s: nothing to do", r.Image.Short())
	}
	if r.Note != "" {
		call.Sayf("%s", r.Note)
	}
	if _, err := fmt.Fprintln(call.Stdout, r.Image); err != nil {
		return err
	}
	number := ""
	if r.Number != 0 {
		number = strconv.Itoa(r.Number)
	}
	for name, value := range map[string]string{"pull_request": number, "commit": r.Commit, "digest": r.Image.Digest()} {
		if err := call.Output(name, value); err != nil {
			return err
		}
	}
	return nil
}
