package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	cosignkeys "github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// sign asks a registry how to log in three times, however many records and platforms
// there are: to read, to write, and once more where cosign's client looks at what it
// writes beside. Each time costs one or two requests before the first that does
// something.
func TestSignLogsInOnceForEachUse(t *testing.T) {
	t.Parallel()
	var logins atomic.Int32
	server := registrytest.New(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/" {
			logins.Add(1)
		}
		return false
	})
	dir, _ := sourceTree(t)
	pair, err := cosignkeys.GenerateKeyPair(func(bool) ([]byte, error) { return []byte("secret"), nil })
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(key, pair.PrivateBytes, 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": t.TempDir(), "PATH": os.Getenv("PATH"), "COSIGN_PASSWORD": "secret"}
	record := filepath.Join(t.TempDir(), "build.json")
	code, image, words := call(t, env, "build", "--image", server.Host+"/acme/x", "--context", dir, "--metadata", record)
	if code != outcome.Done {
		t.Fatal(words)
	}
	image = strings.Fields(image)[0]
	logins.Store(0)
	if code, _, words := call(t, env, "sign", image, "--key", key, "--provenance", record); code != outcome.Done {
		t.Fatal(words)
	}
	if got := logins.Load(); got != 3 {
		t.Errorf("asked %d times how to log in, want 3", got)
	}
	logins.Store(0)
	if code, _, words := call(t, env, "sign", image, "--key", key, "--provenance", record); code != outcome.Done {
		t.Fatal(words)
	}
	if got := logins.Load(); got != 1 {
		t.Errorf("nothing is left to sign: asked %d times how to log in, want 1", got)
	}
}
