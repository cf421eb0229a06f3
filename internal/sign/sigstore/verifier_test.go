package sigstore

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// The public instance's own documents: Rekor v1, a certificate transparency
// log, certificates that expired years ago.
func TestPublicInstance(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "public")
	data, err := os.ReadFile(filepath.Join(dir, "sigstore-js-1.3.0.bundle.json"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(VerifierOptions{TrustedRoot: filepath.Join(dir, "trusted-root.json")})
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Bundle(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := evidence.Signer{
		Issuer: "https://token.actions.githubusercontent.com", Identity: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
		SourceRepository: "https://github.com/sigstore/sigstore-js", SourceCommit: "dae8bd8eb433a4147b4655c00fe73e0f22bc0fb1", SourceRef: "refs/heads/main",
		RunURL: "https://github.com/sigstore/sigstore-js/actions/runs/4735384265/attempts/1", Trigger: "push",
	}
	if got.Signer != want {
		t.Errorf("got %+v, want %+v", got.Signer, want)
	}
	if got.LogIndex == nil || *got.LogIndex != 18300934 || got.SignedAt.Year() != 2023 {
		t.Errorf("got log index %v, signed at %s", got.LogIndex, got.SignedAt)
	}

	t.Run("with a transparency log that did not sign", func(t *testing.T) {
		t.Parallel()
		v.mustRefuse(t, data, func(m *changedMaterial) {
			for id, log := range m.CTLogs() {
				m.ct = map[string]*root.TransparencyLog{strings.Repeat("0", len(id)): log}
			}
		}, "signed certificate timestamp")
	})
	t.Run("with another log", func(t *testing.T) {
		t.Parallel()
		v.mustRefuse(t, data, func(m *changedMaterial) {
			for id, log := range m.RekorLogs() {
				m.logs = map[string]*root.TransparencyLog{strings.Repeat("0", len(id)): log}
			}
		}, "not enough verified log entries")
	})
	t.Run("without an authority", func(t *testing.T) {
		t.Parallel()
		v.mustRefuse(t, data, func(m *changedMaterial) { m.noAuthorities = true }, "certificate")
	})
	t.Run("with another statement", func(t *testing.T) {
		t.Parallel()
		changed := bytes.Replace(data, []byte(`"payload": "`), []byte(`"payload": "AAAA`), 1)
		if bytes.Equal(changed, data) {
			changed = bytes.Replace(data, []byte(`"payload":"`), []byte(`"payload":"AAAA`), 1)
		}
		if _, err := v.Bundle(changed, nil); !IsUntrusted(err) {
			t.Errorf("got %v, want it untrusted", err)
		}
	})
}

// changedMaterial is a trusted root that differs in one thing.
type changedMaterial struct {
	root.TrustedMaterial
	ct, logs      map[string]*root.TransparencyLog
	noAuthorities bool
}

func (m *changedMaterial) CTLogs() map[string]*root.TransparencyLog {
	if m.ct != nil {
		return m.ct
	}
	return m.TrustedMaterial.CTLogs()
}

func (m *changedMaterial) RekorLogs() map[string]*root.TransparencyLog {
	if m.logs != nil {
		return m.logs
	}
	return m.TrustedMaterial.RekorLogs()
}

func (m *changedMaterial) FulcioCertificateAuthorities() []root.CertificateAuthority {
	if m.noAuthorities {
		return nil
	}
	return m.TrustedMaterial.FulcioCertificateAuthorities()
}

func (v *Verifier) mustRefuse(t *testing.T, data []byte, change func(*changedMaterial), reason string) {
	t.Helper()
	m := &changedMaterial{TrustedMaterial: v.fileRoot}
	change(m)
	other := new(Verifier)
	other.trust(m)
	if _, err := other.Bundle(data, nil); !IsUntrusted(err) || !strings.Contains(err.Error(), reason) {
		t.Errorf("got %v, want it untrusted for %q", err, reason)
	}
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
	got, err := v.LegacySignature(payload, annotations)
	if err != nil {
		t.Fatal(err)
	}
	if got.Signer.Identity != "dev@acme.example" || got.Signer.Issuer != "https://issuer.example" || got.SignedAt.IsZero() || got.LogIndex == nil {
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
	if got, err := v.LegacyAttestation(envelope, attestation); err != nil || !bytes.Equal(got.Payload, statement) {
		t.Errorf("got %+v, %v", got, err)
	}

	for name, change := range map[string]func(map[string]string){
		"no signature":          func(a map[string]string) { delete(a, annotationSignature) },
		"no log and no time":    func(a map[string]string) { delete(a, annotationLog); delete(a, annotationTimestamp) },
		"a certificate in part": func(a map[string]string) { a[annotationCertificate] = "-----BEGIN" },
		"a log of words":        func(a map[string]string) { a[annotationLog] = "words" },
		"another time": func(a map[string]string) {
			a[annotationLog] = strings.Replace(a[annotationLog], `"integratedTime":1`, `"integratedTime":2`, 1)
		},
		"the log of another":  func(a map[string]string) { a[annotationLog] = attestation[annotationLog] },
		"another certificate": func(a map[string]string) { a[annotationCertificate] = attestation[annotationCertificate] },
	} {
		changed := maps.Clone(annotations)
		change(changed)
		if _, err := v.LegacySignature(payload, changed); !IsUntrusted(err) {
			t.Errorf("%s: got %v, want it untrusted", name, err)
		}
	}
	if _, err := v.LegacySignature(append(payload, ' '), annotations); !IsUntrusted(err) {
		t.Errorf("another payload: got %v, want it untrusted", err)
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
	material := &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw}}}
	entries, err := e.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		logged := entry.TransparencyLogEntry()
		promise, err := instance.RekorSignPayload(tlog.RekorPayload{
			Body: entry.Body(), IntegratedTime: entry.IntegratedTime().Unix(), LogIndex: entry.LogIndex(), LogID: hex.EncodeToString(logged.GetLogId().GetKeyId()),
		})
		if err != nil {
			t.Fatal(err)
		}
		logged.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
		material.TlogEntries = append(material.TlogEntries, logged)
	}
	annotations, err := legacyAnnotations(&protobundle.Bundle{VerificationMaterial: material})
	if err != nil {
		t.Fatal(err)
	}
	annotations[annotationSignature] = base64.StdEncoding.EncodeToString(sig.Signature())
	return annotations
}
