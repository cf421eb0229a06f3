// Package evidence holds what is known of a digest and what follows from it:
// records, policy, decision, and the waybill that carries them.
//
// Everything in an Evidence has been verified: a record whose signature did
// not verify is not a record but a Problem. A Decision is a value, computed
// from Evidence and Policy without looking anything up, so the same inputs
// always give the same answer. The package reads no registry and no clock.
package evidence

import (
	"encoding/json"
	"time"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Kind of record.
type Kind string

// The kinds of record that a policy can require.
const (
	Signature  Kind = "signature"
	Provenance Kind = "provenance"
	SBOM       Kind = "sbom"
	Scan       Kind = "scan"
)

// Kinds lists them in the order they are shown.
func Kinds() []Kind { return []Kind{Signature, Provenance, SBOM, Scan} }

// Predicate types of the in-toto statements.
const (
	PredicateSignature  = "https://sigstore.dev/cosign/sign/v1" // cosign's, for a signature kept as a bundle
	PredicateProvenance = "https://slsa.dev/provenance/v1"
	PredicateCycloneDX  = "https://cyclonedx.org/bom"
	PredicateSPDX       = "https://spdx.dev/Document"
	PredicateScan       = "https://cosign.sigstore.dev/attestation/vuln/v1"
)

// Signer is who signed a record, as the certificate or key proves it. The
// fields after Identity are Fulcio's extensions for GitHub Actions:
// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
type Signer struct {
	Issuer   string `json:"issuer,omitempty"`   // OIDC issuer URL; empty for a key
	Identity string `json:"identity,omitempty"` // certificate subject: https://github.com/OWNER/NAME/.github/workflows/FILE@REF
	Key      string `json:"key,omitempty"`      // sha256:HEX of the public key's DER form; empty for a certificate

	SourceRepository string `json:"sourceRepository,omitempty"` // https://github.com/OWNER/NAME
	SourceCommit     string `json:"sourceCommit,omitempty"`     // 40 hexadecimal digits
	SourceRef        string `json:"sourceRef,omitempty"`        // refs/heads/main
	RunURL           string `json:"runURL,omitempty"`           // …/actions/runs/ID/attempts/N
	Trigger          string `json:"trigger,omitempty"`          // push, workflow_dispatch, …
	Runner           string `json:"runner,omitempty"`           // github-hosted or self-hosted
}

// Record is one verified statement about the image.
type Record struct {
	Kind          Kind            `json:"kind"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"-"`
	Signer        Signer          `json:"signer"`
	SignedAt      time.Time       `json:"signedAt,omitzero"`  // from the log or the timestamp authority; zero when neither vouches
	LogIndex      *int64          `json:"logIndex,omitempty"` // in the transparency log; nil without one
	Format        string          `json:"format"`             // bundle or legacy
	Subjects      []string        `json:"subjects"`           // digests the statement names, sha256:HEX
}

// Evidence is what the registry holds for one digest, verified.
type Evidence struct {
	Image     imageref.Ref      `json:"image"`
	Platforms map[string]string `json:"platforms"` // platform → manifest digest; empty for a single manifest without platform
	Records   []Record          `json:"records"`
	// Manifests are the digests of everything in the image that somebody could
	// run, with a platform or without; a single manifest is its own.
	Manifests []string `json:"manifests,omitempty"`
	// Unread says what was left out because there was too much beside the image;
	// empty if everything was read.
	Unread string `json:"unread,omitempty"`
	// Problems say what was found and not accepted, such as a signature by
	// somebody the policy does not know. They never allow anything.
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is something found beside an image that is not a valid record.
type Problem struct {
	Kind   Kind   `json:"kind,omitempty"`
	Detail string `json:"detail"`
}

// Of gives the records of one kind, newest first.
func (e Evidence) Of(kind Kind) []Record {
	var records []Record
	for _, r := range e.Records {
		if r.Kind == kind {
			records = append(records, r)
		}
	}
	return records
}

// Statement is an in-toto v1 statement.
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
type Statement struct {
	Type          string          `json:"_type"`
	Subject       []Subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// StatementType is the type of an in-toto v1 statement.
const StatementType = "https://in-toto.io/Statement/v1"

// Subject is what a statement is about.
type Subject struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"` // sha256 → HEX
}

// Name is the signer for people: the certificate's identity, or the key.
func (s Signer) Name() string {
	switch {
	case s.Identity != "":
		return s.Identity
	case s.Key != "":
		return "key " + s.Key
	}
	return "nobody"
}

// Same reports whether both are the same identity or key signing for the same
// source, whatever the run.
func (s Signer) Same(other Signer) bool {
	return s.Issuer == other.Issuer && s.Identity == other.Identity && s.Key == other.Key &&
		s.SourceRepository == other.SourceRepository && s.SourceCommit == other.SourceCommit
}
