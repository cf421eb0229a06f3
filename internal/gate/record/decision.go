// Package record signs the record of a terraform gate's decision, and keeps
// it beside the sealed plan that it is about.
//
// A record is the predicate of an in-toto statement; its subjects are the
// plan's fingerprint, which is a SHA-256, and the sealed plan, so that the
// public cosign verifies it beside the plan in the registry, or with the file.
// What is reported as signed was read back and verified.
//
// The package decides nothing and reads no approvals.
package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/sys/atomicwriter"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// Predicate types of the records.
const (
	Gate  = "https://waybill.dev/terraform-gate/v1"
	Apply = "https://waybill.dev/terraform-apply/v1"
)

// Record is what is signed.
type Record struct {
	Type        string // Gate or Apply
	Fingerprint plan.Fingerprint
	Plan        string // the sealed plan, as the plan command gave it
	Document    []byte // JSON
}

// maxOutput keeps a job's outputs below what GitHub takes for all of them, 1 MB.
const maxOutput = 256 << 10

// Output is a document as a job's output, which GitHub bounds.
func Output(document []byte) string {
	if len(document) > maxOutput {
		return `{"omitted":"too large for an output"}`
	}
	return string(document)
}

// maxDetails is the most of a record that a comment shows.
const maxDetails = 20_000

// Details is a record as a collapsed part of a comment.
func Details(document []byte) string {
	text := string(document)
	if len(text) > maxDetails {
		text = "too large for a comment: it is an output of the job"
	}
	return "\n<details><summary>Record</summary>\n\n" + markdown.Fence("json", text) + "\n</details>\n"
}

// Signed is where a signed record is, and by whom it was signed.
type Signed struct {
	Place string          `json:"place"`
	By    evidence.Signer `json:"by"`
}

// Deps are what signing works with.
type Deps struct {
	Signer   *sigstore.Signer
	Verifier *sigstore.Verifier
	// Registry is the client for the sealed plan's; nil where it is a file.
	Registry *registry.Client
}

// Sign signs the record, keeps it and reads it back. It says where it is.
func Sign(ctx context.Context, d Deps, r Record) (*Signed, error) {
	ref, path, err := seal.ParseRef(r.Plan)
	if err != nil {
		return nil, err
	}
	statement, err := r.statement(ref, path)
	if err != nil {
		return nil, err
	}
	var annotations map[string]string // a file has none beside it
	if path == "" {
		annotations = d.Signer.Annotations(r.Type)
	}
	bundle, _, err := d.Signer.Verified(ctx, d.Verifier, statement, annotations)
	if err != nil {
		return nil, fmt.Errorf("sign the record: %w", err)
	}
	signed := &Signed{Place: r.Plan}
	if path != "" {
		signed.Place, err = r.keepFile(path, bundle)
	} else {
		err = sigstore.Attach(ctx, d.Registry, []imageref.Ref{ref},
			[]registry.Attachment{{MediaType: sigstore.MediaTypeBundle, Data: bundle, Annotations: annotations}})
	}
	if err != nil {
		return nil, fmt.Errorf("keep the signed record: %w", err)
	}
	if signed.By, err = d.readBack(ctx, ref, signed.Place, statement); err != nil {
		return nil, err
	}
	return signed, nil
}

func (r Record) statement(ref imageref.Ref, path string) ([]byte, error) {
	s := evidence.Statement{
		Type: evidence.StatementType, PredicateType: r.Type, Predicate: r.Document,
		Subject: []evidence.Subject{{Name: "terraform plan", Digest: map[string]string{"sha256": string(r.Fingerprint)}}},
	}
	sealed := evidence.Subject{Name: filepath.Base(path)}
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the sealed plan: %w", err)
		}
		sum := sha256.Sum256(data)
		sealed.Digest = map[string]string{"sha256": hex.EncodeToString(sum[:])}
	} else {
		sealed = evidence.Subject{Name: ref.Repository(), Digest: map[string]string{"sha256": ref.Hex()}}
	}
	s.Subject = append(s.Subject, sealed)
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	return data, nil
}

// keepFile writes the bundle beside the plan. A later decision about the same
// plan takes the place of an earlier one.
func (r Record) keepFile(path string, bundle []byte) (string, error) {
	kind := map[string]string{Gate: "gate", Apply: "apply"}[r.Type]
	place := path + "." + kind + ".sigstore.json"
	return place, atomicwriter.WriteFile(place, bundle, 0o644)
}

// readBack finds the statement where it was kept, and verifies it.
func (d Deps) readBack(ctx context.Context, ref imageref.Ref, place string, statement []byte) (evidence.Signer, error) {
	var kept []registry.Attachment
	if ref.IsZero() {
		data, err := os.ReadFile(place)
		if err != nil {
			return evidence.Signer{}, fmt.Errorf("read back the signed record: %w", err)
		}
		kept = []registry.Attachment{{Data: data}}
	} else {
		var err error
		if kept, err = d.Registry.Attached(ctx, ref, sigstore.MediaTypeBundlePrefix); err != nil {
			return evidence.Signer{}, fmt.Errorf("read back the signed record: %w", err)
		}
	}
	var last error
	for _, k := range kept {
		verified, err := d.Verifier.Bundle(k.Data, k.Annotations)
		switch {
		case err == nil && bytes.Equal(verified.Payload, statement):
			return verified.Signer, nil
		case err != nil:
			last = err
		}
	}
	if last == nil {
		return evidence.Signer{}, fmt.Errorf("the record was signed, but %s does not give it back", place)
	}
	return evidence.Signer{}, fmt.Errorf(
		"the record was signed, but what %s gives back does not verify: %w (is the trusted root that of the signing config?)",
		place, last,
	)
}
