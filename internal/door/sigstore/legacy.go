package sigstore

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"

	cbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// ErrLegacyNeedsRekor1 is reported where a keyless legacy signature would have
// no log entry that fits its annotations.
var ErrLegacyNeedsRekor1 = errors.New("cosign's legacy tags cannot hold an entry of Rekor v2: use --format bundle, or --key, or a " +
	"signing config with Rekor v1 or without a log")

// annotationPredicateType is what cosign writes beside a legacy attestation.
const annotationPredicateType = "predicateType"

// LegacySignature signs a simple-signing document.
func (s *Signer) LegacySignature(ctx context.Context, payload []byte) (Legacy, error) {
	if err := s.LegacyPossible(); err != nil {
		return Legacy{}, err
	}
	b, err := s.legacy().bundle(ctx, &sign.PlainData{Data: payload})
	if err != nil {
		return Legacy{}, err
	}
	layer, err := static.NewSignature(
		payload, base64.StdEncoding.EncodeToString(b.GetMessageSignature().GetSignature()), legacyOptions(b, s.keyAnnotations())...,
	)
	if err != nil {
		return Legacy{}, fmt.Errorf("write the signature: %w", err)
	}
	return Legacy{layer}, nil
}

// LegacyAttestation signs a statement with a predicate of this type.
func (s *Signer) LegacyAttestation(ctx context.Context, statement []byte, predicateType string) (Legacy, error) {
	if err := s.LegacyPossible(); err != nil {
		return Legacy{}, err
	}
	unstamped := s.legacy()
	unstamped.timestamps = nil
	b, err := unstamped.bundle(ctx, &sign.DSSEData{Data: statement, PayloadType: PayloadType})
	if err != nil {
		return Legacy{}, err
	}
	// A log entry holds the digest of the envelope, which cosign compares: so
	// these have to be the bytes that sigstore-go sends to the log.
	envelope, err := json.Marshal(b.GetDsseEnvelope())
	if err != nil {
		return Legacy{}, fmt.Errorf("write the envelope: %w", err)
	}
	var stamp []byte
	for _, authority := range s.timestamps { // cosign stamps the envelope, not the signature in it
		if stamp, err = authority.stamp(ctx, envelope); err != nil {
			return Legacy{}, err
		}
	}
	annotations := map[string]string{annotationPredicateType: predicateType}
	maps.Copy(annotations, s.keyAnnotations())
	options := append(legacyOptions(b, annotations), static.WithLayerMediaType(ctypes.DssePayloadType))
	if stamp != nil {
		options = append(options, static.WithRFC3161Timestamp(cbundle.TimestampToRFC3161Timestamp(stamp)))
	}
	layer, err := static.NewAttestation(envelope, options...)
	if err != nil {
		return Legacy{}, fmt.Errorf("write the attestation: %w", err)
	}
	return Legacy{layer}, nil
}

// LegacyPossible reports whether what this signer signs fits cosign's legacy tags.
func (s *Signer) LegacyPossible() error {
	if s.certificate != nil && s.logVersion >= 2 {
		return ErrLegacyNeedsRekor1
	}
	return nil
}

// legacy is the signer as cosign's legacy form wants it: SHA-256 whatever the
// key, Ed25519 without prehash, and no entry of Rekor v2, which has no place
// in the annotations.
func (s *Signer) legacy() *Signer {
	l := *s
	if s.logVersion >= 2 {
		l.logs = nil
	}
	l.key = s.legacyKey
	return &l
}

// legacyOptions are what a bundle holds beside the signature, for cosign to
// write as annotations.
func legacyOptions(b *protobundle.Bundle, annotations map[string]string) []static.Option {
	var options []static.Option
	if annotations != nil { // cosign adds to the map
		options = append(options, static.WithAnnotations(annotations))
	}
	material := b.GetVerificationMaterial()
	if der := material.GetCertificate().GetRawBytes(); der != nil {
		options = append(options, static.WithCertChain(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil))
	}
	for _, entry := range material.GetTlogEntries() {
		options = append(options, static.WithBundle(&cbundle.RekorBundle{
			SignedEntryTimestamp: entry.GetInclusionPromise().GetSignedEntryTimestamp(),
			Payload: cbundle.RekorPayload{
				Body: base64.StdEncoding.EncodeToString(entry.GetCanonicalizedBody()), IntegratedTime: entry.GetIntegratedTime(),
				LogIndex: entry.GetLogIndex(), LogID: hex.EncodeToString(entry.GetLogId().GetKeyId()),
			},
		}))
	}
	for _, stamp := range material.GetTimestampVerificationData().GetRfc3161Timestamps() {
		options = append(options, static.WithRFC3161Timestamp(cbundle.TimestampToRFC3161Timestamp(stamp.GetSignedTimestamp())))
	}
	return options
}
