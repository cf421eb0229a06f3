package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func signImage(ctx context.Context, call *cli.Call, in options.Sign) (sign.Result, error) {
	image, err := namedImage(in.Image)
	if err != nil {
		return sign.Result{}, err
	}
	access := connect.Access{Call: call, GitHub: in.GitHub, Sigstore: in.Sigstore, Registry: in.Registry}
	client, err := access.RegistryClient(image.Registry()).Session(ctx)
	if err != nil {
		return sign.Result{}, err
	}
	o := sign.Options{Image: image, Format: string(storeAs(call, in))}
	if o.Copies, err = image.Copies(in.Copies); err != nil {
		return sign.Result{}, outcome.Usagef("--copies: %w", err)
	}
	opened := access.OpenSigningKey(ctx, in.Key) // while evidence and image are looked at: a password takes 0.2 s
	if err := o.Read(ctx, client, sign.Sources{
		SBOMs: in.SBOM, ScanReport: in.ScanReport, Provenance: in.Provenance, Documents: in.Documents, BuildRecord: in.BuildRecord,
	}); err != nil {
		return sign.Result{}, err
	}
	var published collect.Attestations
	if in.GithubAttestations {
		if published, err = access.Attestations(); err != nil {
			return sign.Result{}, err
		}
	}
	key, publicKey, err := opened()
	if err != nil {
		return sign.Result{}, err
	}
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: in.TrustedRoot, Keys: publicKey})
	if err != nil {
		return sign.Result{}, err
	}
	signer, err := access.SignerWith(ctx, key)
	if err != nil {
		return sign.Result{}, err
	}
	if published := signer.Published(); published != "" {
		call.Sayf("note     %s", published)
	}
	job := call.Runner.Context()
	o.Builder = sign.BuilderOf(signer.Identity(), job.ServerURL, job.WorkflowRef, job.RunURL())
	deps := collect.Deps{Registry: client, Verifier: verifier}
	result, err := sign.Run(ctx, sign.Deps{
		Registry: client, Signer: signer, Verifier: verifier,
		Collect: func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
			return collect.Collect(ctx, deps, ref)
		},
	}, o)
	if err == nil && published != nil {
		result.Published, err = collect.Publish(ctx, deps, image, result.Signer, published)
	}
	return result, err
}

// storeAs is how evidence is stored. The input format once said it.
func storeAs(call *cli.Call, in options.Sign) options.StoreAs {
	if in.Format == options.FormatText || in.Format == options.FormatJSON {
		return in.StoreAs
	}
	call.Sayf("note     --format %s is deprecated: use --store-as %[1]s", in.Format)
	return options.StoreAs(in.Format)
}
