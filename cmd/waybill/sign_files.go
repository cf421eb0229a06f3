package main

import (
	"context"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/delivery/files"
	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runSign(ctx context.Context, call *cli.Call, in options.Sign) (views.Signed, error) {
	if len(in.File) > 0 || in.Bundle != "" {
		signed, err := signFiles(ctx, call, in)
		return views.Signed{Files: signed}, err
	}
	result, err := signImage(ctx, call, in)
	return views.Signed{Result: result}, err
}

func signFiles(ctx context.Context, call *cli.Call, in options.Sign) (*files.Signed, error) {
	if err := onlyFiles(in.Image, in.File); err != nil {
		return nil, err
	}
	if len(in.SBOM)+len(in.Copies) > 0 || in.ScanReport+in.Documents+in.Provenance+in.BuildRecord != "" || in.GithubAttestations {
		return nil, outcome.Usagef("--file signs files alone: SBOMs, scans, provenance, copies and --github-attestations are for an image")
	}
	access := connect.Access{Call: call, GitHub: in.GitHub, Sigstore: in.Sigstore}
	signer, keys, err := access.Signer(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: in.TrustedRoot, Keys: keys})
	if err != nil {
		return nil, err
	}
	if published := signer.Published(); published != "" {
		call.Sayf("note     %s", published)
	}
	job := call.Runner.Context()
	run := evidence.Run{Builder: sign.BuilderOf(signer.Identity(), job.ServerURL, job.WorkflowRef, job.RunURL())}
	if job.Repository != "" {
		workflow, _, _ := strings.Cut(strings.TrimPrefix(job.WorkflowRef, job.Repository+"/"), "@")
		run.Repository, run.Workflow = job.ServerURL+"/"+job.Repository, workflow
		run.Ref, run.Commit, run.Event = job.Ref, job.SHA, job.EventName
	}
	signed, err := files.Sign(ctx, signer, verifier, files.Order{Paths: in.File, Bundle: in.Bundle, Run: run})
	if err != nil {
		return nil, err
	}
	return &signed, nil
}

// namedImage reads the image of a command that takes files in its place.
func namedImage(name string) (imageref.Ref, error) {
	if name == "" {
		return imageref.Ref{}, outcome.Usagef("IMAGE is missing: name an image by digest, REPOSITORY@sha256:…, or files with --file")
	}
	image, err := imageref.Parse(name)
	if err != nil {
		return imageref.Ref{}, outcome.Usagef("%w", err)
	}
	return image, nil
}
