package main

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// recordSigner signs records as the inputs say. A nil one signs nothing.
type recordSigner struct {
	call     *cli.Call
	with     sigstore.SignerOptions
	verifier *sigstore.Verifier
}

// newRecordSigner makes sure, before anything is decided or applied, that a
// record can be signed.
func newRecordSigner(ctx context.Context, call *cli.Call) (*recordSigner, error) {
	how := call.In.String("sign_record")
	if how == "none" {
		if call.In.Has("key") {
			return nil, outcome.Usagef("--key without --sign-record key: nothing would be signed")
		}
		return nil, nil
	}
	if (how == "key") != call.In.Has("key") {
		return nil, outcome.Usagef("--sign-record key and --key FILE belong together")
	}
	key, public, err := signingKey(call)
	if err != nil {
		return nil, err
	}
	if key == nil && !call.Runner.HasIdentity() {
		return nil, outcome.Usagef("--sign-record keyless: %w", runner.ErrNoIdentity)
	}
	with, err := signerOptions(call, key)
	if err != nil {
		return nil, err
	}
	if err := sigstore.CheckDisclosure(ctx, with); err != nil {
		return nil, err
	}
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: call.In.String("trusted_root"), Keys: public})
	return &recordSigner{call: call, with: with, verifier: verifier}, err
}

// sign signs the record, says so, and hands on where it is.
func (s *recordSigner) sign(ctx context.Context, kind string, full plan.Fingerprint, sealed string, document []byte) error {
	if s == nil {
		return nil
	}
	if sealed == "" {
		return outcome.Usagef("the plan was not sealed, so that its record has no place: give seal_to and store to waybill plan")
	}
	ref, path, err := seal.ParseRef(sealed)
	if err != nil {
		return err
	}
	signer, err := sigstore.NewSigner(ctx, s.with)
	if err != nil {
		return err
	}
	deps := record.Deps{Signer: signer, Verifier: s.verifier}
	if path == "" {
		deps.Registry = registryClient(s.call, ref.Registry())
	}
	place, by, err := record.Sign(ctx, deps, record.Record{Type: kind, Fingerprint: full, Plan: sealed, Document: document})
	if err != nil {
		return err
	}
	s.call.Sayf("the record is signed by %s, beside %s", by.Name(), place)
	return s.call.Output("signed_record", place)
}

// jsonDocument is a record as JSON, in which the runner takes nothing as a
// command when it is printed: its older form counts anywhere in a line.
func jsonDocument(v any) ([]byte, error) {
	document, err := json.MarshalIndent(v, "", "  ")
	return bytes.ReplaceAll(document, []byte("##["), []byte(`#\u0023[`)), err
}

// outputDocument is a record as a job's output, which GitHub bounds.
func outputDocument(document []byte) string {
	if len(document) > maxOutput {
		return `{"omitted":"too large for an output"}`
	}
	return string(document)
}

// maxRecord is the most of a record that a comment shows.
const maxRecord = 20_000

// recordDetails is the record as a collapsed part of a comment.
func recordDetails(document []byte) string {
	text := string(document)
	if len(text) > maxRecord {
		text = "too large for a comment: it is an output of the job"
	}
	return "\n<details><summary>Record</summary>\n\n" + markdown.Fence("json", text) + "\n</details>\n"
}
