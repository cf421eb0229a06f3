package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// plainWords takes nothing that the runner would take as a command.
type plainWords struct{ w io.Writer }

func (p plainWords) Write(words []byte) (int, error) {
	if _, err := io.WriteString(p.w, runner.Plain(string(words))); err != nil {
		return 0, err
	}
	return len(words), nil
}

func showApplied(ctx context.Context, call *cli.Call, result *apply.Result, signer *recordSigner) error {
	pull := result.Site.Pull
	if result.Plan == "" {
		call.Sayf("nothing to apply: pull request #%d has no plan", pull.Number)
		return call.Output("applied", "false")
	}
	job := apply.Job{Actor: call.Runner.Context().Actor, URL: call.Runner.Context().RunURL()}
	document, err := record.JSON(result.Record(job, time.Now()))
	if err != nil {
		return err
	}
	call.Sayf("%s", apply.Report(result.Roots))
	if call.In.String("format") == "json" {
		if _, err := fmt.Fprintln(call.Stdout, string(document)); err != nil {
			return err
		}
	}
	text := result.Markdown(job)
	errs := []error{
		call.Runner.Summary(text), call.Output("applied", strconv.FormatBool(result.Failed == nil)),
		call.Output("record", record.Output(document)),
	}
	if pull != nil && call.In.Bool("comment") {
		body := comment.Fit(apply.Marker + "\n" + text + record.Details(document))
		errs = append(errs, result.Site.Say(ctx, result.Site.API, body))
	}
	signed := record.Record{Type: record.Apply, Fingerprint: result.Fingerprint, Plan: result.Plan, Document: document}
	if err := signer.sign(ctx, signed); err != nil {
		errs = append(errs, fmt.Errorf("what is said above was done; its record is not signed: %w", err))
	}
	return outcome.Join(errs...)
}
