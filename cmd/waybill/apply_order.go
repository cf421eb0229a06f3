package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/apply"
)

func applyOrder(ctx context.Context, access connect.Access, in options.Apply) (o apply.Order, err error) {
	job := access.Call.Runner.Context()
	o = apply.Order{
		Plan: in.Plan, Fingerprint: in.Fingerprint, Dirs: in.Dir, Registry: access.SealStores(),
		Words: &runner.PlainWriter{W: access.Call.Stderr}, Group: access.Call.Runner.Group,
		Job: apply.Job{Actor: job.Actor, URL: job.RunURL()}, Tell: apply.Tell{Comment: in.Comment, Gate: in.GateWorkflow},
		Environment: in.Environment, MergeHead: in.MergeHead, DryRun: in.DryRun,
	}
	top, err := connect.Top(ctx, in.Checkout)
	if err != nil {
		return o, err
	}
	if o.Head, err = git.Head(ctx, top); err != nil {
		return o, err
	}
	if o.Tool, err = access.Terraform(in.Terraform, connect.WithRole(in.Cloud, in.Role), top); err != nil {
		return o, err
	}
	if o.Teams, err = access.Teams(in.TeamToken); err != nil {
		return o, err
	}
	if o.Site, err = access.PullRequest(ctx, top, in.PullRequest); err != nil {
		return o, err
	}
	event, err := access.Call.Runner.Event()
	if err != nil {
		return o, err
	}
	o.Asked = connect.Asked(event)
	o.Workflow, o.Run = job.WorkflowFile(), job.Run()
	if access.Call.Runner.Active() {
		o.Push = &apply.Push{Before: event.Before, After: event.After}
	}
	return o, nil
}

// listApply says in which jobs the plan is applied.
func listApply(ctx context.Context, call *cli.Call, in options.Apply, show func(apply.Result) error) error {
	order, err := applyOrder(ctx, connect.Access{
		Call: call, Repository: options.Repository{Repo: in.Repo}, GitHub: in.GitHub, Registry: in.Registry,
	}, in)
	if err != nil {
		return err
	}
	result, err := order.List(ctx)
	if err != nil {
		return err
	}
	return show(*result)
}
