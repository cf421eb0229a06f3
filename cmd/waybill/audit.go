package main

import (
	"context"
	"os"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/audit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runAudit(ctx context.Context, call *cli.Call, in options.Audit) (audit.Verified, error) {
	if in.Action == options.ActionVerify {
		return verifyAudit(ctx, in)
	}
	if in.Archive != "" || in.Env == "" || in.Since == "" || in.Output == "" {
		return audit.Verified{}, outcome.Usagef("an audit needs --env, --since and --output; waybill audit verify ARCHIVE verifies one")
	}
	access := connect.Access{
		Call: call, Repository: in.Repository, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry, WorkingDirectory: true,
	}
	request := audit.Request{Env: in.Env, Now: time.Now(), Server: call.Env(contract.EnvGitHubServer), Version: cli.Version()}
	if err := request.Period(in.Since, in.Until); err != nil {
		return audit.Verified{}, err
	}
	repo, branch, err := access.Deployments(ctx)
	if err != nil {
		return audit.Verified{}, err
	}
	request.Repository, request.Branch = repo.Title(in.Dir), branch
	work, err := audit.Begin(ctx, repo, request)
	if err != nil {
		return audit.Verified{}, err
	}
	signer, keys, err := access.Signer(ctx, in.Key)
	if err != nil {
		return audit.Verified{}, err
	}
	from := audit.Sources{Signer: signer, Registry: access.Registries(), API: repo.API, GitHub: repo.GitHub}
	from.Check = repo.Status(in.StatusContext)
	if err := from.ReadTerraform(ctx, in.TerraformRecord); err != nil {
		return audit.Verified{}, err
	}
	if from.Verifier, err = access.Verifier(work.Configs(), keys...); err != nil {
		return audit.Verified{}, err
	}
	archive, err := work.Gather(ctx, from)
	if err != nil {
		return audit.Verified{}, err
	}
	own := audit.Trust{TrustedRoot: in.TrustedRoot, Keys: keys, AnySigner: len(keys) == 0, Version: request.Version}
	verified, err := audit.Verify(ctx, archive, own)
	if err != nil {
		return audit.Verified{}, err
	}
	return verified, archive.Write(in.Output)
}

func verifyAudit(ctx context.Context, in options.Audit) (audit.Verified, error) {
	if in.Archive == "" {
		return audit.Verified{}, outcome.Usagef("which audit? waybill audit verify ARCHIVE")
	}
	trust := audit.Trust{TrustedRoot: in.TrustedRoot, Signer: in.Signer, AnySigner: in.AnySigner, Version: cli.Version()}
	if in.Key != "" {
		public, err := os.ReadFile(in.Key)
		if err != nil {
			return audit.Verified{}, outcome.Usagef("read --key: %w", err)
		}
		trust.Keys = [][]byte{public}
	}
	archive, err := audit.Open(in.Archive)
	if err != nil {
		return audit.Verified{}, err
	}
	return audit.Verify(ctx, archive, trust)
}
