package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/setup"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

func runSetup(ctx context.Context, call *cli.Call, in options.Setup) (setup.Report, error) {
	access := connect.Access{Call: call, GitHub: in.GitHub}
	api, err := access.GitHubClient()
	if err != nil {
		return setup.Report{}, err
	}
	dir, err := configrepo.CleanDirectory(in.Path)
	if err != nil {
		return setup.Report{}, outcome.Usagef("--path: %w", err)
	}
	return setup.Run(ctx, setup.Request{
		API: settings.Of(api), GitHub: access.GitHubOptions(), Owner: in.Owner, Config: in.Config, Path: dir, Infra: in.Infra, Apps: in.App,
		Team:     in.Team,
		Registry: in.Registry, Private: !in.Public, DryRun: in.DryRun, Undo: in.Undo, Say: call.Sayf, Keys: setup.Keys{Dir: "."},
		Confirm: func(r setup.Report) error {
			if in.Yes {
				return nil
			}
			t, ok := terminal(call)
			if !ok {
				return outcome.Usagef("nobody is here to ask: look with --dry-run, then give --yes")
			}
			call.Sayf("%s", views.SetupLines(r))
			return t.Confirm("Go on with " + text.Count(r.Count(setup.Would), "setting"))
		},
	})
}
