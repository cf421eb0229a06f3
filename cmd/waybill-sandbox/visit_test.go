package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// visit runs one of the commands of a visitor.
func visit(ctx context.Context, dir string, args ...string) (string, error) {
	for _, cmd := range visits(dir) {
		if cmd.Name() != args[0] {
			continue
		}
		var out bytes.Buffer
		cmd.SetArgs(args[1:])
		cmd.SetOut(&out)
		cmd.SetErr(io.Discard)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.ExecuteContext(ctx)
		return out.String(), err
	}
	panic("no command " + args[0])
}

// up is a rehearsal without workflows and Sigstore.
func up(t *testing.T) (*rehearsal.Sandbox, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := rehearsal.Start(t.Context(), rehearsal.Options{Dir: dir, Act: "none", Env: rehearsal.Environment(os.Getenv)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	document, err := json.Marshal(served{URLs: s.URLs(), Variables: map[string]string{"SHARED": "yes"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, rehearsalFile), document, 0o600); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func TestVisits(t *testing.T) {
	t.Parallel()
	s, dir := up(t)
	address, err := visit(t.Context(), dir, "repository", "acme/config")
	if err != nil || !strings.HasPrefix(address, "http://alice:ghp_") || !strings.HasSuffix(address, "/acme/config.git\n") {
		t.Errorf("repository: %q, %v", address, err)
	}
	if _, err := visit(
		t.Context(), dir, "app", "acme-ask", "--on", "acme/config", "--for", "acme/config", "--as", "ASK", "--permission",
		"actions=write",
	); err != nil {
		t.Error(err)
	}
	secrets, vars := s.GitHub.Variables("acme/config")
	if vars["SHARED"] != "yes" || vars["ASK_ID"] == "" || !strings.Contains(secrets["ASK_KEY"], "PRIVATE KEY") {
		t.Errorf("the repository has %v and %d secrets", vars, len(secrets))
	}
	if _, err := visit(t.Context(), dir, "set", "acme/config", "STORE", "here"); err != nil {
		t.Error(err)
	}
	if _, err := visit(t.Context(), dir, "team", "acme/platform", "bob"); err != nil {
		t.Error(err)
	}
	if token, err := visit(t.Context(), dir, "token", "--permission", "members=read"); err != nil || !strings.HasPrefix(token, "ghp_") {
		t.Errorf("token: %q, %v", token, err)
	}
	if _, vars := s.GitHub.Variables("acme/config"); vars["STORE"] != "here" {
		t.Errorf("set: %v", vars)
	}
	if out, err := visit(t.Context(), dir, "wait", "--timeout", "1m"); err != nil || out != "" {
		t.Errorf("wait: %q, %v", out, err)
	}
	if out, err := visit(t.Context(), dir, "pulls", "acme/config"); err != nil || out != "" {
		t.Errorf("pulls: %q, %v", out, err)
	}
	// Nobody but the App moves main from here on.
	if _, err := visit(t.Context(), dir, "protect", "acme/config", "--required", "waybill/check", "--bypass", "acme-ask"); err != nil {
		t.Error(err)
	}
	if err := s.GitHub.CreateRepository(t.Context(), githubd.Seed{Name: "acme/config"}); err == nil {
		t.Error("the repository is not there")
	}
}

func TestVisitsRefuse(t *testing.T) {
	t.Parallel()
	_, dir := up(t)
	empty := t.TempDir()
	for _, c := range []struct {
		dir, want string
		args      []string
		code      int
	}{
		{"", "--dir is missing", []string{"pulls", "acme/config"}, outcome.Usage},
		{empty, "no rehearsal is served there: start it with", []string{"pulls", "acme/config"}, outcome.Broken},
		{dir, "SCOPE=read or SCOPE=write", []string{"app", "x", "--on", "a/b", "--for", "a/b", "--permission", "actions"}, outcome.Usage},
		{dir, "app needs --on and --for", []string{"app", "x"}, outcome.Usage},
		{dir, "SCOPE=read or SCOPE=write", []string{"token", "--permission", "actions"}, outcome.Usage},
		{dir, `"one" is not the number`, []string{"comment", "acme/config", "one", "/approve"}, outcome.Usage},
		{dir, "404", []string{"pull", "acme/none", "branch"}, outcome.Broken},
		{dir, "404", []string{"comment", "acme/none", "1", "/approve"}, outcome.Broken},
		{dir, `"one" is not the number`, []string{"merge", "acme/config", "one"}, outcome.Usage},
		{dir, "there is no such repository", []string{"protect", "acme/none"}, outcome.Broken},
		{dir, "has no pull request #7", []string{"pulls", "acme/none", "--body", "7"}, outcome.Broken},
	} {
		if out, err := visit(t.Context(), c.dir, c.args...); err == nil || !strings.Contains(err.Error(), c.want) ||
			outcome.Code(err) != c.code {
			t.Errorf("%v: got %q and %v (exit %d), want %q", c.args, out, err, outcome.Code(err), c.want)
		}
	}
	// Patience has an end.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := visit(ctx, empty, "wait"); err == nil || !strings.Contains(err.Error(), "no rehearsal is served there") {
		t.Errorf("wait: %v", err)
	}
}

func TestServeDeliveryRefuses(t *testing.T) {
	t.Parallel()
	used, checkout := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"waybill", "waybill-scan", "tools/act", "tools/fulcio", "tools/rekor-server", "tools/timestamp-server"} {
		at := filepath.Join(checkout, "bin", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		"run make build tools-demo":           {"--delivery", "--dir", t.TempDir(), "--root", t.TempDir()},
		"is not empty":                        {"--delivery", "--dir", used, "--root", checkout},
		"--delivery brings its own --act and": {"--delivery", "--dir", t.TempDir(), "--act", "none"},
	} {
		cmd, _, _ := command(t.Context(), args...)
		if err := cmd.ExecuteContext(t.Context()); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
}

// A run is told of once.
func TestSeen(t *testing.T) {
	t.Parallel()
	v := &visitor{dir: t.TempDir()}
	for _, c := range []struct{ runs, want int }{{2, 0}, {2, 2}, {3, 2}, {1, 1}} {
		if got, err := v.seen(make([]githubd.Run, c.runs)); err != nil || got != c.want {
			t.Errorf("of %d runs %d were seen before, %v; want %d", c.runs, got, err, c.want)
		}
	}
}
