package connect_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// upload calls uploadSARIF as a run of acme/app on the stand-in would, with a
// token that has the permissions.
func upload(t *testing.T, sarif string, permissions map[string]string) error {
	t.Helper()
	dir := t.TempDir()
	server, err := sandbox.New(sandbox.Options{Dir: dir, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	server.SetURL(web.URL)
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "README"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/app", Dir: files}); err != nil {
		t.Fatal(err)
	}
	sha, err := git.Run(t.Context(), server.GitDir("acme/app"), "rev-parse", "main")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"GITHUB_REPOSITORY": "acme/app", "GITHUB_SHA": sha, "GITHUB_REF": "refs/heads/main", "GITHUB_API_URL": server.APIURL(),
		"TOKEN": server.CreateToken(sandbox.Token{User: "ci", Permissions: permissions}),
	}
	return scanCall(env).UploadSARIF(t.Context(), []byte(sarif))
}

func scanCall(env map[string]string) connect.Access {
	getenv := func(name string) string { return env[name] }
	call := &cli.Call{Stderr: new(bytes.Buffer), Runner: runner.New(getenv, new(bytes.Buffer)), Getenv: getenv}
	return connect.Access{Call: call, GitHub: options.GitHub{Token: env["TOKEN"]}}
}

func TestUploadSARIF(t *testing.T) {
	t.Parallel()
	if err := upload(t, `{"version":"2.1.0","runs":[]}`, map[string]string{"security-events": "write"}); err != nil {
		t.Error(err)
	}
	if err := upload(t, `{"version":"2.1.0","runs":[]}`, map[string]string{"contents": "read"}); err == nil ||
		!strings.Contains(err.Error(), "security") {
		t.Errorf("without the permission: %v does not name it", err)
	}
	err := scanCall(nil).UploadSARIF(t.Context(), nil)
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "GITHUB_REPOSITORY") {
		t.Errorf("outside Actions: %v", err)
	}
}
