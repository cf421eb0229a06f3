package sigstore

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// VerifierOptions say whom to believe.
type VerifierOptions struct {
	// TrustedRoot is the document, or its file, with the authorities and logs that are
	// trusted. It may hold several, one after another.
	// Empty means the public Sigstore instance's, fetched by TUF when the first
	// certificate is to be verified, and never for keys alone.
	TrustedRoot string
	// Keys are PEM public keys whose signatures are accepted.
	Keys [][]byte
	// Trusts reports whether a signer can count for anything, and if not, why. What
	// a certificate names is looked at before anything is verified, so that
	// somebody who may push beside an image cannot make the trusted root needed, or
	// keep the verifier busy, with a certificate that no policy knows. If nil,
	// every certificate is verified.
	Trusts func(evidence.Signer) (bool, string)
	// TUFCache is where the public instance's metadata is kept; empty is
	// sigstore-go's default below the home directory.
	TUFCache string
}

// Verifier verifies signatures. It is safe for concurrent use, and meant to be
// made once for many images.
type Verifier struct {
	keys     []publicKey
	root     func() (root.TrustedMaterial, error)
	fileRoot root.TrustedMaterial   // nil without a file
	others   []root.TrustedMaterial // that the file holds after the first
	trusts   func(evidence.Signer) (bool, string)
}

// NewVerifier reads the trusted root and the keys.
func NewVerifier(o VerifierOptions) (*Verifier, error) {
	v := &Verifier{trusts: o.Trusts}
	for _, pem := range o.Keys {
		key, err := newPublicKey(pem)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, key)
	}
	if o.TrustedRoot == "" {
		v.root = sync.OnceValues(func() (root.TrustedMaterial, error) { return publicTrustedRoot(o.TUFCache) })
		return v, nil
	}
	data, name, err := document(o.TrustedRoot)
	if err != nil {
		return nil, fmt.Errorf("read trusted root: %w", err)
	}
	roots, err := trustedRoots(data)
	if err != nil {
		return nil, fmt.Errorf("read trusted root %s: %w", name, err)
	}
	v.trust(roots[0])
	v.others = roots[1:]
	return v, nil
}

// Ready reports, by its error, what keeps the trusted root away: the public one is
// fetched when it is first needed.
func (v *Verifier) Ready() error {
	_, err := v.root()
	return err
}

// maxRoots bounds how many trusted roots one document may hold.
const maxRoots = 10

// trustedRoots reads one trusted root or several, one after another, as
// `gh attestation trusted-root` writes those of the public Sigstore and of GitHub's.
func trustedRoots(data []byte) ([]root.TrustedMaterial, error) {
	var roots []root.TrustedMaterial
	for decoder := json.NewDecoder(bytes.NewReader(data)); ; {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) && len(roots) > 0 {
			return roots, nil
		} else if err != nil {
			return nil, err
		}
		if len(roots) == maxRoots {
			return nil, fmt.Errorf("it holds more than %d trusted roots", maxRoots)
		}
		trusted, err := root.NewTrustedRootFromJSON(document)
		if err != nil {
			return nil, err
		}
		roots = append(roots, trusted)
	}
}

func (v *Verifier) trust(trusted root.TrustedMaterial) {
	v.fileRoot = trusted
	v.root = func() (root.TrustedMaterial, error) { return trusted, nil }
}

// byEachRoot verifies by one trusted root after the other, and by each alone: a
// certificate of one and a log of another prove nothing together.
func (v *Verifier) byEachRoot(verify func(root.TrustedMaterial) (Verified, error)) (Verified, error) {
	first, err := v.root()
	if err != nil {
		return Verified{}, err
	}
	verified, err := verify(first)
	for _, other := range v.others {
		if !IsUntrusted(err) {
			break
		}
		again, otherErr := verify(other)
		if otherErr == nil {
			return again, nil
		}
		err = untrusted("%w; by another trusted root: %w", err, otherErr)
	}
	return verified, err
}

// Bundle verifies a bundle whose content is a DSSE envelope. Annotations are
// those it is stored with; they may be nil.
func (v *Verifier) Bundle(data []byte, annotations map[string]string) (Verified, error) {
	return v.BundleInPlace(bytes.Clone(data), annotations)
}

