package sigstore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// publicKey is a key that is accepted, in every way that Sigstore's tools sign
// with such a key.
type publicKey struct {
	public      crypto.PublicKey
	fingerprint string
	hint        string
	verifiers   []signature.Verifier
}

func newPublicKey(pem []byte) (publicKey, error) {
	public, print, err := LoadPublicKey(pem)
	if err != nil {
		return publicKey{}, err
	}
	_, hint, err := fingerprint(public)
	if err != nil {
		return publicKey{}, err
	}
	key, err := certifiedKey(public)
	key.fingerprint, key.hint = print, string(hint)
	return key, err
}

// certifiedKey is a public key without the names that policies and bundles have
// for it.
func certifiedKey(public crypto.PublicKey) (publicKey, error) {
	key := publicKey{public: public}
	standard, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return publicKey{}, fmt.Errorf("read public key: %w", err)
	}
	key.verifiers = append(key.verifiers, standard)
	var other signature.Verifier
	switch k := public.(type) {
	case ed25519.PublicKey: // what is logged in Rekor v2 is prehashed
		other, err = signature.LoadDefaultVerifier(public, options.WithED25519ph())
	case *ecdsa.PublicKey: // cosign signs with SHA-256 whatever the curve
		other, err = signature.LoadECDSAVerifier(k, crypto.SHA256)
	}
	if err != nil {
		return publicKey{}, fmt.Errorf("read public key: %w", err)
	}
	if other != nil {
		key.verifiers = append(key.verifiers, other)
	}
	return key, nil
}

// VerifySignature implements signature.Verifier.
func (k *publicKey) VerifySignature(sig, message io.Reader, opts ...signature.VerifyOption) error {
	sigBytes, err := io.ReadAll(sig)
	if err != nil {
		return err
	}
	messageBytes, err := io.ReadAll(message)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range k.verifiers {
		err := v.VerifySignature(bytes.NewReader(sigBytes), bytes.NewReader(messageBytes), opts...)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errs[0]
}

// verifyEnvelope reports whether sig is a signature of a DSSE envelope's payload.
// It copies nothing where the algorithm hashes: payloads can be large.
// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
func (k *publicKey) verifyEnvelope(sig []byte, payloadType string, payload []byte) error {
	return k.verifyStream(sig, payloadType, len(payload), func() io.Reader { return bytes.NewReader(payload) })
}

// verifyStream is verifyEnvelope of a payload of length bytes that open reads.
func (k *publicKey) verifyStream(sig []byte, payloadType string, length int, open func() io.Reader) error {
	head := fmt.Sprintf("DSSEv1 %d %s %d ", len(payloadType), payloadType, length)
	var first error
	for _, v := range k.verifiers {
		err := v.VerifySignature(bytes.NewReader(sig), io.MultiReader(strings.NewReader(head), open()))
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// PublicKey implements signature.Verifier.
func (k *publicKey) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return k.public, nil
}

// ValidAtTime implements root.TimeConstrainedVerifier: a key is valid for as
// long as it is given.
func (k *publicKey) ValidAtTime(time.Time) bool { return true }

// material is a trusted root with a key beside it.
type material struct {
	root.TrustedMaterial
	key *publicKey
}

func (m material) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	if m.key == nil {
		return nil, errors.New("no public key")
	}
	return m.key, nil
}
