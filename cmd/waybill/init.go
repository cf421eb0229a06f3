package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/git"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/starter"
)

func runInit(ctx context.Context, call *cli.Call) error {
	kind, dir := call.In.String("kind"), call.In.String("dir")
	names := starter.Names{ConfigRepo: call.In.String("config_repo"), App: call.In.String("app"), Image: call.In.String("image")}
	if names.ConfigRepo == "" && kind == starter.Config {
		names.ConfigRepo = originOf(ctx, dir)
	}
	if kind == starter.Infra {
		return writeStarter(call, dir, kind, names)
	}
	if names.ConfigRepo == "" {
		return outcome.Usagef("--config-repo is missing: the config repository on GitHub, OWNER/NAME")
	}
	if names.App == "" && kind == starter.App {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		names.App = strings.ToLower(filepath.Base(absolute))
	}
	if names.App == "" {
		return outcome.Usagef("--app is missing: the name of the first application")
	}
	owner, _, _ := strings.Cut(names.ConfigRepo, "/")
	if names.Image == "" {
		names.Image = "ghcr.io/" + strings.ToLower(owner) + "/" + names.App
	}
	if kind == starter.App {
		names.Source = originOf(ctx, dir)
	}
	return writeStarter(call, dir, kind, names)
}

func writeStarter(call *cli.Call, dir, kind string, names starter.Names) error {
	result, err := starter.Write(dir, kind, names)
	for _, f := range result.Written {
		call.Sayf("wrote    %s", f)
	}
	for _, f := range result.Kept {
		call.Sayf("kept     %s: it is there already and differs from the starter file", f)
	}
	if err != nil {
		return err
	}
	call.Sayf("%d files written, %d the same already, %d kept. Next: %s", len(result.Written), len(result.Same), len(result.Kept), nextStep(kind, names))
	for _, f := range result.Written {
		if _, err := fmt.Fprintln(call.Stdout, f); err != nil {
			return err
		}
	}
	return call.Output("files", strings.Join(result.Written, "\n"))
}

func nextStep(kind string, n starter.Names) string {
	if kind == starter.App {
		return "add the secret WAYBILL_CONFIG_TOKEN (actions: write in " + n.ConfigRepo + "), commit and push to main"
	}
	if kind == starter.Infra {
		return "say in waybill.yaml who approves, set the variable WAYBILL_SEAL_TO and the secret WAYBILL_SEAL_KEY (age-keygen makes both) in the environment infra, and commit"
	}
	return "look over waybill.yaml and apps/, commit, and make the status waybill/check required on main"
}

// originOf is OWNER/NAME of the remote origin; empty without one.
func originOf(ctx context.Context, dir string) string {
	d, err := git.Describe(ctx, dir)
	if err != nil {
		return ""
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(d.Repository, "https://"), "/")
	if strings.Count(path, "/") != 1 {
		return ""
	}
	return path
}
