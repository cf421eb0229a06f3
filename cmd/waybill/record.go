package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/seal"
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
func (s *recordSigner) sign(ctx context.Context, r record.Record) error {
	if s == nil {
		return nil
	}
	if r.Plan == "" {
		return outcome.Usagef("the plan was not sealed, so that its record has no place: give seal_to and store to waybill plan")
	}
	ref, path, err := seal.ParseRef(r.Plan)
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
	place, by, err := record.Sign(ctx, deps, r)
	if err != nil {
		return err
	}
	s.call.Sayf("the record is signed by %s, beside %s", by.Name(), place)
	return s.call.Output("signed_record", place)
}
