package sigstore

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// cosignVerify is cosign's verification of one layer. It compares digests when
// asked by CheckOpts.ClaimVerifier, which it is not: the caller of Legacy does,
// because it says whose signature is about which other image.
type cosignVerify func(context.Context, oci.Signature, v1.Hash, *cosign.CheckOpts) (logged bool, err error)

// Legacy verifies a layer of a legacy tag as cosign does, whose functions judge
// it. Of a signature the payload is a simple-signing document, of an
// attestation the statement; whose digest it names is for the caller to compare.
//
// One thing is stricter: a certificate needs a log or timestamp authority to
// vouch for the time, where cosign takes a living one without.
func (v *Verifier) Legacy(ctx context.Context, tag LegacyTag, l Legacy) (Verified, error) {
	layer, err := readAnnotations(l)
	if err != nil {
		return Verified{}, untrusted("the annotations cannot be read: %w", err)
	}
	judge := legacyJudge{Verifier: v, layer: layer, verify: cosign.VerifyImageSignature}
	if tag == LegacyAttestations {
		judge.verify = cosign.VerifyBlobAttestation // of an image's attestations too, but one at a time and where a panic can be caught
	}
	leaf, err := layer.Cert()
	if err != nil {
		return Verified{}, untrusted("the certificate cannot be read: %w", err)
	}
	if err := v.legacyCouldCount(tag, layer, leaf); err != nil {
		return Verified{}, err
	}
	var verified Verified
	if leaf != nil {
		verified, err = judge.byCertificate(ctx, leaf)
	} else {
		verified, err = judge.byKey(ctx)
	}
	if err != nil {
		return Verified{}, err
	}
	if verified.Payload, err = layer.Payload(); err == nil && tag == LegacyAttestations {
		verified.Payload, err = statementOf(verified.Payload)
	}
	if err != nil {
		return Verified{}, untrusted("read what was signed: %w", err)
	}
	return verified, nil
}

// readAnnotations reads all that cosign reads of a layer.
func readAnnotations(l Legacy) (layer oci.Signature, err error) {
	defer notPanic(&err)
	return static.Copy(l.layer)
}

// notPanic makes an error of a panic: cosign 2.6.5 takes for granted that a
// certificate annotation holds one and that a log entry's body is complete, and
// anybody who may push can write both.
func notPanic(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("they do not fit together: %v", cause)
	}
}

// maxSimpleSigning bounds a simple-signing document, which has some hundred
// bytes.
const maxSimpleSigning = 256 << 10

// legacyCouldCount asks the cheap questions before cosign holds the content
// several times over: who could have signed, and whether the signature fits.
func (v *Verifier) legacyCouldCount(tag LegacyTag, layer oci.Signature, leaf *x509.Certificate) error {
	content, err := layer.Payload()
	if err != nil {
		return untrusted("the content cannot be read: %w", err)
	}
	if tag == LegacySignatures {
		if len(content) > maxSimpleSigning {
			return untrusted("the signed document has %d bytes, and at most %d are read", len(content), maxSimpleSigning)
		}
		if leaf == nil {
			return nil
		}
		return v.couldCount(leaf, func(publicKey) error { return nil }) // cosign verifies it as cheaply
	}
	envelope, err := parseEnvelope(content)
	if err != nil {
		return untrusted("the attestation is no envelope: %w", err)
	}
	if leaf != nil {
		return v.couldCount(leaf, envelope.signed)
	}
	annotations, err := layer.Annotations()
	if err != nil {
		return untrusted("the annotations cannot be read: %w", err)
	}
	var last error
	for _, key := range v.candidates(annotations, "") {
		if last = envelope.signed(key); last == nil {
			return nil
		}
	}
	return noKey(last)
}

func statementOf(envelope []byte) ([]byte, error) {
	var e dsse.Envelope
	if err := json.Unmarshal(envelope, &e); err != nil {
		return nil, err
	}
	return e.DecodeB64Payload()
}

type legacyJudge struct {
	*Verifier
	layer  oci.Signature
	verify cosignVerify
}

func (j legacyJudge) check(ctx context.Context, o *cosign.CheckOpts) (logged bool, err error) {
	defer notPanic(&err)
	return j.verify(ctx, j.layer, v1.Hash{}, o)
}

