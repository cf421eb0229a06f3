package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runSign(ctx context.Context, call *cli.Call) error {
	image, err := imageref.Parse(call.In.String("image"))
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	client := registryClient(call, image.Registry())
	options := sign.Options{Image: image, Format: call.In.String("format")}
	if err := readClaims(ctx, call, client, &options); err != nil {
		return err
	}
	key, publicKey, err := signingKey(call)
	if err != nil {
		return err
	}
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: call.In.String("trusted_root"), Keys: publicKey})
	if err != nil {
		return err
	}
	with, err := signerOptions(call, key)
	if err != nil {
		return err
	}
	signer, err := sigstore.NewSigner(ctx, with)
	if err != nil {
		return err
	}
	if published := signer.Published(); published != "" {
		call.Sayf("note     %s", published)
	}
	options.Builder = builder(call, signer.Identity())
	deps := collect.Deps{Registry: client, Verifier: verifier}
	result, err := sign.Run(ctx, sign.Deps{
		Registry: client, Signer: signer,
		Collect: func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
			return collect.Collect(ctx, deps, ref)
		},
	}, options)
	if err != nil {
		return err
	}
	return reportSigned(call, image, result)
}

// signerOptions say with what to sign, and what may become public by it.
func signerOptions(call *cli.Call, key *sigstore.Key) (sigstore.SignerOptions, error) {
	event, err := call.Runner.Event()
	if err != nil {
		return sigstore.SignerOptions{}, err
	}
	return sigstore.SignerOptions{
		Key: key, IDToken: call.Runner.IDToken, SigningConfig: call.In.String("signing_config"),
		AllowPublicLog: call.In.Bool("allow_public_log"), Visibility: event.Visibility(),
	}, nil
}

func reportSigned(call *cli.Call, image imageref.Ref, result sign.Result) error {
	for _, note := range result.Notes {
		call.Sayf("note     %s", note)
	}
	for _, kind := range result.Written {
		call.Sayf("signed   %s", kind)
	}
	for _, kind := range result.Kept {
		call.Sayf("kept     %s, which is there already", kind)
	}
	call.Sayf("verified %s, signed by %s", image.Short(), result.Signer.Name())
	if _, err := fmt.Fprintln(call.Stdout, image); err != nil {
		return err
	}
	index := ""
	if result.LogIndex != nil {
		index = strconv.FormatInt(*result.LogIndex, 10)
	}
	signer := result.Signer.Identity
	if result.Signer.Key != "" {
		signer = result.Signer.Key
	}
	if err := call.Output("signer", signer); err != nil {
		return err
	}
	return call.Output("log_index", index)
}

// signingKey reads the private key; without one the signature is keyless.
func signingKey(call *cli.Call) (*sigstore.Key, [][]byte, error) {
	path := call.In.String("key")
	if path == "" {
		return nil, nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, outcome.Usagef("read --key: %w", err)
	}
	key, err := sigstore.LoadKey(pem, []byte(call.Env(contract.EnvCosignPassword)))
	if err != nil {
		return nil, nil, fmt.Errorf("--key %s: %w", path, err)
	}
	public, err := key.PublicKeyPEM()
	if err != nil {
		return nil, nil, fmt.Errorf("--key %s: %w", path, err)
	}
	return key, [][]byte{public}, nil
}

// builder is who built, as far as this job can tell: the certificate's
// workflow, else the job's own.
func builder(call *cli.Call, signer evidence.Signer) evidence.Builder {
	job := call.Runner.Context()
	b := evidence.Builder{ID: signer.Identity, InvocationID: job.RunURL()}
	if b.ID == "" && job.WorkflowRef != "" {
		b.ID = job.ServerURL + "/" + job.WorkflowRef
	}
	if b.ID == "" {
		b.ID = "https://waybill.dev/builder/local"
	}
	return b
}

// readClaims reads what is to be attested, from files or from artifacts that
// earlier jobs pushed.
func readClaims(ctx context.Context, call *cli.Call, client *registry.Client, o *sign.Options) error {
	if call.In.Has("documents") && (call.In.Has("sbom") || call.In.Has("scan_report")) {
		return outcome.Usagef("--documents stands in place of --sbom and --scan-report: give one or the other")
	}
	if call.In.Has("build_record") && call.In.Has("provenance") {
		return outcome.Usagef("--build-record stands in place of --provenance: give one or the other")
	}
	for _, path := range call.In.List("sbom") {
		data, err := os.ReadFile(path)
		if err != nil {
			return outcome.Usagef("read --sbom: %w", err)
		}
		o.SBOMs = append(o.SBOMs, json.RawMessage(data))
	}
	for input, file := range map[string]string{"scan_report": evidence.FileReport, "provenance": evidence.FileBuild} {
		path := call.In.String(input)
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return outcome.Usagef("read --%s: %w", input, err)
		}
		if err := addClaim(o, file, data); err != nil {
			return outcome.Usagef("%s: %w", path, err)
		}
	}
	for input, artifact := range map[string]string{"documents": evidence.ArtifactScan, "build_record": evidence.ArtifactBuild} {
		if err := readArtifact(ctx, call.In.String(input), artifact, client, o); err != nil {
			return err
		}
	}
	return nil
}

func readArtifact(ctx context.Context, reference, artifactType string, client *registry.Client, o *sign.Options) error {
	if reference == "" {
		return nil
	}
	ref, err := imageref.Parse(reference)
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	documents, err := client.Documents(ctx, ref, artifactType)
	if err != nil {
		return err
	}
	for _, d := range documents {
		if err := addClaim(o, d.Name, d.Data); err != nil {
			return outcome.Usagef("%s of %s: %w", d.Name, ref, err)
		}
	}
	return nil
}

func addClaim(o *sign.Options, file string, data []byte) error {
	switch file {
	case evidence.FileReport:
		report, err := evidence.ParseScanReport(data)
		if err != nil {
			return err
		}
		o.Scan = &report
	case evidence.FileBuild:
		record, err := evidence.ParseBuildRecord(data)
		if err != nil {
			return err
		}
		o.Build = &record
	case evidence.FileCycloneDX, evidence.FileSPDX:
		o.SBOMs = append(o.SBOMs, json.RawMessage(data))
	}
	return nil
}
