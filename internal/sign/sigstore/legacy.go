package sigstore

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
)

// cosign's legacy form keeps what a bundle holds in annotations of the layer:
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
const (
	annotationSignature   = "dev.cosignproject.cosign/signature"
	annotationCertificate = "dev.sigstore.cosign/certificate"
	annotationChain       = "dev.sigstore.cosign/chain"
	annotationLog         = "dev.sigstore.cosign/bundle"
	annotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"

	// MediaTypeSimpleSigning is the layer type of a legacy signature.
	MediaTypeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	// MediaTypeEnvelope is the layer type of a legacy attestation.
	MediaTypeEnvelope = "application/vnd.dsse.envelope.v1+json"
)

// ErrLegacyNeedsRekor1 is reported where a keyless legacy signature would have
// no log entry that fits its annotations.
var ErrLegacyNeedsRekor1 = errors.New("cosign's legacy tags cannot hold an entry of Rekor v2: use --format bundle, or --key, or a signing config with Rekor v1 or without a log")

type legacyLog struct {
	SignedEntryTimestamp []byte
	Payload              struct {
		Body           any    `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogIndex       int64  `json:"logIndex"`
		LogID          string `json:"logID"`
	}
}

type legacyTimestamp struct{ SignedRFC3161Timestamp []byte }

type envelope struct {
	PayloadType string              `json:"payloadType"`
	Payload     []byte              `json:"payload"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// LegacySignature signs a simple-signing document and returns the annotations
// of its layer.
func (s *Signer) LegacySignature(ctx context.Context, payload []byte) (map[string]string, error) {
	if err := s.LegacyPossible(); err != nil {
		return nil, err
	}
	b, err := s.legacy().bundle(ctx, &sign.PlainData{Data: payload})
	if err != nil {
		return nil, err
	}
	annotations, err := legacyAnnotations(b)
	if err != nil {
		return nil, err
	}
	maps.Copy(annotations, s.Annotations())
	annotations[annotationSignature] = base64.StdEncoding.EncodeToString(b.GetMessageSignature().GetSignature())
	return annotations, nil
}

// LegacyAttestation signs a statement and returns the DSSE envelope and the
// annotations of its layer.
func (s *Signer) LegacyAttestation(ctx context.Context, statement []byte) ([]byte, map[string]string, error) {
	if err := s.LegacyPossible(); err != nil {
		return nil, nil, err
	}
	unstamped := *s.legacy()
	unstamped.timestamps = nil
	b, err := unstamped.bundle(ctx, &sign.DSSEData{Data: statement, PayloadType: PayloadType})
	if err != nil {
		return nil, nil, err
	}
	e := envelope{PayloadType: PayloadType, Payload: statement, Signatures: []envelopeSignature{{Sig: b.GetDsseEnvelope().GetSignatures()[0].GetSig()}}}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, nil, fmt.Errorf("write the envelope: %w", err)
	}
	for _, authority := range s.timestamps { // cosign stamps the envelope, not the signature in it
		stamp, err := authority.GetTimestamp(ctx, data)
		if err != nil {
			return nil, nil, fmt.Errorf("get a timestamp: %w", err)
		}
		b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}},
		}
	}
	annotations, err := legacyAnnotations(b)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(annotations, s.Annotations())
	annotations[annotationSignature] = ""
	return data, annotations, nil
}

// LegacyPossible says whether what this signer signs fits cosign's legacy tags.
func (s *Signer) LegacyPossible() error {
	if s.certificate != nil && s.logVersion >= 2 {
		return ErrLegacyNeedsRekor1
	}
	return nil
}

// legacy is the signer as cosign's legacy form wants it: SHA-256 whatever the
// key, Ed25519 without prehash, and no entry of Rekor v2, which has no place
// in the annotations.
func (s *Signer) legacy() *Signer {
	l := *s
	if s.logVersion >= 2 {
		l.logs = nil
	}
	l.key = s.key.legacy()
	return &l
}

func legacyAnnotations(b *protobundle.Bundle) (map[string]string, error) {
	annotations := make(map[string]string)
	material := b.GetVerificationMaterial()
	if der := material.GetCertificate().GetRawBytes(); der != nil {
		annotations[annotationCertificate] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	for _, entry := range material.GetTlogEntries() {
		var l legacyLog
		l.SignedEntryTimestamp = entry.GetInclusionPromise().GetSignedEntryTimestamp()
		l.Payload.Body = base64.StdEncoding.EncodeToString(entry.GetCanonicalizedBody())
		l.Payload.IntegratedTime, l.Payload.LogIndex = entry.GetIntegratedTime(), entry.GetLogIndex()
		l.Payload.LogID = hex.EncodeToString(entry.GetLogId().GetKeyId())
		if err := annotateJSON(annotations, annotationLog, l); err != nil {
			return nil, err
		}
	}
	for _, stamp := range material.GetTimestampVerificationData().GetRfc3161Timestamps() {
		if err := annotateJSON(annotations, annotationTimestamp, legacyTimestamp{stamp.GetSignedTimestamp()}); err != nil {
			return nil, err
		}
	}
	return annotations, nil
}

func annotateJSON(annotations map[string]string, key string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write annotation %s: %w", key, err)
	}
	annotations[key] = string(data)
	return nil
}

