package registry_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/registry"
)

// A layout is served to read: nothing outside of its blobs, and nothing to write.
func TestServeLayout(t *testing.T) {
	t.Parallel()
	dir, hex := t.TempDir(), strings.Repeat("a", 64)
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	const index = `{"manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:HEX"}]}`
	write("index.json", strings.Replace(index, "HEX", hex, 1))
	write("blobs/sha256/"+hex, "{}")
	if err := os.Symlink(secret, filepath.Join(dir, "blobs/sha256", strings.Repeat("b", 64))); err != nil {
		t.Fatal(err)
	}
	ref, stop, err := registry.ServeLayout(t.Context(), dir)
	if err != nil || ref.Hex() != hex {
		t.Fatalf("%s, %v", ref, err)
	}
	base := "http://" + ref.Registry() + "/v2/layout"
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/manifests/sha256:" + hex, 200}, {"HEAD", "/blobs/sha256:" + hex, 200}, {"PUT", "/manifests/sha256:" + hex, 404},
		{"DELETE", "/blobs/sha256:" + hex, 404}, {"POST", "/blobs/uploads/", 404}, {"GET", "/blobs/sha256:" + strings.Repeat("b", 64), 404},
		{"GET", "/blobs/sha256:../../index.json", 404}, {"GET", "/manifests/latest", 404}, {"GET", "/tags/list", 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != c.status || strings.Contains(string(data), "hush") {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, answer.StatusCode, data, c.status)
		}
	}
	stop()
	if answer, err := http.Get(base + "/manifests/sha256:" + hex); err == nil { //nolint:noctx // it is closed
		answer.Body.Close()
		t.Error("it still answers")
	}
	for text, want := range map[string]string{
		strings.Replace(index, "HEX", "../../x", 1): "", `{"manifests": []}`: "holds 0 images", "{": "index.json",
	} {
		write("index.json", text)
		if _, _, err := registry.ServeLayout(t.Context(), dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
