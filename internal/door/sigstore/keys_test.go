package sigstore

import (
	"strings"
	"testing"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Keys as cosign generates them, of each algorithm; a log of Rekor v2 takes an
// Ed25519 key with a digest, everybody else without.
func TestLoadCosignsKeys(t *testing.T) {
	t.Parallel()
	for generated, logged := range map[protocommon.PublicKeyDetails]protocommon.PublicKeyDetails{
		protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256:       protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384:       protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
		protocommon.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256: protocommon.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256,
		protocommon.PublicKeyDetails_PKIX_ED25519:                  protocommon.PublicKeyDetails_PKIX_ED25519_PH,
	} {
		t.Run(generated.String(), func(t *testing.T) {
			t.Parallel()
			algorithm, err := signature.GetAlgorithmDetails(generated)
			if err != nil {
				t.Fatal(err)
			}
			pair, err := cosign.GenerateKeyPairWithAlgorithm(&algorithm, func(bool) ([]byte, error) { return []byte("secret"), nil })
			if err != nil {
				t.Fatal(err)
			}
			key, err := LoadKey(pair.PrivateBytes, []byte("secret"))
			if err != nil {
				t.Fatal(err)
			}
			_, fingerprint, err := LoadPublicKey(pair.PublicBytes)
			if err != nil || key.Fingerprint() != fingerprint {
				t.Errorf("got the key %s, %v, want %s", key.Fingerprint(), err, fingerprint)
			}
			if got := key.GetSigningAlgorithm(); got != generated {
				t.Errorf("signs by %s", got)
			}
			forLog, err := key.forLog(2)
			if err != nil || forLog.GetSigningAlgorithm() != logged {
				t.Fatalf("signs for Rekor v2 by %v, %v, want %s", forLog, err, logged)
			}
			verifier, err := newPublicKey(pair.PublicBytes)
			if err != nil {
				t.Fatal(err)
			}
			for name, k := range map[string]*Key{"": key, "for the log": forLog, "legacy": key.legacy()} {
				sig, _, err := k.SignData(t.Context(), []byte("data"))
				if err != nil {
					t.Fatal(err)
				}
				if err := verifier.VerifySignature(strings.NewReader(string(sig)), strings.NewReader("data")); err != nil {
					t.Errorf("the signature %s does not hold: %v", name, err)
				}
			}
			for name, data := range map[string][]byte{
				"with a wrong password": pair.PrivateBytes, "of no PEM": []byte("words"), "that is public": pair.PublicBytes,
			} {
				if _, err := LoadKey(data, []byte("wrong")); err == nil ||
					!strings.Contains(err.Error(), "COSIGN_PASSWORD is its password") {
					t.Errorf("a key %s: got %v", name, err)
				}
			}
		})
	}
}