func (j legacyJudge) byCertificate(ctx context.Context, leaf *x509.Certificate) (Verified, error) {
	return j.byEachRoot(func(trusted root.TrustedMaterial) (Verified, error) { return j.byCertificateOf(ctx, leaf, trusted) })
}

func (j legacyJudge) byCertificateOf(ctx context.Context, leaf *x509.Certificate, trusted root.TrustedMaterial) (Verified, error) {
	if content, err := j.layer.Payload(); err != nil {
		return Verified{}, untrusted("the content cannot be read: %w", err)
	} else if err := certifiedByTrusted(leaf, trusted, len(content)); err != nil {
		return Verified{}, err
	}
	verified, err := j.vouched(ctx, trusted, nil)
	if err == nil && verified.SignedAt.IsZero() {
		err = errors.New("neither a log nor a timestamp authority vouches for when it was made")
	}
	if err != nil {
		return Verified{}, untrusted("signature with the certificate of %s: %w", certificateName(leaf), err)
	}
	if verified.Signer, err = certificateSigner(leaf); err != nil {
		return Verified{}, untrusted("read the signer's certificate: %w", err)
	}
	return verified, nil
}

func (j legacyJudge) byKey(ctx context.Context) (Verified, error) {
	annotations, err := j.layer.Annotations()
	if err != nil {
		return Verified{}, untrusted("the annotations cannot be read: %w", err)
	}
	var last error
	for _, key := range j.candidates(annotations, "") {
		if _, last = j.check(ctx, &cosign.CheckOpts{SigVerifier: &key, IgnoreTlog: true, IgnoreSCT: true}); last != nil {
			continue
		}
		verified := Verified{}
		if j.fileRoot != nil { // a key is believed without witnesses
			verified, _ = j.vouched(ctx, j.fileRoot, &key)
		}
		verified.Signer = evidence.Signer{Key: key.fingerprint}
		return verified, nil
	}
	return Verified{}, noKey(last)
}

// vouched has cosign verify the layer with all that the trusted root holds, and
// says what log and timestamp authority vouch for. What the root does not hold
// is not asked for; a key needs no log.
func (j legacyJudge) vouched(ctx context.Context, trusted root.TrustedMaterial, key *publicKey) (Verified, error) {
	entry, err := j.layer.Bundle()
	if err != nil {
		return Verified{}, err
	}
	o := &cosign.CheckOpts{
		TrustedMaterial: trusted, Offline: true, IgnoreTlog: len(trusted.RekorLogs()) == 0, IgnoreSCT: len(trusted.CTLogs()) == 0,
		UseSignedTimestamps: len(trusted.TimestampingAuthorities()) > 0,
	}
	if key != nil {
		o.SigVerifier, o.IgnoreSCT = key, true
		o.IgnoreTlog = o.IgnoreTlog || entry == nil
	}
	if !o.IgnoreTlog && entry == nil {
		return Verified{}, errors.New("it carries no log entry, and the trusted root has a log")
	}
	verified := Verified{}
	if o.UseSignedTimestamps {
		if verified.SignedAt, err = j.stamped(trusted); err != nil {
			return Verified{}, err
		}
	}
	logged, err := j.check(ctx, o)
	if err != nil {
		return Verified{}, err
	}
	if logged {
		verified.LogIndex = &entry.Payload.LogIndex
		if at := time.Unix(entry.Payload.IntegratedTime, 0).UTC(); verified.SignedAt.IsZero() || at.Before(verified.SignedAt) {
			verified.SignedAt = at
		}
	}
	return verified, nil
}

// stamped is the time that a timestamp authority vouches for, zero without a
// timestamp. cosign verifies it too, but panics when no authority vouches.
func (j legacyJudge) stamped(trusted root.TrustedMaterial) (time.Time, error) {
	stamp, err := j.layer.RFC3161Timestamp()
	if err != nil || stamp == nil {
		return time.Time{}, err
	}
	stamped, err := j.layer.Signature()
	if err == nil && len(stamped) == 0 { // an attestation is stamped as a whole
		stamped, err = j.layer.Payload()
	}
	if err != nil {
		return time.Time{}, err
	}
	for _, authority := range trusted.TimestampingAuthorities() {
		if at, err := authority.Verify(stamp.SignedRFC3161Timestamp, stamped); err == nil {
			return at.Time.UTC(), nil
		}
	}
	return time.Time{}, errors.New("no timestamp authority of the trusted root vouches for its timestamp")
}
