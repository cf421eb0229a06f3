package sigstore

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	gstatic "github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v2/pkg/oci/signature"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// keptLayer is a layer as it comes from a registry.
func keptLayer(t *testing.T, tag LegacyTag, payload []byte, annotations map[string]string) Legacy {
	t.Helper()
	layer := gstatic.NewLayer(payload, types.MediaType(tag.LayerType()))
	digest, err := layer.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return Legacy{signature.New(layer, v1.Descriptor{Digest: digest, Annotations: annotations})}
}

// What cosign 2 has written for years: certificate, promise of Rekor v1 and
// signature as annotations.
func TestLegacyWithRekor1(t *testing.T) {
	t.Parallel()
	instance, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	v := new(Verifier)
	v.trust(&changedMaterial{TrustedMaterial: instance, ct: map[string]*root.TransparencyLog{}})

	payload := []byte(`{"critical":{"type":"cosign container image signature","image":{"docker-manifest-digest":"sha256:00"},"identity":{}}}`)
	signed, err := instance.Sign("dev@acme.example", "https://issuer.example", payload)
	if err != nil {
		t.Fatal(err)
	}
	annotations := entityAnnotations(t, instance, signed)
	got, err := v.Legacy(t.Context(), LegacySignatures, keptLayer(t, LegacySignatures, payload, annotations))
	if err != nil {
		t.Fatal(err)
	}
	if got.Signer.Identity != "dev@acme.example" || got.Signer.Issuer != "https://issuer.example" || got.SignedAt.IsZero() ||
		got.LogIndex == nil || *got.LogIndex != 1000 || !bytes.Equal(got.Payload, payload) {
		t.Errorf("got %+v", got)
	}

	statement := []byte(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"x","subject":[{"name":"a","digest":{"sha256":"00"}}],"predicate":{}}`)
	attested, err := instance.Attest("dev@acme.example", "https://issuer.example", statement)
	if err != nil {
		t.Fatal(err)
	}
	content, err := attested.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := json.Marshal(content.EnvelopeContent().RawEnvelope())
	if err != nil {
		t.Fatal(err)
	}
	attestation := entityAnnotations(t, instance, attested)
	attestation[static.SignatureAnnotationKey] = ""
	if got, err := v.Legacy(t.Context(), LegacyAttestations, keptLayer(t, LegacyAttestations, envelope, attestation)); err != nil ||
		!bytes.Equal(got.Payload, statement) || got.LogIndex == nil {
		t.Errorf("got %+v, %v", got, err)
	}

	for name, tc := range map[string]struct {
		change func(map[string]string)
		reason string
	}{
		"no signature":            {func(a map[string]string) { delete(a, static.SignatureAnnotationKey) }, "is missing"},
		"no log and no time":      {func(a map[string]string) { delete(a, static.BundleAnnotationKey) }, "it carries no log entry"},
		"a certificate in part":   {func(a map[string]string) { a[static.CertificateAnnotationKey] = "-----BEGIN" }, "PEM decoding"},
		"a certificate of blanks": {func(a map[string]string) { a[static.CertificateAnnotationKey] = " " }, "do not fit together"},
		"a log of words":          {func(a map[string]string) { a[static.BundleAnnotationKey] = "words" }, "unmarshaling bundle"},
		"a log entry of a number": {
			func(a map[string]string) { a[static.BundleAnnotationKey] = `{"Payload":{"body":1}}` }, "do not fit together",
		},
		"another time": {func(a map[string]string) {
			a[static.BundleAnnotationKey] = strings.Replace(a[static.BundleAnnotationKey], `"integratedTime":1`, `"integratedTime":2`, 1)
		}, "trusted root"},
		"the log of another": {
			func(a map[string]string) { a[static.BundleAnnotationKey] = attestation[static.BundleAnnotationKey] },
			"signature in bundle does not match",
		},
		"another certificate": {func(a map[string]string) {
			a[static.CertificateAnnotationKey] = attestation[static.CertificateAnnotationKey]
		}, "comparing public key"},
		"a timestamp of nobody": {func(a map[string]string) {
			a[static.RFC3161TimestampAnnotationKey] = `{"SignedRFC3161Timestamp":"AAAA"}`
		}, "no timestamp authority of the trusted root"},
	} {
		changed := maps.Clone(annotations)
		tc.change(changed)
		if _, err := v.Legacy(t.Context(), LegacySignatures, keptLayer(t, LegacySignatures, payload, changed)); !IsUntrusted(err) ||
			!strings.Contains(err.Error(), tc.reason) {
			t.Errorf("%s: got %v, want it untrusted for %q", name, err, tc.reason)
		}
	}
	if _, err := v.Legacy(t.Context(), LegacySignatures, keptLayer(
		t, LegacySignatures, append(payload, ' '), annotations,
	)); !IsUntrusted(err) || !strings.Contains(err.Error(), "matching bundle to payload") {
		t.Errorf("another payload: got %v, want it untrusted", err)
	}
	other := new(Verifier)
	other.trust(&changedMaterial{
		TrustedMaterial: instance, ct: map[string]*root.TransparencyLog{}, logs: map[string]*root.TransparencyLog{},
	})
	if _, err := other.Legacy(t.Context(), LegacySignatures, keptLayer(
		t, LegacySignatures, payload, annotations,
	)); !IsUntrusted(err) || !strings.Contains(err.Error(), "neither a log nor a timestamp authority") {
		t.Errorf("a living certificate alone: got %v, want it untrusted", err)
	}
	other.trust(instance) // which has a certificate transparency log
	if _, err := other.Legacy(t.Context(), LegacySignatures, keptLayer(
		t, LegacySignatures, payload, annotations,
	)); !IsUntrusted(err) || !strings.Contains(err.Error(), "required embedded SCT") {
		t.Errorf("a certificate that no transparency log knows: got %v, want it untrusted", err)
	}
	other.trust(&changedMaterial{TrustedMaterial: instance, ct: map[string]*root.TransparencyLog{}, noAuthorities: true})
	if _, err := other.Legacy(t.Context(), LegacySignatures, keptLayer(
		t, LegacySignatures, payload, annotations,
	)); !IsUntrusted(err) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of another authority: got %v, want it untrusted", err)
	}
}

// A key is believed without witnesses, and not for a false one.
func TestLegacyKeyWithFalseTimestamp(t *testing.T) {
	t.Parallel()
	instance, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	key := freshKey(t)
	signer, err := NewSigner(t.Context(), SignerOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.LegacySignature(t.Context(), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	annotations, err := signed.layer.Annotations()
	if err != nil {
		t.Fatal(err)
	}
	annotations[static.RFC3161TimestampAnnotationKey] = `{"SignedRFC3161Timestamp":"AAAA"}`
	v := &Verifier{}
	v.trust(instance)
	got, err := v.Legacy(t.Context(), LegacySignatures, keptLayer(t, LegacySignatures, []byte("{}"), annotations))
	if err != nil || got.Signer.Key != key.Fingerprint() || !got.SignedAt.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
}

// entityAnnotations writes the annotations with the code that signing uses.
func entityAnnotations(t *testing.T, instance *ca.VirtualSigstore, e *ca.TestEntity) map[string]string {
	t.Helper()
	content, err := e.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	sig, err := e.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw},
		},
	}
	entries, err := e.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		logged := entry.TransparencyLogEntry()
		promise, err := instance.RekorSignPayload(tlog.RekorPayload{
			Body: entry.Body(), IntegratedTime: entry.IntegratedTime().Unix(), LogIndex: entry.LogIndex(),
			LogID: hex.EncodeToString(logged.GetLogId().GetKeyId()),
		})
		if err != nil {
			t.Fatal(err)
		}
		logged.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
		material.TlogEntries = append(material.TlogEntries, logged)
	}
	layer, err := static.NewSignature(
		nil, base64.StdEncoding.EncodeToString(sig.Signature()),
		legacyOptions(&protobundle.Bundle{VerificationMaterial: material}, nil)...,
	)
	if err != nil {
		t.Fatal(err)
	}
	annotations, err := layer.Annotations()
	if err != nil {
		t.Fatal(err)
	}
	return annotations
}