// BundleInPlace is Bundle that writes over data: the payload that is returned
// lies in its space.
//
// The cheap questions come first: who could have signed, and whether the
// signature fits at all. A bundle that is not evidence costs one hash.
func (v *Verifier) BundleInPlace(data []byte, annotations map[string]string) (Verified, error) {
	b, err := parseBundle(data)
	if err != nil {
		return Verified{}, untrusted("not a Sigstore bundle: %w", err)
	}
	content, err := b.VerificationContent()
	if err != nil {
		return Verified{}, untrusted("the bundle says not who signed: %w", err)
	}
	sig, payload, err := envelopePayload(b)
	if err != nil {
		return Verified{}, err
	}
	if leaf := content.Certificate(); leaf != nil {
		if err := v.couldCount(leaf, func(key publicKey) error { return key.verifyEnvelope(sig, PayloadType, payload) }); err != nil {
			return Verified{}, err
		}
		return v.byEachRoot(func(trusted root.TrustedMaterial) (Verified, error) { return byCertificate(b, leaf, payload, trusted) })
	}
	hint := ""
	if key := content.PublicKey(); key != nil {
		hint = key.Hint()
	}
	fitting := slices.DeleteFunc(slices.Clone(v.candidates(annotations, hint)), func(k publicKey) bool {
		err = k.verifyEnvelope(sig, PayloadType, payload)
		return err != nil
	})
	if len(fitting) == 0 {
		return Verified{}, noKey(err)
	}
	return v.byKey(b, fitting[0], payload), nil
}

// couldCount refuses what cannot count before it costs anything: the signer
// that the certificate names is one that no policy trusts, or the signature is
// not by the certificate's key. Nothing is proven by it.
func (v *Verifier) couldCount(leaf *x509.Certificate, signed func(publicKey) error) error {
	signer, err := certificateSigner(leaf)
	if err != nil {
		return untrusted("read the signer's certificate: %w", err)
	}
	if v.trusts != nil {
		if ok, why := v.trusts(signer); !ok {
			return untrusted("one that names %.200s as its signer does not count: %s", signer.Name(), why)
		}
	}
	key, err := certifiedKey(leaf.PublicKey)
	if err == nil {
		err = signed(key)
	}
	if err != nil {
		return untrusted("signature with the certificate of %.200s: the signature is wrong: %w", signer.Name(), err)
	}
	return nil
}

func envelopePayload(b *bundle.Bundle) (sig, payload []byte, err error) {
	envelope := b.GetDsseEnvelope()
	if envelope == nil {
		return nil, nil, untrusted("the bundle holds no statement")
	}
	if envelope.GetPayloadType() != PayloadType {
		return nil, nil, untrusted("the bundle holds %.100q, not an in-toto statement", envelope.GetPayloadType())
	}
	if n := len(envelope.GetSignatures()); n != 1 {
		return nil, nil, untrusted("the bundle has %d signatures, not one", n)
	}
	return envelope.GetSignatures()[0].GetSig(), envelope.GetPayload(), nil
}

