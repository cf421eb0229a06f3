package connect

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// RecordSigner signs records as the inputs say. If nil, it signs nothing.
type RecordSigner struct {
	access   Access
	with     sigstore.SignerOptions
	verifier *sigstore.Verifier
}

// RecordSigner makes sure, before anything is decided or applied, that a record
// can be signed.
func (a Access) RecordSigner(ctx context.Context, in options.Record) (*RecordSigner, error) {
	if in.SignRecord == options.SignRecordNone {
		if in.Key != "" {
			return nil, outcome.Usagef("--key without --sign-record key: nothing would be signed")
		}
		return nil, nil
	}
	if (in.SignRecord == options.SignRecordKey) != (in.Key != "") {
		return nil, outcome.Usagef("--sign-record key and --key FILE belong together")
	}
	key, public, err := a.SigningKey(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	if key == nil && !a.Call.Runner.HasIdentity() {
		return nil, outcome.Usagef("--sign-record keyless: %w", runner.ErrNoIdentity)
	}
	with, err := a.SignerOptions(key)
	if err != nil {
		return nil, err
	}
	if err := sigstore.CheckDisclosure(ctx, with); err != nil {
		return nil, err
	}
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: a.TrustedRoot, Keys: public})
	return &RecordSigner{access: a, with: with, verifier: verifier}, err
}

// Sign signs the record and says where it is; it returns nil if nothing is to be
// signed.
func (s *RecordSigner) Sign(ctx context.Context, r record.Record) (*record.Signed, error) {
	if s == nil {
		return nil, nil
	}
	if r.Plan == "" {
		return nil, outcome.Usagef("the plan was not sealed, so that its record has no place: give seal_to and store to waybill plan")
	}
	ref, path, err := seal.ParseRef(r.Plan)
	if err != nil {
		return nil, err
	}
	signer, err := sigstore.NewSigner(ctx, s.with)
	if err != nil {
		return nil, err
	}
	deps := record.Deps{Signer: signer, Verifier: s.verifier}
	if path == "" {
		deps.Registry = s.access.RegistryClient(ref.Registry())
	}
	return record.Sign(ctx, deps, r)
}
