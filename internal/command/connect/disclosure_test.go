package connect_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
)

// Every log publishes what it is sent, but for those on this machine and at private
// addresses. That the repository is private is known from the event, where the token
// does not say.
func TestLogsThatPublish(t *testing.T) {
	t.Parallel()
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"repository": {"private": true}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string {
		return map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": event}[name]
	}
	access := connect.Access{Call: &cli.Call{Runner: runner.New(getenv, new(bytes.Buffer)), Getenv: getenv}}
	for host, publishes := range map[string]bool{
		"localhost:3000": false, "127.0.0.1:3000": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"[::1]:3000": false, "[fd00::1]": false,
		"rekor.sigstore.dev": true, "rekor.acme.internal": true, "localhost.evil.example": true, "8.8.8.8": true, "172.32.0.1": true,
		"[2001:db8::1]": true, "10.1.2.3.example": true,
	} {
		config, err := sigstore.Instance{
			FulcioURL: "https://fulcio.acme.example", LogURL: "https://" + host, Since: time.Now().Add(-time.Hour),
		}.SigningConfig()
		if err != nil {
			t.Fatal(err)
		}
		o, err := access.SignerOptions(nil)
		if err != nil {
			t.Fatal(err)
		}
		o.SigningConfig = string(config)
		o.IDToken = func(context.Context, string) (string, error) { return "e30.e30.AA", nil } // says nothing
		err = sigstore.CheckDisclosure(t.Context(), o)
		if refused := err != nil && strings.Contains(err.Error(), "the repository is private, and signing would publish its name"); refused != publishes {
			t.Errorf("%s: got %v, want it refused: %t", host, err, publishes)
		}
	}
}
