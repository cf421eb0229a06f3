package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// A token of GitHub's reaches GitHub's registry alone, whatever host an image's
// name holds.
func TestTokenGoesToGitHubsRegistry(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		password, server string
		sent             bool
	}{
		"a job token, a stranger's registry":         {"ghs_0123456789", "https://github.com", false},
		"a job token, an Enterprise Server's name":   {"ghs_0123456789", "https://ghe.acme.example", false},
		"a person's token, a stranger's registry":    {"github_pat_0123456789", "", false},
		"a job token, the registry of the same host": {"ghs_0123456789", "http://127.0.0.1:1", true},
		"a job token of another form":                {"a token of another form", "https://github.com", false},
		"the registry's own password":                {"hunter2", "https://github.com", true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					seen.Store(true)
				}
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
			}))
			t.Cleanup(server.Close)
			host := strings.TrimPrefix(server.URL, "http://")
			image := host + "/acme/x@sha256:" + strings.Repeat("a", 64)
			root := filepath.Join(t.TempDir(), "root.json")
			if err := os.WriteFile(
				root, []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), 0o600,
			); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{
				"GITHUB_SERVER_URL": test.server, "WAYBILL_INPUT_REGISTRY_PASSWORD": test.password, "HOME": t.TempDir(),
				"GITHUB_TOKEN": "a token of another form",
			}
			dir := t.TempDir()
			if err := os.WriteFile(
				filepath.Join(dir, "Dockerfile"), []byte("FROM "+host+"/acme/base\nCOPY Dockerfile /\n"), 0o600,
			); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"verify", image, "--policy", writePolicy(t, host+"/acme/x"), "--trusted-root", root},
				{"build", "--image", host + "/acme/x", "--context", dir},
				{"build", "--oci-layout", filepath.Join(dir, "o"), "--context", dir},
			} {
				seen.Store(false)
				var stderr bytes.Buffer
				program.Run(t.Context(), cli.Process{
					Args: args, Getenv: func(n string) string { return env[n] }, Stdout: new(bytes.Buffer), Stderr: &stderr,
				})
				layout := args[1] == "--oci-layout" // names no registry for the password
				if seen.Load() != (test.sent && !layout) {
					t.Errorf("%s: sent: %t, want %t\n%s", args[0], seen.Load(), test.sent, stderr.String())
				}
				if !layout && strings.Contains(stderr.String(), "Waybill does not send the token there") == test.sent {
					t.Errorf("%s says: %s", args[0], stderr.String())
				}
				if strings.Contains(stderr.String(), test.password) {
					t.Errorf("%s: the password is in the log: %s", args[0], stderr.String())
				}
			}
		})
	}
}

func writePolicy(t *testing.T, image string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "waybill.yaml")
	text := "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps:\n  x: {image: " + image + "}\npolicy:\n  require: " +
		"[signature]\n  signers: [{issuer: https://i.example, workflow: \"a/b/.github/workflows/c.yml@refs/heads/main\"}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Logins of DOCKER_AUTH_CONFIG reach the registry of a base image, and no other,
// where the image itself is pushed nowhere: a pull request's build.
func TestLoginsReachBaseImages(t *testing.T) {
	t.Parallel()
	seen := map[string]*atomic.Value{}
	serve := func(name string) string {
		seen[name] = &atomic.Value{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, ok := r.BasicAuth(); ok {
				seen[name].Store(user + ":" + password)
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	mine, other := serve("mine"), serve("other")
	env := map[string]string{
		"HOME": t.TempDir(), "GITHUB_ACTIONS": "true", "DOCKER_AUTH_CONFIG": `{"auths": {"` + mine + `": {"auth": "bWU6aHVudGVyMg=="}}}`,
	}
	for _, host := range []string{mine, other} {
		dir := t.TempDir()
		recipe := []byte("FROM " + host + "/acme/base\nCOPY Dockerfile /\n")
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), recipe, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"build", "--image", "ghcr.io/acme/x", "--oci-layout", filepath.Join(dir, "o"), "--context", dir}
		code, _, words := call(t, env, args...)
		shown := regexp.MustCompile(`(?m)^::add-mask::.*$`).ReplaceAllString(words, "")
		if code != outcome.Broken || !strings.Contains(words, "::add-mask::hunter2\n") || strings.Contains(shown, "hunter2") {
			t.Errorf("exit code %d: %s", code, words)
		}
	}
	if got := seen["mine"].Load(); got != "me:hunter2" || seen["other"].Load() != nil {
		t.Errorf("the registries saw %v and %v", got, seen["other"].Load())
	}
}
