package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func showDecision(ctx context.Context, call *cli.Call, r verdict.Request, result *verdict.Result, signer *recordSigner) error {
	d := result.Decision
	document, err := record.JSON(d)
	if err != nil {
		return err
	}
	shown := d.Verdict
	if call.In.String("format") == "json" {
		shown = string(document)
	}
	if _, err := fmt.Fprintln(call.Stdout, shown); err != nil {
		return err
	}
	err = outcome.Join(call.Output("decision", d.Verdict), call.Output("approvers", strings.Join(d.Approvers(), "\n")),
		call.Output("record", record.Output(document)), call.Runner.Summary(verdict.Markdown(d)))
	if call.In.Bool("comment") {
		err = outcome.Join(err, r.Comment(ctx, result, record.Details(document)))
	}
	if err != nil {
		return err
	}
	if d.Verdict == approval.Pending {
		return outcome.Pendingf("plan %s of #%d is not approved yet\n%s", d.Fingerprint.Short(), d.PullRequest, d.Reason())
	}
	call.Sayf("plan %s of #%d is approved by %s", d.Fingerprint.Short(), d.PullRequest, d.By())
	return signer.sign(ctx, record.Record{Type: record.Gate, Fingerprint: d.Fingerprint, Plan: result.Claim.Plan, Document: document})
}
