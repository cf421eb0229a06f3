package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// infra is the infrastructure repository that plan, gate and apply work on.
type infra struct {
	api  *github.Client
	repo github.Repository   // zero where GitHub has no part in it
	pull *github.PullRequest // nil where there is none
	// reporter reports statuses and keeps the gate's comment: api, or an App's.
	reporter *github.Client
	strict   bool // only what reporter wrote is believed
}

func (i infra) onGitHub() bool { return i.repo.Name != "" }

// openInfra finds repository and pull request: what the inputs say, else what
// the event is about.
func openInfra(ctx context.Context, call *cli.Call) (infra, error) {
	var i infra
	api, err := githubClient(call)
	if err != nil {
		return i, err
	}
	i.api, i.reporter = api, api
	name := call.In.String("repo")
	if name == "" {
		name = call.Runner.Context().Repository
	}
	if name == "" {
		if call.In.Int("pull_request") != 0 {
			return i, outcome.Usagef("--pull-request is of which repository? Give --repo OWNER/NAME")
		}
		return i, nil
	}
	if i.repo, err = github.ParseRepository(name); err != nil {
		return i, outcome.Usagef("--repo: %w", err)
	}
	number := call.In.Int("pull_request")
	if number == 0 {
		event, err := call.Runner.Event()
		if err != nil {
			return i, err
		}
		number = event.Pull()
	}
	if number == 0 {
		return i, nil
	}
	i.pull, err = api.Pull(ctx, i.repo, number)
	return i, err
}

// top is the directory of the clone.
func top(ctx context.Context, call *cli.Call) (string, error) {
	here, err := filepath.Abs(call.In.String("checkout"))
	if err != nil {
		return "", err
	}
	dir, err := git.Run(ctx, here, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", fmt.Errorf("find the top of the repository: a plan is bound to a commit: %w", err)
	}
	return filepath.FromSlash(dir), nil
}

// rootRequest says which roots the inputs mean.
func rootRequest(call *cli.Call, top string) roots.Request {
	return roots.Request{
		Top: top, Dirs: call.In.List("dir"), Workspace: call.In.String("workspace"), VarFiles: call.In.List("var_file"),
		Backend: call.In.List("backend_config"),
	}
}

// tool is terraform with a private directory, which done removes.
func tool(call *cli.Call, top string) (t plan.Tool, done func(), err error) {
	if err := process.Private(); err != nil {
		return plan.Tool{}, nil, err
	}
	named := call.In.List("env")
	for _, name := range named {
		if why := terraform.Refuses(name); why != "" {
			return plan.Tool{}, nil, outcome.Usagef("--env %s: %s", name, why)
		}
	}
	why, err := terraform.Settings(call.Getenv, top)
	if err != nil {
		return plan.Tool{}, nil, err
	}
	if why != "" {
		return plan.Tool{}, nil, outcome.Refusedf("%s. Change that file, or name other settings by TF_CLI_CONFIG_FILE", why)
	}
	work, err := os.MkdirTemp("", "waybill-plan-")
	if err != nil {
		return plan.Tool{}, nil, fmt.Errorf("make a working directory: %w", err)
	}
	cache := call.In.String("plugin_cache")
	if cache != "" {
		if cache, err = filepath.Abs(cache); err == nil {
			err = os.MkdirAll(cache, 0o755)
		}
		if err != nil {
			return plan.Tool{}, nil, fmt.Errorf("make the plugin cache: %w", err)
		}
	}
	return plan.Tool{
		Program: call.In.String("terraform"), Work: work, PluginCache: cache, LockTimeout: call.In.Duration("lock_timeout"), Backend: call.In.List("backend_config"),
		Env: func(variables []string) []string { return terraform.Env(call.Getenv, named, variables) },
	}, func() { _ = os.RemoveAll(work) }, nil
}

// sealedStore is the client for the registry of a sealed plan; nil for a file.
func sealedStore(call *cli.Call, host string) seal.Registry {
	if host == "" {
		return nil
	}
	return registryClient(call, host)
}
