package sigstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Key is a private key that signs.
type Key struct {
	private     crypto.Signer
	details     signature.AlgorithmDetails
	fingerprint string
	hint        []byte
}

// LoadKey reads a private key: cosign's encrypted form, or PKCS#8 with or
// without a password. Keys are ECDSA, RSA or Ed25519.
func LoadKey(pem, password []byte) (*Key, error) {
	parsed, err := cryptoutils.UnmarshalPEMToPrivateKey(pem, func(bool) ([]byte, error) { return password, nil })
	if err != nil {
		return nil, fmt.Errorf("read private key: %w (want cosign's form or PKCS#8; COSIGN_PASSWORD is its password)", err)
	}
	switch private := parsed.(type) {
	case *ecdsa.PrivateKey:
		return newKey(private, false)
	case *rsa.PrivateKey:
		return newKey(private, false)
	case ed25519.PrivateKey:
		return newKey(private, false)
	}
	return nil, fmt.Errorf("read private key: a %T cannot sign here: use ECDSA, RSA or Ed25519", parsed)
}

// newKey chooses the algorithm that verifiers expect of the key. prehash
// selects Ed25519ph, which is what Rekor v2 takes of an Ed25519 key.
func newKey(private crypto.Signer, prehash bool) (*Key, error) {
	var load []signature.LoadOption
	if prehash {
		load = append(load, options.WithED25519ph())
	}
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

// legacy is the key as cosign's legacy form uses it: SHA-256 for any curve,
// Ed25519 without prehash.
func (k *Key) legacy() *Key {
	l := *k
	details := k.details.GetSignatureAlgorithm()
	switch details {
	case protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384:
		details = protocommon.PublicKeyDetails_PKIX_ECDSA_P384_SHA_256 //nolint:staticcheck // what cosign writes
	case protocommon.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512:
		details = protocommon.PublicKeyDetails_PKIX_ECDSA_P521_SHA_256 //nolint:staticcheck // what cosign writes
	case protocommon.PublicKeyDetails_PKIX_ED25519_PH:
		details = protocommon.PublicKeyDetails_PKIX_ED25519
	}
	if algorithm, err := signature.GetAlgorithmDetails(details); err == nil {
		l.details = algorithm
	}
	return &l
}

func digestHex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Fingerprint is the key as policies name it: sha256:HEX of the public key's
// DER form.
func (k *Key) Fingerprint() string { return k.fingerprint }

// PublicKeyPEM is the public key.
func (k *Key) PublicKeyPEM() ([]byte, error) {
	return cryptoutils.MarshalPublicKeyToPEM(k.private.Public())
}

// LoadPublicKey reads a PEM public key and gives its fingerprint.
func LoadPublicKey(pem []byte) (crypto.PublicKey, string, error) {
	public, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
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
	return "sha256:" + hex.EncodeToString(sum[:]), []byte(base64.StdEncoding.EncodeToString(sum[:])), nil
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
	pem, err := k.PublicKeyPEM()
	return string(pem), err
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
