package main

import (
	"context"
	"os"

	"golang.org/x/term"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/workflows"
)

func runInit(ctx context.Context, call *cli.Call, in options.Init) (starter.Result, error) {
	trust, err := trustOf(in)
	if err != nil {
		return starter.Result{}, err
	}
	names := starter.Names{
		Version: cli.Version(), Owner: in.Owner, ConfigRepo: in.ConfigRepo, App: in.App, Image: in.Image, Registry: in.Registry,
		Environments: in.Environments, Issuer: in.Issuer, Account: in.CloudAccount, Region: in.Region, Domain: in.Domain,
		ActionsCommit: in.ActionsCommit, Trust: trust, Platform: string(in.Platform), Ingress: string(in.Ingress),
		Secrets: string(in.Secrets), Fleet: string(in.Fleet), Mirror: in.Mirror, Template: string(in.Template),
	}
	kind, said := string(in.Kind), names
	top, err := names.Directory(ctx, kind, in.Dir)
	if err != nil {
		return starter.Result{}, err
	}
	if err := names.Derive(ctx, kind, top); err != nil {
		return starter.Result{}, err
	}
	if t, ok := terminal(call); ok {
		if err := t.Ask(kind, said, &names); err != nil {
			return starter.Result{}, err
		}
	}
	if err := names.NeedOwner(); err != nil {
		return starter.Result{}, err
	}
	if in.DryRun {
		return starter.Preview(top, kind, names, in.Force)
	}
	result, err := starter.Write(top, kind, names, in.Force)
	if err == nil {
		result.Next = starter.NextSteps(kind, names)
	}
	return result, err
}

// trustOf reads what deliver.yml fixes for every application.
func trustOf(in options.Init) (workflows.Trust, error) {
	trust := workflows.Trust{Database: in.DBRepository}
	for _, f := range []struct {
		flag, file string
		into       *string
	}{{"--signing-config", in.SigningConfig, &trust.SigningConfig}, {"--trusted-root", in.TrustedRoot, &trust.TrustedRoot}} {
		if f.file == "" {
			continue
		}
		data, err := os.ReadFile(f.file)
		if err != nil {
			return workflows.Trust{}, outcome.Usagef("%s: %w", f.flag, err)
		}
		*f.into = string(data)
	}
	return trust, nil
}

// terminal is where a person can be asked, if there is one.
func terminal(call *cli.Call) (starter.Terminal, bool) {
	f, ok := call.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || call.Runner.Active() || call.Env(contract.EnvCI) != "" {
		return starter.Terminal{}, false
	}
	return starter.Terminal{Answers: f, Questions: call.Stderr}, true
}
