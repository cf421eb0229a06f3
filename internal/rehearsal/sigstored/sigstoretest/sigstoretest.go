// Package sigstoretest starts a real Sigstore and an OIDC issuer for a test,
// and skips where the programs are missing.
package sigstoretest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// Sigstore is a Stack and the issuer it accepts.
type Sigstore struct {
	*sigstored.Stack
	Issuer *oidc.Issuer
}

// Start starts both; they end with the test.
func Start(t testing.TB) Sigstore {
	t.Helper()
	tools := filepath.Dir(tooltest.Find(t, "fulcio"))
	for _, program := range []string{"rekor-server", "timestamp-server"} {
		tooltest.Find(t, program)
	}
	issuer, err := oidc.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuer.Stop)
	state := t.TempDir()
	stack, err := sigstored.Start(t.Context(), sigstored.Options{Tools: tools, State: state, Issuers: []string{issuer.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stack.Stop()
		if t.Failed() {
			for _, program := range []string{"fulcio", "rekor-server", "timestamp-server"} {
				log, _ := os.ReadFile(filepath.Join(state, program+".log"))
				t.Logf("%s: %s", program, log[max(0, len(log)-2000):])
			}
		}
	})
	return Sigstore{Stack: stack, Issuer: issuer}
}

// IDToken gives the token that a job with the claims would get.
func (s Sigstore) IDToken(claims oidc.Claims) func(ctx context.Context, audience string) (string, error) {
	return func(_ context.Context, audience string) (string, error) { return s.Issuer.Token(claims, audience) }
}
