package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/asking"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runBump(ctx context.Context, call *cli.Call, in options.Bump) (result bump.Result, err error) {
	images, err := imageref.ParseAll(in.Image)
	if err != nil {
		return result, outcome.Usagef("%w", err)
	}
	access := connect.Access{Call: call, Repository: in.Repository, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry}
	asks := in.Via != options.ViaCommit
	if access.DryRun = in.DryRun; in.DryRun && (asks || in.Deployment != 0) {
		return result, outcome.Usagef("--dry-run judges here and now: it takes neither --via %s nor --deployment", in.Via)
	}
	if asks {
		access.Permissions = map[string]string{"deployments": "write"}
	}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return result, err
	}
	request := bump.Request{Images: images, App: in.App, Env: in.Env, Branch: branch, AllowOlder: in.AllowOlder}
	request.Run, request.Repository = call.Runner.Context().RunURL(), repo.GitHub.String()
	if asks {
		return askForBump(ctx, call, repo, request, in.Timeout)
	}
	if in.Deployment == 0 {
		return bumpAndStart(ctx, access, repo, request, in)
	}
	// The answer goes with the job's token: the App that moves digests needs no
	// right to deployments.
	if err := repo.NeedsForge("--deployment"); err != nil {
		return result, err
	}
	api, err := access.GitHubClient()
	if err != nil {
		return result, err
	}
	answer := asking.Answering{API: api, Repository: repo.GitHub, Deployment: int64(in.Deployment), RunURL: request.Run}
	if err := answer.Begin(ctx); err != nil {
		return result, err
	}
	result, err = bumpAndStart(ctx, access, repo, request, in)
	return result, answer.End(ctx, err)
}

// bumpAndStart bumps, and starts the promotion where nothing else does.
func bumpAndStart(
	ctx context.Context, access connect.Access, repo connect.ConfigRepository, request bump.Request, in options.Bump,
) (bump.Result, error) {
	judge, err := access.Judge(ctx, repo, request.Branch)
	if err != nil {
		return bump.Result{}, err
	}
	request.Propose = proposer(repo, judge, request, in.CheckWorkflow)
	result, err := bump.Run(ctx, repo, judge, request)
	access.Notify(ctx, repo, request.Branch, connect.Bumped(request, result, err)...)
	if err != nil || in.PromoteWorkflow == "" || in.DryRun || result.Number != 0 {
		return result, err
	}
	if err := repo.NeedsForge("--promote-workflow"); err != nil {
		return result, err
	}
	if result.Changed && repo.ActsAsApp {
		return result, nil // its commit has started what listens to pushes
	}
	// Also when the digest stood there already: an earlier run may have been
	// interrupted between commit and start, and promoting again changes nothing.
	return result, repo.API.Dispatch(ctx, repo.GitHub, in.PromoteWorkflow, request.Branch, nil)
}
