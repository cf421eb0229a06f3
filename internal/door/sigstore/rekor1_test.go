package sigstore

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
	rekor "github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// rekor1 is a Rekor v1 as far as signers see it: Rekor's own types read and
// complete the entry, and the virtual instance's key promises it.
type rekor1 struct{ instance *ca.VirtualSigstore }

func (r rekor1) CreateLogEntry(p *entries.CreateLogEntryParams, _ ...entries.ClientOption) (*entries.CreateLogEntryCreated, error) {
	entry, err := rekor.CreateVersionedEntry(p.ProposedEntry)
	if err != nil {
		return nil, err
	}
	body, err := rekor.CanonicalizeEntry(p.Context, entry)
	if err != nil {
		return nil, err
	}
	id, err := r.instance.RekorLogID()
	if err != nil {
		return nil, err
	}
	index, at, text := int64(7), time.Now().Unix(), base64.StdEncoding.EncodeToString(body)
	promise, err := r.instance.RekorSignPayload(tlog.RekorPayload{Body: text, IntegratedTime: at, LogIndex: index, LogID: id})
	if err != nil {
		return nil, err
	}
	root, size, checkpoint := strings.Repeat("0", 64), int64(8), "a checkpoint, which nobody reads here"
	return &entries.CreateLogEntryCreated{ETag: "a", Payload: models.LogEntry{"a": models.LogEntryAnon{
		Body: text, IntegratedTime: &at, LogIndex: &index, LogID: &id,
		Verification: &models.LogEntryAnonVerification{
			SignedEntryTimestamp: promise,
			InclusionProof:       &models.InclusionProof{RootHash: &root, TreeSize: &size, LogIndex: &index, Checkpoint: &checkpoint},
		},
	}}}, nil
}

func (rekor1) GetLogEntryByUUID(*entries.GetLogEntryByUUIDParams, ...entries.ClientOption) (*entries.GetLogEntryByUUIDOK, error) {
	return nil, errors.New("nothing is logged twice here")
}

// cosign compares an entry with the bytes of the layer: what is written has to
// be what was logged.
func TestLegacyIsWhatRekor1Logged(t *testing.T) {
	t.Parallel()
	instance, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	key := freshKey(t)
	signer, err := NewSigner(t.Context(), SignerOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	signer.logs, signer.logVersion = []log{{version: 1, client: rekor1{instance}}}, 1
	v := new(Verifier)
	v.trust(instance)

	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{"sha256":"00"}}],"predicate":{}}`)
	attestation, err := signer.LegacyAttestation(t.Context(), statement, "x")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.LegacySignature(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for tag, l := range map[LegacyTag]Legacy{LegacyAttestations: attestation, LegacySignatures: signature} {
		got, err := v.Legacy(t.Context(), tag, l)
		if err != nil || got.Signer.Key != key.Fingerprint() || got.LogIndex == nil || *got.LogIndex != 7 || got.SignedAt.IsZero() {
			t.Errorf("%s: got %+v, %v, want it logged", tag, got, err)
		}
		if tag == LegacyAttestations && !bytes.Equal(got.Payload, statement) {
			t.Errorf("got %s, want the statement", got.Payload)
		}
	}
}
