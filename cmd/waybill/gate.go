package main

import (
	"context"
	"strconv"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runGate(ctx context.Context, call *cli.Call) error {
	signer, err := newRecordSigner(ctx, call)
	if err != nil {
		return err
	}
	where, err := openSite(ctx, call, "", true)
	if err != nil {
		return err
	}
	if where.Pull == nil {
		return outcome.Usagef("which pull request? Give --pull-request N")
	}
	if workflow := call.In.String("start_workflow"); workflow != "" {
		return startGate(ctx, call, where, workflow)
	}
	request, err := gateRequest(ctx, call, where)
	if err != nil {
		return err
	}
	result, err := verdict.Decide(ctx, request)
	if err != nil {
		return err
	}
	switch status := result.Status; {
	case result.Elsewhere != "":
		call.Sayf("pull request #%d is made against %s: %s is reported for %s alone",
			where.Pull.Number, where.Pull.BaseRef, request.Status, result.Elsewhere)
		return nil
	case result.Kept:
		call.Sayf("there is no plan of %.7s: its status stays %s", where.Pull.HeadSHA, status.State)
		return nil
	case result.Unplanned:
		call.Sayf("%s: %s", status.State, status.Description)
		return nil
	}
	err = showDecision(ctx, call, request, result, signer)
	if request.Status != "" && outcome.Code(err) == outcome.Pending { // the status says it
		call.Sayf("pending: %v", err)
		return nil
	}
	return err
}

// startGate starts the gate's workflow on the default branch, which no pull
// request can change.
func startGate(ctx context.Context, call *cli.Call, where *site.Site, workflow string) error {
	branch, err := where.DefaultBranch(ctx)
	if err != nil {
		return err
	}
	inputs := map[string]string{"pull_request": strconv.Itoa(where.Pull.Number)}
	for _, name := range []string{"merge_group", "merge_base", "plan_result"} {
		if value := call.In.String(name); value != "" {
			inputs[name] = value
		}
	}
	call.Sayf("started  %s on %s", workflow, branch)
	return where.API.Dispatch(ctx, where.Repo, workflow, branch, inputs)
}
