package sigstore

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/root"

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
		Issuer:           "https://token.actions.githubusercontent.com",
		Identity:         "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
		SourceRepository: "https://github.com/sigstore/sigstore-js", SourceCommit: "dae8bd8eb433a4147b4655c00fe73e0f22bc0fb1",
		SourceRef: "refs/heads/main",
		RunURL:    "https://github.com/sigstore/sigstore-js/actions/runs/4735384265/attempts/1", Trigger: "push", Runner: "github-hosted",
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
