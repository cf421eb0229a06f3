package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
)

// openSite finds repository and pull request: what the inputs say, else what the
// job is about. Without withPull there is no pull request.
func openSite(ctx context.Context, call *cli.Call, top string, withPull bool) (*site.Site, error) {
	api, err := githubClient(call)
	if err != nil {
		return nil, err
	}
	r := site.Request{API: api, Repo: call.In.String("repo"), Top: top}
	if r.Repo == "" {
		r.Repo = call.Runner.Context().Repository
	}
	if withPull {
		if r.Pull = call.In.Int("pull_request"); r.Pull == 0 && r.Repo != "" {
			event, err := call.Runner.Event()
			if err != nil {
				return nil, err
			}
			r.Pull = event.Pull()
		}
	}
	return site.Open(ctx, r)
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
