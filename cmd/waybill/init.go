package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/workflows"
)

func runInit(ctx context.Context, call *cli.Call) error {
	kind, dir := call.In.String("kind"), call.In.String("dir")
	names := starter.Names{
		Owner: call.In.String("owner"), ConfigRepo: call.In.String("config_repo"), App: call.In.String("app"),
		Image: call.In.String("image"), Registry: call.In.String("registry"), Issuer: call.In.String("issuer"), Environments: call.In.List("environments"),
		Account: call.In.String("cloud_account"), Region: call.In.String("region"), Domain: call.In.String("domain"),
		Platform: call.In.String("platform"), Template: call.In.String("template"),
	}
	var err error
	if names.Trust, err = trustOf(call); err != nil {
		return err
	}
	origin := originOf(ctx, dir)
	if kind == starter.Config && names.ConfigRepo == "" {
		names.ConfigRepo = origin
	}
	if kind == starter.App {
		names.Source = origin
	}
	if names.Owner == "" {
		names.Owner, _, _ = strings.Cut(names.ConfigRepo, "/")
	}
	if names.Owner == "" {
		names.Owner, _, _ = strings.Cut(origin, "/")
	}
	if kind == starter.App && names.App == "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		names.App = strings.ToLower(filepath.Base(absolute))
	}
	if answers := terminal(call); answers != nil {
		if err := ask(call, answers, kind, &names); err != nil {
			return err
		}
	}
	if names.Owner == "" {
		return outcome.Usagef("--owner is missing: the organisation or user on GitHub that the repositories belong to")
	}
	return writeStarter(call, dir, kind, names)
}

// trustOf reads what deliver.yml fixes for every application.
func trustOf(call *cli.Call) (workflows.Trust, error) {
	trust := workflows.Trust{Database: call.In.String("db_repository")}
	for input, into := range map[string]*string{"signing_config": &trust.SigningConfig, "trusted_root": &trust.TrustedRoot} {
		file := call.In.String(input)
		if file == "" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return workflows.Trust{}, outcome.Usagef("--%s: %w", strings.ReplaceAll(input, "_", "-"), err)
		}
		*into = string(data)
	}
	return trust, nil
}

func environmentNames(list string) []string {
	if list == "" {
		return nil
	}
	names := strings.Split(list, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names
}

func writeStarter(call *cli.Call, dir, kind string, names starter.Names) error {
	result, err := starter.Write(dir, kind, names, call.In.Bool("force"))
	for _, f := range result.Replaced {
		call.Sayf("replaced %s", f)
	}
	for _, f := range result.Kept {
		call.Sayf("kept     %s: it is there already and differs from the starter file (--force replaces it)", f)
	}
	if err != nil {
		return err
	}
	call.Sayf("%d files written, %d replaced, %d the same already, %d kept.", len(result.Written), len(result.Replaced), len(result.Same), len(result.Kept))
	call.Sayf("\nNext:")
	for i, step := range nextSteps(kind, names.Default()) {
		call.Sayf("%d. %s", i+1, step)
	}
	written := append(result.Written, result.Replaced...)
	for _, f := range written {
		if _, err := fmt.Fprintln(call.Stdout, f); err != nil {
			return err
		}
	}
	return call.Output("files", strings.Join(written, "\n"))
}

// nextSteps say what only people can do.
func nextSteps(kind string, n starter.Names) []string {
	var steps []string
	if left := n.Left(); kind != starter.App && n.Platform != starter.None && len(left) > 0 {
		steps = append(steps, "Replace "+strings.Join(left, " and ")+", or run this again with --cloud-account, --domain and --force.")
	}
	switch kind {
	case starter.App:
		if n.Template == starter.None {
			steps = append(steps, "Say in .github/workflows/ci.yml how the application is linted, tested and compiled: the inputs of "+n.ConfigRepo+"'s deliver.yml.")
		}
		steps = append(steps,
			"Name the application in waybill.yaml of "+n.ConfigRepo+" if it is not there: "+n.App+", image "+n.Image+", source "+n.Source+".",
			"Give it the App that asks (deployments: write on "+n.ConfigRepo+" and nothing else): the variable WAYBILL_ASK_APP_ID and the secret WAYBILL_ASK_APP_KEY; or a token of the same right: the secret WAYBILL_CONFIG_TOKEN.",
			"Commit, and push to main: what is there is delivered.")
		if strings.HasPrefix(n.Image, "ghcr.io/") {
			steps = append(steps, "Where the package is private, let "+n.ConfigRepo+" read it (the package's settings, Manage Actions access) once the first push has made it, and run the failed job again.")
		}
		return steps
	case starter.Infra:
		if n.Platform != starter.None {
			steps = append(steps, "Follow README.md from the top: GitHub's numeric ids, the bucket of the states, the lock files.")
		}
		return append(steps,
			"Look over who approves what in waybill.yaml: the teams of "+n.Owner+" that stand there must exist.",
			"Run age-keygen; its public key becomes the variable WAYBILL_SEAL_TO, the other the secret WAYBILL_SEAL_KEY of the GitHub environment infra. The secret WAYBILL_TEAM_TOKEN may read the members of teams, and nothing else.",
			"Let an App report the gate: contents: read, pull_requests: write, statuses: write. WAYBILL_APP_ID and WAYBILL_APP_KEY stand in the environment waybill, limited to main. Require the status waybill/gate from that App alone: https://github.com/waybill-dev/waybill/blob/main/docs/terraform.md says how.",
			"Commit, and push to main. That one run of apply is red: what came by no pull request was approved by nobody.",
			"Open a pull request that changes a root: its plan appears as a comment.")
	}
	return append(steps,
		"Look over waybill.yaml, and name teams of "+n.Owner+" that exist in it and in .github/CODEOWNERS.",
		"Commit, and push to main of "+n.ConfigRepo+".",
		"Protect main: pull requests, the status waybill/check from the App that moves digests alone (WAYBILL_APP_ID, WAYBILL_APP_KEY, in the environment waybill), and that App as the one that may pass: https://github.com/waybill-dev/waybill/blob/main/docs/getting-started.md says how.",
		"Let other repositories of "+n.Owner+" call this one's workflows.",
		"In a clone of an application: waybill init app --config-repo "+n.ConfigRepo)
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
