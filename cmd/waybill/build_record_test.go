package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// A registry that takes images and no artifacts: the image is there, and the
// error says so.
func TestBuildWhereTheRecordIsRefused(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		data, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Contains(data, []byte(evidence.ArtifactBuild)) {
			r.Body = io.NopCloser(bytes.NewReader(data))
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"errors":[{"code":"MANIFEST_INVALID","message":"artifacts are not accepted"}]}`)
		return true
	})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY Dockerfile /\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": t.TempDir(), "PATH": os.Getenv("PATH")}
	var stderr bytes.Buffer
	code := program.Run(t.Context(), cli.Process{
		Args:   []string{"build", "--image", server.Host + "/acme/x", "--context", dir},
		Getenv: func(n string) string { return env[n] }, Stdout: new(bytes.Buffer), Stderr: &stderr,
	})
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{
		"the image " + server.Host + "/acme/x@sha256:", "is in the registry, and only its build record is not",
		"artifacts are not accepted",
	} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr is %s\nwant %q", stderr.String(), want)
		}
	}
}
