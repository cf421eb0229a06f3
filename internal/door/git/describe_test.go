package git

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		out, err := RunEnv(t.Context(), dir, []string{
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=c", "GIT_COMMITTER_EMAIL=c@example.com",
			"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-02-03T04:05:06Z",
		}, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	describe := func() Description {
		t.Helper()
		d, err := Describe(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}

	if got := describe(); got != (Description{}) {
		t.Errorf("outside a repository: got %+v, want nothing", got)
	}
	run("init", "-q", "-b", "main")
	root, _ := filepath.EvalSymlinks(dir)
	if got := describe(); got.Commit != "" || got.Root != root {
		t.Errorf("without a commit: got %+v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run("add", "f")
	run("commit", "-q", "-m", "one")
	run("remote", "add", "origin", "https://user:secret@github.com/acme/app.git")
	want := Description{
		Root: root, Repository: "https://github.com/acme/app", Commit: run("rev-parse", "HEAD"),
		CommitTime: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Ref: "refs/heads/main",
	}
	if diff := cmp.Diff(want, describe()); diff != "" {
		t.Error(diff)
	}
	run("tag", "v1.9.0")
	run("tag", "v1.10.0")
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want.Tag, want.Ref, want.Dirty = "v1.10.0", "refs/tags/v1.10.0", true
	if diff := cmp.Diff(want, describe()); diff != "" {
		t.Error(diff)
	}
}

func TestHighest(t *testing.T) {
	t.Parallel()
	for want, tags := range map[string][]string{
		"v2.0.0": {"v2.0.0-rc.1", "v2.0.0", "v1.9.0"}, "v1.10.0": {"v1.10.0", "v1.9.0", "latest"},
		"2.0.1":  {"latest", "2.0.1", "v2", "v2.0.0"},
		"v3.0.0": {"v3", "v3.0.0", "v3.0"}, "nightly": {"nightly", "latest"}, "v1.0.0-rc.10": {"v1.0.0-rc.9", "v1.0.0-rc.10"},
	} {
		if got := highest(tags); got != want {
			t.Errorf("highest(%v) = %s, want %s", tags, got, want)
		}
	}
}

func TestTracked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if files, err := Tracked(t.Context(), dir); err != nil || files != nil {
		t.Errorf("outside a repository: %v, %v", files, err)
	}
	if _, err := Run(t.Context(), dir, "init", "-q"); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"sub/run me": 0o755, "sub/dir/f\u00fc": 0o600, "top": 0o644, "untracked": 0o644} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("x", filepath.Join(dir, "sub", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), dir, "add", "sub", "top"); err != nil {
		t.Fatal(err)
	}
	got, err := Tracked(t.Context(), filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"run me": true, "dir/f\u00fc": false, "link": false}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWebURL(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"https://github.com/acme/app.git":              "https://github.com/acme/app",
		"https://x-access-token:ghs_1@github.com/a/b":  "https://github.com/a/b",
		"git@github.com:acme/app.git":                  "https://github.com/acme/app",
		"ssh://git@git.example.com:2222/acme/app.git/": "https://git.example.com/acme/app",
		"http://127.0.0.1:8080/acme/app.git?token=1#x": "http://127.0.0.1:8080/acme/app",
		"/srv/git/app.git":                             "",
		"file:///srv/git/app.git":                      "",
		"../app":                                       "",
	} {
		if got := webURL(remote); got != want {
			t.Errorf("webURL(%q) = %q, want %q", remote, got, want)
		}
	}
}
