package main

import (
	"context"
	"maps"
	"strconv"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

func runGate(ctx context.Context, call *cli.Call, in options.Gate) (none verdict.Result, err error) {
	access := connect.Access{
		Call: call, Repository: options.Repository{Repo: in.Repo}, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry,
	}
	signer, err := access.RecordSigner(ctx, in.Record)
	if err != nil {
		return none, err
	}
	where, err := access.PullRequest(ctx, "", in.PullRequest)
	if err != nil {
		return none, err
	}
	if where.Pull == nil {
		return none, outcome.Usagef("which pull request? Give --pull-request N")
	}
	var result *verdict.Result
	var request verdict.Request
	if in.StartWorkflow != "" {
		inputs := map[string]string{
			"pull_request": strconv.Itoa(where.Pull.Number),
			"merge_group":  in.MergeGroup, "merge_base": in.MergeBase, "plan_result": in.PlanResult,
		}
		maps.DeleteFunc(inputs, func(_, value string) bool { return value == "" })
		result, err = verdict.Start(ctx, where, in.StartWorkflow, inputs)
	} else if in.AnswerHelp {
		return answerHelp(ctx, access, in, where)
	} else if request, err = gateRequest(ctx, access, in, where); err == nil && in.RunHooks {
		var said *verdict.Hooked
		if said, err = request.Hooks(ctx); err == nil {
			return verdict.Result{Site: where, Hooked: said}, nil
		}
	} else if err == nil {
		result, err = verdict.Decide(ctx, request)
	}
	if err != nil {
		return none, err
	}
	if !result.Decided() {
		return *result, nil
	}
	d := result.Decision
	document, err := text.JSON(d)
	if err == nil && in.Comment {
		err = request.Comment(ctx, result, record.Details(document))
	}
	if err == nil && d.Verdict == approval.Approved {
		result.Signed, err = signer.Sign(ctx, record.Record{
			Type: record.Gate, Fingerprint: d.Fingerprint, Plan: result.Claim.Plan, Document: document,
		})
	}
	return *result, err
}
