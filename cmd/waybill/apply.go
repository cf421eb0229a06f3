package main

import (
	"context"
	"errors"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runApply(ctx context.Context, call *cli.Call) error {
	identities, err := sealKey(call)
	if err != nil {
		return err
	}
	signer, err := newRecordSigner(ctx, call)
	if err != nil {
		return err
	}
	order, err := applyOrder(ctx, call)
	if err != nil {
		return err
	}
	order.Identities = identities
	err = apply.All(ctx, order, func(ctx context.Context, result *apply.Result) error { return showApplied(ctx, call, result, signer) })
	var unanswered *apply.NotApplied
	if errors.As(err, &unanswered) && call.In.Bool("comment") {
		err = outcome.Join(err, order.Site.Say(context.WithoutCancel(ctx), order.Site.API, comment.Fit(unanswered.Markdown())))
	}
	return terraformProblem(call, err)
}

func applyOrder(ctx context.Context, call *cli.Call) (o apply.Order, err error) {
	o = apply.Order{
		Plan: call.In.String("plan"), Fingerprint: call.In.String("fingerprint"), Dirs: call.In.List("dir"),
		Registry: sealStores(call), Words: plainWords{call.Stderr}, Group: call.Runner.Group,
	}
	top, err := top(ctx, call)
	if err != nil {
		return o, err
	}
	if o.Head, err = git.Run(ctx, top, "rev-parse", "HEAD"); err != nil {
		return o, err
	}
	if o.Tool, err = toolRequest(call, top); err != nil {
		return o, err
	}
	if o.Teams, err = teamClient(call); err != nil {
		return o, err
	}
	if o.Site, err = openSite(ctx, call, top, true); err != nil {
		return o, err
	}
	event, err := call.Runner.Event()
	if err != nil {
		return o, err
	}
	if c := event.Comment; c != nil {
		o.Asked = &apply.Comment{Action: event.Action, User: c.User.Login, Body: c.Body}
	}
	if call.Runner.Active() {
		o.Push = &apply.Push{Before: event.Before, After: event.After}
	}
	return o, nil
}
