package sigstore

import (
	"strings"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"
)

// A new signature is kept only if verifiers would take it, and it is the signer's own.
func TestNewSignaturesAreTheSigners(t *testing.T) {
	t.Parallel()
	signer, public := keySigner(t)
	other, others := keySigner(t)
	accepts := func(pem []byte) *Verifier {
		v, err := NewVerifier(VerifierOptions{Keys: [][]byte{pem}})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{"sha256":"00"}}],` +
		`"predicate":{}}`)
	bundle, verified, err := signer.Verified(t.Context(), accepts(public), statement, nil)
	if err != nil || !verified.Signer.Same(signer.Identity()) {
		t.Fatalf("got %+v, %v", verified.Signer, err)
	}
	if again, err := accepts(public).Bundle(bundle, nil); err != nil || !again.Signer.Same(signer.Identity()) {
		t.Errorf("the bundle: got %+v, %v", again.Signer, err)
	}
	if _, _, err := signer.Verified(t.Context(), accepts(others), statement, nil); err == nil ||
		!strings.Contains(err.Error(), "the new signature does not verify, so nothing was attached or written") {
		t.Errorf("by a key that the verifier does not take: %v", err)
	}
	if err := other.Own(verified, nil); err == nil || !strings.Contains(err.Error(), "the new signature is by key") {
		t.Errorf("somebody else's: %v", err)
	}
}

func keySigner(t *testing.T) (signer *Signer, public []byte) {
	t.Helper()
	key := freshKey(t)
	public, err := key.PublicKeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = NewSigner(t.Context(), SignerOptions{Key: key}); err != nil {
		t.Fatal(err)
	}
	return signer, public
}

func freshKey(t *testing.T) *Key {
	t.Helper()
	pair, err := cosign.GenerateKeyPair(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := LoadKey(pair.PrivateBytes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
