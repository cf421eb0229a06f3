package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runDrift(ctx context.Context, call *cli.Call) error {
	search, err := driftSearch(ctx, call)
	if err != nil {
		return err
	}
	report, err := drift.Run(ctx, search)
	if report == nil {
		return identityError(err)
	}
	if err := showDrift(call, report); err != nil {
		return err
	}
	return outcome.Join(err, report.Outcome(call.In.Bool("fail_on_drift")))
}

func driftSearch(ctx context.Context, call *cli.Call) (s drift.Search, err error) {
	top, err := top(ctx, call)
	if err != nil {
		return s, err
	}
	s = drift.Search{
		Roots: rootRequest(call, top), Parallel: call.In.Int("parallel"), Unmanaged: call.In.Bool("unmanaged"),
		Issues: call.In.Bool("issues"), Label: call.In.String("label"),
	}
	if s.Tool, err = toolRequest(call, top); err != nil {
		return s, err
	}
	s.Tool.Version, s.Tool.Unlocked = call.In.String("terraform_version"), !call.In.Bool("lock")
	s.Site, err = openSite(ctx, call, top, false)
	return s, err
}

func showDrift(call *cli.Call, report *drift.Report) error {
	if call.In.String("format") == "json" {
		document, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(call.Stdout, string(document)); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(call.Stdout, report.Markdown(comment.MaxComment)); err != nil {
		return err
	}
	var warnings []string
	for _, root := range report.Of(drift.Drifted) {
		warnings = append(warnings, root.Title())
	}
	for _, i := range report.Ignores {
		warnings = append(warnings, i.String())
	}
	for _, message := range warnings {
		if err := call.Runner.Annotate(runner.Annotation{Level: runner.Warning, Title: "waybill drift", Message: message}); err != nil {
			return err
		}
	}
	errs := []error{call.Runner.Summary(report.Markdown(runner.SummaryLimit / 4))}
	for _, name := range []string{drift.Drifted, drift.Broken} {
		value, err := json.Marshal(report.Entries(name))
		errs = append(errs, err, call.Output(name, string(value)))
	}
	return outcome.Join(errs...)
}
