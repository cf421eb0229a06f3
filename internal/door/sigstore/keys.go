package sigstore

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Key is a private key that signs.
type Key struct {
	private     crypto.Signer
	prehashing  func() (*Key, error) // nil, except for a given Ed25519 key
	details     signature.AlgorithmDetails
	fingerprint string
	hint        []byte
}

// LoadKey reads a private key: cosign's encrypted form, or PKCS#8 with or
// without a password. Keys are ECDSA, RSA or Ed25519.
func LoadKey(data, password []byte) (*Key, error) {
	private, err := loadPrivate(data, password)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w (want cosign's form or PKCS#8; COSIGN_PASSWORD is its password)", err)
	}
	key, err := newKey(private)
	if err != nil {
		return nil, err
	}
	if key.details.GetKeyType() == signature.ED25519 {
		key.prehashing = func() (*Key, error) {
			private, err := loadPrivate(data, password, options.WithED25519ph())
			if err != nil {
				return nil, fmt.Errorf("read private key: %w", err)
			}
			return newKey(private, options.WithED25519ph())
		}
	}
	return key, nil
}

// loadPrivate reads cosign's form by cosign, and PKCS#8, for which cosign has
// but an import into its own form, by the same library as cosign.
func loadPrivate(data, password []byte, load ...signature.LoadOption) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it is no PEM")
	}
	var loaded signature.SignerVerifier
	var err error
	if block.Type == cosign.CosignPrivateKeyPemType || block.Type == cosign.SigstorePrivateKeyPemType {
		loaded, err = cosign.LoadPrivateKey(data, password, &load)
	} else {
		var parsed crypto.PrivateKey
		if parsed, err = cryptoutils.UnmarshalPEMToPrivateKey(data, func(bool) ([]byte, error) { return password, nil }); err == nil {
			loaded, err = signature.LoadDefaultSignerVerifier(parsed, load...)
		}
	}
	if err != nil {
		return nil, err
	}
	private, ok := loaded.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign here: use ECDSA, RSA or Ed25519", loaded)
	}
	return private, nil
}

// newKey chooses the algorithm that verifiers expect of the key.
func newKey(private crypto.Signer, load ...signature.LoadOption) (*Key, error) {
	details, err := signature.GetDefaultAlgorithmDetails(private.Public(), load...)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	fingerprint, hint, err := fingerprint(private.Public())
	if err != nil {
		return nil, err
	}
	return &Key{private: private, details: details, fingerprint: fingerprint, hint: hint}, nil
}

// forLog is the key as a log of this version takes it: Rekor v2 wants an
// Ed25519 key to sign digests.
func (k *Key) forLog(version uint32) (*Key, error) {
	if version < 2 || k.prehashing == nil {
		return k, nil
	}
	return k.prehashing()
}

// legacy is the key as cosign's legacy form uses it: SHA-256 for any curve.
func (k *Key) legacy() *Key {
	l := *k
	details := k.details.GetSignatureAlgorithm()
	switch details {
	case protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384:
		details = protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_256 //nolint:staticcheck // what cosign writes
	case protocommon.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512:
		details = protocommon.PublicKeyDetails_PKIX_ECDSA_P521_SHA_256 //nolint:staticcheck // what cosign writes
	}
	if algorithm, err := signature.GetAlgorithmDetails(details); err == nil {
		l.details = algorithm
	}
	return &l
}

// Fingerprint is the key as policies name it: sha256:HEX of the public key's
// DER form.
func (k *Key) Fingerprint() string { return k.fingerprint }

// PublicKeyPEM is the public key.
func (k *Key) PublicKeyPEM() ([]byte, error) {
	return cryptoutils.MarshalPublicKeyToPEM(k.private.Public())
}

// LoadPublicKey reads a PEM public key and gives its fingerprint.
func LoadPublicKey(data []byte) (crypto.PublicKey, string, error) {
	public, err := cryptoutils.UnmarshalPEMToPublicKey(data)
	if err != nil {
		return nil, "", fmt.Errorf("read public key: %w", err)
	}
	print, _, err := fingerprint(public)
	return public, print, err
}

// fingerprint also gives the hint that cosign writes into a bundle.
func fingerprint(public crypto.PublicKey) (print string, hint []byte, err error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", nil, fmt.Errorf("read public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return imageref.DigestOf(der), []byte(base64.StdEncoding.EncodeToString(sum[:])), nil
}

// The methods below make a Key the keypair of sigstore-go.

// GetHashAlgorithm implements sign.Keypair.
func (k *Key) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }

// GetSigningAlgorithm implements sign.Keypair.
func (k *Key) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}

// GetHint implements sign.Keypair.
func (k *Key) GetHint() []byte { return k.hint }

// GetKeyAlgorithm implements sign.Keypair.
func (k *Key) GetKeyAlgorithm() string {
	switch k.details.GetKeyType() {
	case signature.ECDSA:
		return "ECDSA"
	case signature.RSA:
		return "RSA"
	case signature.ED25519:
		return "ED25519"
	}
	return ""
}

// GetPublicKey implements sign.Keypair.
func (k *Key) GetPublicKey() crypto.PublicKey { return k.private.Public() }

// GetPublicKeyPem implements sign.Keypair.
func (k *Key) GetPublicKeyPem() (string, error) {
	public, err := k.PublicKeyPEM()
	return string(public), err
}

// SignData implements sign.Keypair: it returns the signature, and the digest
// or data that was signed.
func (k *Key) SignData(_ context.Context, data []byte) (sig, signed []byte, err error) {
	hash := k.details.GetHashType()
	signed = data
	if hash != crypto.Hash(0) {
		if !hash.Available() {
			return nil, nil, errors.New("the hash function of the key is not built in")
		}
		h := hash.New()
		h.Write(data)
		signed = h.Sum(nil)
	}
	sig, err = k.private.Sign(rand.Reader, signed, hash)
	if err != nil {
		return nil, nil, fmt.Errorf("sign: %w", err)
	}
	return sig, signed, nil
}