// LegacySignature verifies the layer of a .sig tag. The payload is a
// simple-signing document; whose digest it names is for the caller to compare.
func (v *Verifier) LegacySignature(payload []byte, annotations map[string]string) (Verified, error) {
	sig, err := base64.StdEncoding.DecodeString(annotations[annotationSignature])
	if err != nil || len(sig) == 0 {
		return Verified{}, untrusted("the layer carries no signature")
	}
	b, err := legacyBundle(annotations)
	if err != nil {
		return Verified{}, err
	}
	digest, err := hex.DecodeString(digestHex(payload))
	if err != nil {
		return Verified{}, err
	}
	b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: digest}, Signature: sig,
	}}
	return v.verifyLegacy(b, signed{payload: payload, annotations: annotations})
}

// LegacyAttestation verifies the layer of an .att tag.
func (v *Verifier) LegacyAttestation(data []byte, annotations map[string]string) (Verified, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil || len(e.Signatures) != 1 {
		return Verified{}, untrusted("the layer is no DSSE envelope with one signature")
	}
	b, err := legacyBundle(annotations)
	if err != nil {
		return Verified{}, err
	}
	b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		Payload: e.Payload, PayloadType: e.PayloadType, Signatures: []*protodsse.Signature{{Sig: e.Signatures[0].Sig, Keyid: e.Signatures[0].KeyID}},
	}}
	return v.verifyLegacy(b, signed{stamped: data, annotations: annotations})
}

func (v *Verifier) verifyLegacy(b *protobundle.Bundle, found signed) (Verified, error) {
	wrapped, err := bundle.NewBundle(b)
	if err != nil {
		return Verified{}, untrusted("the annotations do not fit together: %w", err)
	}
	found.Bundle = wrapped
	return v.verify(found)
}

// legacyBundle makes a bundle of version 0.1, which asks for the log's promise
// alone, of the annotations.
func legacyBundle(annotations map[string]string) (*protobundle.Bundle, error) {
	material := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}}}
	if text := annotations[annotationCertificate]; text != "" {
		chain := &protocommon.X509CertificateChain{}
		for rest := []byte(text + "\n" + annotations[annotationChain]); ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && string(certificate.RawSubject) != string(certificate.RawIssuer) { // no roots
				chain.Certificates = append(chain.Certificates, &protocommon.X509Certificate{RawBytes: block.Bytes})
			}
		}
		if len(chain.Certificates) == 0 {
			return nil, untrusted("the certificate annotation holds no certificate")
		}
		material.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: chain}
	}
	if text := annotations[annotationLog]; text != "" {
		entry, err := legacyEntry(text)
		if err != nil {
			return nil, err
		}
		material.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
	}
	if text := annotations[annotationTimestamp]; text != "" {
		var stamp legacyTimestamp
		if err := json.Unmarshal([]byte(text), &stamp); err != nil {
			return nil, untrusted("the timestamp annotation cannot be read: %w", err)
		}
		material.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}},
		}
	}
	return &protobundle.Bundle{MediaType: MediaTypeBundlePrefix + "+json;version=0.1", VerificationMaterial: material}, nil
}

func legacyEntry(text string) (*protorekor.TransparencyLogEntry, error) {
	var l legacyLog
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return nil, untrusted("the log annotation cannot be read: %w", err)
	}
	encoded, _ := l.Payload.Body.(string)
	body, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, untrusted("the log annotation's body cannot be read: %w", err)
	}
	id, err := hex.DecodeString(l.Payload.LogID)
	if err != nil {
		return nil, untrusted("the log annotation's log id cannot be read: %w", err)
	}
	var kind struct{ Kind, APIVersion string }
	if err := json.Unmarshal(body, &kind); err != nil {
		return nil, untrusted("the log annotation's body cannot be read: %w", err)
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex: l.Payload.LogIndex, LogId: &protocommon.LogId{KeyId: id}, IntegratedTime: l.Payload.IntegratedTime,
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: l.SignedEntryTimestamp},
		CanonicalizedBody: body,
	}, nil
}
