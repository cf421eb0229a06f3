package main

import (
	"errors"
	"fmt"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// toolRequest says how the inputs want terraform to be run.
func toolRequest(call *cli.Call, top string) (r tool.Request, err error) {
	r = tool.Request{
		Top: top, Program: call.In.String("terraform"), Mirror: call.In.String("terraform_mirror"), PluginCache: call.In.String("plugin_cache"),
		Backend: call.In.List("backend_config"), Env: call.In.List("env"), LockTimeout: call.In.Duration("lock_timeout"),
		Tokens: call.Runner, Getenv: call.Getenv, Say: call.Sayf,
	}
	r.Login, err = cloudRequest(call)
	return r, err
}

// terraformProblem shows what the policy found, and says how to get an identity
// where there is none. Other errors stay as they are.
func terraformProblem(call *cli.Call, err error) error {
	var refused *policy.RefusedError
	if errors.As(err, &refused) {
		if shown := showFindings(call, refused); shown != nil {
			return shown
		}
	}
	return identityError(err)
}

// showFindings says every finding of every root.
func showFindings(call *cli.Call, refused *policy.RefusedError) error {
	var errs []error
	for _, f := range refused.Findings {
		errs = append(errs, call.Runner.Annotate(runner.Annotation{
			Level: runner.Failure, File: f.File, Line: f.Line, Column: f.Column,
			Title: "waybill policy: " + f.Rule, Message: f.Message + "\n" + f.Fix,
		}))
	}
	document, err := refused.JSON()
	if err != nil {
		return err
	}
	if call.Command.HasOutput("findings") && record.Output(document) == string(document) {
		errs = append(errs, call.Output("findings", string(document)))
	}
	if call.In.String("format") == "json" {
		_, err = fmt.Fprintln(call.Stdout, string(document))
	}
	return outcome.Join(append(errs, err, call.Runner.Summary(refused.Markdown()))...)
}

func identityError(err error) error {
	if errors.Is(err, runner.ErrNoIdentity) {
		return runner.NoIdentity("log in to the cloud")
	}
	return err
}