func byCertificate(b *bundle.Bundle, leaf *x509.Certificate, payload []byte, trusted root.TrustedMaterial) (Verified, error) {
	if err := certifiedByTrusted(leaf, trusted, len(payload)); err != nil {
		return Verified{}, err
	}
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	if len(trusted.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	result, err := check(b, material{TrustedMaterial: trusted}, options)
	if err != nil {
		return Verified{}, untrusted("signature with the certificate of %s: %w", certificateName(leaf), err)
	}
	signer, err := certificateSigner(leaf)
	if err != nil {
		return Verified{}, untrusted("read the signer's certificate: %w", err)
	}
	return Verified{Payload: payload, Signer: signer, SignedAt: earliest(result.VerifiedTimestamps), LogIndex: logIndex(b, trusted)}, nil
}

// largePayload is from where a payload is not given to a library that holds it
// several times over before it is known to be by somebody certified.
const largePayload = 4 << 20

// certifiedByTrusted refuses a large payload whose certificate somebody made for
// themselves. It proves nothing: at what time the certificate has to be valid is
// asked after.
func certifiedByTrusted(leaf *x509.Certificate, trusted root.TrustedMaterial, payload int) error {
	if payload < largePayload {
		return nil
	}
	if _, err := verify.VerifyLeafCertificate(leaf.NotBefore, leaf, trusted); err != nil {
		return untrusted(
			"signature with the certificate of %.200s: no authority of the trusted root made the certificate: %w",
			certificateName(leaf), err,
		)
	}
	return nil
}

// byKey is what a signature that fits a key proves. A key is believed without
// log and timestamp: their word is added where a file names whom to believe.
func (v *Verifier) byKey(b *bundle.Bundle, key publicKey, payload []byte) Verified {
	verified := Verified{Payload: payload, Signer: evidence.Signer{Key: key.fingerprint}}
	if v.fileRoot != nil && witnessed(b) {
		v.witness(b, key, &verified)
	}
	return verified
}

func witnessed(b *bundle.Bundle) bool {
	m := b.GetVerificationMaterial()
	return len(m.GetTlogEntries()) > 0 || len(m.GetTimestampVerificationData().GetRfc3161Timestamps()) > 0
}

// noKey says why no key will do: without a cause there was none to try.
func noKey(cause error) error {
	if cause == nil {
		return untrusted("signed with a key, and no public key was given to verify it with")
	}
	return untrusted("signed with a key that is not among those given, or the signature is wrong: %w", cause)
}

// witness adds what log and timestamp authority vouch for. A key is believed
// without them.
func (v *Verifier) witness(b *bundle.Bundle, key publicKey, verified *Verified) {
	m := material{TrustedMaterial: v.fileRoot, key: &key}
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	logged := len(v.fileRoot.RekorLogs()) > 0 && len(b.GetVerificationMaterial().GetTlogEntries()) > 0
	if logged {
		options = append(options, verify.WithTransparencyLog(1))
	}
	result, err := check(b, m, options)
	if err != nil {
		return
	}
	verified.SignedAt = earliest(result.VerifiedTimestamps)
	if logged {
		verified.LogIndex = logIndex(b, v.fileRoot)
	}
}

// candidates are the keys that were given, and the one that the signature is
// stored with: whether that one may sign is for the policy, which names keys
// by fingerprint.
func (v *Verifier) candidates(annotations map[string]string, hint string) []publicKey {
	known := v.keys
	if pem := annotations[AnnotationPublicKey]; pem != "" {
		if stored, err := newPublicKey([]byte(pem)); err == nil {
			known = append(slices.Clone(known), stored)
		}
	}
	for _, key := range known {
		if hint == key.hint {
			return []publicKey{key}
		}
	}
	return known
}

func check(b *bundle.Bundle, m root.TrustedMaterial, options []verify.VerifierOption) (*verify.VerificationResult, error) {
	verifier, err := verify.NewVerifier(m, options...)
	if err != nil {
		return nil, err
	}
	// Who reads the statement compares its subjects; identities are the policy's business.
	return verifier.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe()))
}

func earliest(timestamps []verify.TimestampVerificationResult) time.Time {
	var first time.Time
	for _, t := range timestamps {
		if first.IsZero() || t.Timestamp.Before(first) {
			first = t.Timestamp
		}
	}
	return first.UTC()
}

func logIndex(b *bundle.Bundle, trusted root.TrustedMaterial) *int64 {
	for _, entry := range b.GetVerificationMaterial().GetTlogEntries() {
		if _, known := trusted.RekorLogs()[fmt.Sprintf("%x", entry.GetLogId().GetKeyId())]; known {
			index := entry.GetLogIndex()
			return &index
		}
	}
	return nil
}

func certificateName(leaf *x509.Certificate) string {
	signer, err := certificateSigner(leaf)
	if err != nil {
		return "somebody unnamed"
	}
	return signer.Identity
}

// certificateSigner reads the signer out of Fulcio's extensions.
func certificateSigner(leaf *x509.Certificate) (evidence.Signer, error) {
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return evidence.Signer{}, err
	}
	if summary.Issuer == "" {
		return evidence.Signer{}, errors.New("the certificate names no OIDC issuer")
	}
	return evidence.Signer{
		Issuer: summary.Issuer, Identity: summary.SubjectAlternativeName,
		SourceRepository: summary.SourceRepositoryURI, SourceCommit: summary.SourceRepositoryDigest,
		SourceRef: summary.SourceRepositoryRef, RunURL: summary.RunInvocationURI, Trigger: summary.BuildTrigger,
		Runner: summary.RunnerEnvironment,
	}, nil
}
