package sigstore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Somebody who certifies themselves, under a name that the policy trusts, and
// signs well, is told by the certificate alone: a large payload is not copied.
func TestLargePayloadOfASelfMadeCertificate(t *testing.T) {
	t.Parallel()
	v, err := NewVerifier(VerifierOptions{TrustedRoot: filepath.Join("testdata", "public", "trusted-root.json")})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := url.Parse("https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main")
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{identity},
		ExtraExtensions: []pkix.Extension{{
			Id: []int{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte("https://token.actions.githubusercontent.com"),
		}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	payload := append([]byte(`{"x":"`), append(bytes.Repeat([]byte("x"), largePayload), `"}`...)...)
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(PayloadType), PayloadType, len(payload), payload))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	bundle := func(sig []byte) []byte {
		return fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"certificate":{"rawBytes":%q},"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"AAAA"}]}},
"dsseEnvelope":{"payload":%q,"payloadType":%q,"signatures":[{"sig":%q}]}}`, MediaTypeBundle, encode(der), encode(payload), PayloadType, encode(sig))
	}
	_, err = v.Bundle(bundle(sig), nil)
	if !IsUntrusted(err) || !strings.Contains(err.Error(), "no authority of the trusted root made the certificate") {
		t.Errorf("got %v", err)
	}
	sig[len(sig)-1]++
	if _, err = v.Bundle(bundle(sig), nil); !IsUntrusted(err) || !strings.Contains(err.Error(), "the signature is wrong") {
		t.Errorf("another signature: got %v", err)
	}
}
