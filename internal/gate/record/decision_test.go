package record

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

// What is reported as signed was read back: this statement, by an accepted key.
func TestSignReadsBack(t *testing.T) {
	t.Parallel()
	key, public := sigstoretest.NewKey(t, "")
	_, other := sigstoretest.NewKey(t, "")
	signer, err := sigstore.NewSigner(t.Context(), sigstore.SignerOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	deps := func(pem []byte) Deps {
		verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{Keys: [][]byte{pem}})
		if err != nil {
			t.Fatal(err)
		}
		return Deps{Signer: signer, Verifier: verifier}
	}
	sealed := filepath.Join(t.TempDir(), "plan.sealed")
	if err := os.WriteFile(sealed, []byte("sealed"), 0o600); err != nil {
		t.Fatal(err)
	}
	record := Record{
		Type: Apply, Fingerprint: plan.Fingerprint(strings.Repeat("ab", 32)), Plan: sealed, Document: []byte(`{"applied":true}`),
	}
	signed, err := Sign(t.Context(), deps(public), record)
	if err != nil || signed.Place != sealed+".apply.sigstore.json" || signed.By.Key != key.Fingerprint() {
		t.Fatalf("%+v: %v", signed, err)
	}
	kept, err := os.ReadFile(signed.Place)
	if err != nil {
		t.Fatal(err)
	}
	changed := record
	changed.Document = []byte(`{"applied":false}`)
	if _, err := Sign(t.Context(), deps(other), changed); err == nil ||
		!strings.Contains(err.Error(), "the new signature does not verify") {
		t.Errorf("another key: %v", err)
	}
	if now, err := os.ReadFile(signed.Place); err != nil || !bytes.Equal(now, kept) {
		t.Errorf("what does not verify took the place of the record: %v", err)
	}
	if _, err := deps(other).readBack(t.Context(), imageref.Ref{}, signed.Place, nil); err == nil ||
		!strings.Contains(err.Error(), "gives back does not verify") {
		t.Errorf("read back by another key: %v", err)
	}
	if _, err := deps(public).readBack(t.Context(), imageref.Ref{}, signed.Place, []byte("another statement")); err == nil ||
		!strings.Contains(err.Error(), "does not give it back") {
		t.Errorf("another statement: %v", err)
	}
	record.Plan = sealed + ".none"
	if _, err := Sign(t.Context(), deps(public), record); err == nil || !strings.Contains(err.Error(), "read the sealed plan") {
		t.Errorf("without a plan: %v", err)
	}
}
