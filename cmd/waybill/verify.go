package main

import (
	"context"
	"os"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/delivery/files"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runVerify(ctx context.Context, call *cli.Call, in options.Verify) (views.Judged, error) {
	if len(in.File) > 0 || in.Bundle+in.Signer+in.Source != "" {
		verified, err := verifyFiles(call, in)
		return views.Judged{Files: verified}, err
	}
	w, err := verifyImage(ctx, call, in)
	return views.Judged{Waybill: w}, err
}

func verifyImage(ctx context.Context, call *cli.Call, in options.Verify) (evidence.Waybill, error) {
	image, err := namedImage(in.Image)
	if err != nil {
		return evidence.Waybill{}, err
	}
	access := connect.Access{Call: call, Sigstore: in.Sigstore, Registry: in.Registry}
	return access.Waybill(ctx, connect.Question{Image: image, Policy: in.Policy, App: in.App, Env: in.Env, Keys: in.Key})
}

func verifyFiles(call *cli.Call, in options.Verify) (*files.Verified, error) {
	if err := onlyFiles(in.Image, in.File); err != nil {
		return nil, err
	}
	if in.App != "" || in.Env != "" || in.Format == options.FormatHTML {
		return nil, outcome.Usagef("--file is judged by its signer alone: --app, --env and --format html are for an image")
	}
	q := files.Question{
		Paths: in.File, Bundle: in.Bundle, Signer: in.Signer, Source: in.Source, Issuer: in.Issuer,
		Server: call.Env(contract.EnvGitHubServer), TrustedRoot: in.TrustedRoot,
	}
	for _, path := range in.Key {
		public, err := os.ReadFile(path)
		if err != nil {
			return nil, outcome.Usagef("read --key: %w", err)
		}
		q.Keys = append(q.Keys, public)
	}
	verified, err := files.Verify(q)
	if err != nil {
		return nil, err
	}
	return &verified, nil
}

// onlyFiles refuses a call that names an image too, or no file.
func onlyFiles(image string, paths []string) error {
	switch {
	case image != "":
		return outcome.Usagef("give an image or --file, not both")
	case len(paths) == 0:
		return outcome.Usagef("--file is missing: this is for files, such as the archives of a release")
	}
	return nil
}
