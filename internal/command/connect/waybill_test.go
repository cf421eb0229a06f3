package connect_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// The password is of the first repository's registry: a copy in another one is
// read without it.
func TestPasswordStaysWithTheFirstRegistry(t *testing.T) {
	t.Parallel()
	var sent atomic.Int32
	copies := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			sent.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(copies.Close)
	host := strings.TrimPrefix(copies.URL, "http://")
	image, err := imageref.Parse(host + "/acme/x@sha256:" + strings.Repeat("a", 64))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	policy, root := filepath.Join(dir, "waybill.yaml"), filepath.Join(dir, "root.json")
	for file, text := range map[string]string{
		policy: "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps:\n  x: {image: first.example/acme/x}\npolicy:\n" +
			"  require: [signature]\n  signers: [{issuer: https://i.example, workflow: \"a/b/.github/workflows/c.yml@refs/heads/main\"}]\n",
		root: `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := scanCall(map[string]string{"HOME": dir})
	a.Call.Command, _ = contract.Lookup("tag")
	a.TrustedRoot, a.RegistryUsername, a.RegistryPassword = root, "me", "hunter2"
	for first, times := range map[string]int32{"first.example": 0, "": 1} {
		sent.Store(0)
		_, err := a.Waybill(t.Context(), connect.Question{Image: image, Policy: policy, App: "x", Host: first})
		if err == nil || !strings.Contains(err.Error(), "registry "+host) {
			t.Errorf("%q: %v", first, err)
		}
		if (sent.Load() > 0) != (times > 0) {
			t.Errorf("%q: the password was sent %d times", first, sent.Load())
		}
	}
}
