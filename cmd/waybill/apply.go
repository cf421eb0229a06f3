package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

func runApply(ctx context.Context, call *cli.Call, in options.Apply, show func(apply.Result) error) error {
	if in.List {
		return listApply(ctx, call, in, show)
	}
	access := connect.Access{
		Call: call, Repository: options.Repository{Repo: in.Repo}, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry,
	}
	signer, err := access.RecordSigner(ctx, in.Record)
	if err != nil {
		return err
	}
	order, err := applyOrder(ctx, access, in)
	if err != nil {
		return err
	}
	if !order.Unlocks() && order.MergeHead == "" {
		if order.Identities, err = connect.SealKey(in.SealKey, in.SealKeyFile); err != nil {
			return err
		}
	}
	err = apply.All(ctx, order, func(ctx context.Context, result *apply.Result) error {
		kept := keepApplied(ctx, in, result, signer)
		return outcome.Join(show(*result), kept)
	})
	var unanswered *apply.NotApplied
	if errors.As(err, &unanswered) && in.Comment && !in.DryRun {
		err = outcome.Join(err, order.Site.Say(context.WithoutCancel(ctx), order.Site.API, markdown.Comment(unanswered.Markdown())))
	}
	var refused *policy.RefusedError
	if errors.As(err, &refused) {
		err = outcome.Join(err, show(apply.Result{Findings: refused.Findings}))
	}
	return connect.Identity(err)
}

// keepApplied says on the pull request what was applied, and signs the record.
func keepApplied(ctx context.Context, in options.Apply, result *apply.Result, signer *connect.RecordSigner) error {
	if result.Record == nil {
		return nil
	}
	document, err := text.JSON(result.Record)
	if err != nil {
		return err
	}
	if result.Site.Pull != nil && in.Comment {
		body := markdown.Comment(apply.Marker+"\n"+result.Markdown(), record.Details(document))
		err = result.Site.Say(ctx, result.Site.API, body)
	}
	var unsigned error
	result.Signed, unsigned = signer.Sign(ctx, record.Record{
		Type: record.Apply, Fingerprint: result.Fingerprint, Plan: result.Plan, Document: document,
	})
	if unsigned != nil {
		unsigned = fmt.Errorf("what is said above was done; its record is not signed: %w", unsigned)
	}
	return outcome.Join(err, unsigned)
}
