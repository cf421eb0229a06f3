package configrepo_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func openLocal(t *testing.T, dir string, o configrepo.LocalOptions) *configrepo.Local {
	t.Helper()
	return must(configrepo.OpenLocal(t.Context(), dir, o))(t)
}

func deploy(t *testing.T, s store, branch string) (string, error) {
	t.Helper()
	head := must(s.Head(t.Context(), branch))(t)
	return s.Commit(t.Context(), configrepo.Request{
		Branch: branch, Expect: head, Parent: head, Message: "m",
		Changes: []configrepo.Change{{Path: "apps/a/overlays/dev/kustomization.yaml", Content: []byte("a: 2\n")}},
	})
}

const overlay = "apps/a/overlays/dev/kustomization.yaml"

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCleanWorkingTreeFollows(t *testing.T) {
	t.Parallel()
	dir := seedClone(t)
	if err := os.WriteFile(filepath.Join(dir, "untracked"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := openLocal(t, filepath.Join(dir, "apps"), configrepo.LocalOptions{Name: "n", Email: "e"})
	if _, err := deploy(t, l, "main"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, overlay)); got != "a: 2\n" {
		t.Errorf("the working tree holds %q", got)
	}
	if got := gitIn(t, dir, "status", "--porcelain"); got != "?? untracked" {
		t.Errorf("status: got %q, want only the file that was there before", got)
	}
}

func TestUncommittedChangesAreKept(t *testing.T) {
	t.Parallel()
	dir := seedClone(t)
	head := gitIn(t, dir, "rev-parse", "main")
	if err := os.WriteFile(filepath.Join(dir, "waybill.yaml"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := deploy(t, openLocal(t, dir, configrepo.LocalOptions{}), "main")
	if err == nil || !strings.Contains(err.Error(), "main is checked out in "+dir+" with uncommitted changes") ||
		!strings.Contains(err.Error(), "waybill.yaml") {
		t.Errorf("got %v", err)
	}
	if got := gitIn(t, dir, "rev-parse", "main"); got != head || read(t, filepath.Join(dir, "waybill.yaml")) != "mine" {
		t.Errorf("main is at %s (want %s), the file holds %q", got, head, read(t, filepath.Join(dir, "waybill.yaml")))
	}
	// Another branch does not concern the working tree.
	gitIn(t, dir, "branch", "other")
	sha, err := deploy(t, openLocal(t, dir, configrepo.LocalOptions{}), "other")
	if err != nil || gitIn(t, dir, "rev-parse", "other") != sha || read(t, filepath.Join(dir, "waybill.yaml")) != "mine" {
		t.Errorf("commit to another branch: %v", err)
	}
}

// An untracked file where the commit brings one: neither is lost.
func TestUntrackedFileInTheWay(t *testing.T) {
	t.Parallel()
	dir := seedClone(t)
	head := gitIn(t, dir, "rev-parse", "main")
	if err := os.WriteFile(filepath.Join(dir, "new"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := openLocal(t, dir, configrepo.LocalOptions{}).Commit(t.Context(), configrepo.Request{
		Branch: "main", Expect: head, Parent: head, Message: "m",
		Changes: []configrepo.Change{{Path: "new", Content: []byte("theirs")}},
	})
	if err == nil || !strings.Contains(err.Error(), "Untracked working tree file 'new' would be overwritten") ||
		read(t, filepath.Join(dir, "new")) != "mine" {
		t.Errorf("got %v, file %q", err, read(t, filepath.Join(dir, "new")))
	}
	if got := gitIn(t, dir, "rev-parse", "main") + gitIn(t, dir, "status", "--porcelain"); got != head+"?? new" {
		t.Errorf("afterwards: %q", got)
	}
}

// A repository's hooks and filters do not run, and attributes do not rewrite
// what is committed.
func TestNothingOfTheRepositoryRuns(t *testing.T) {
	t.Parallel()
	dir := seedClone(t)
	mark := filepath.Join(t.TempDir(), "ran")
	for _, hook := range []string{"pre-commit", "reference-transaction", "post-checkout", "post-commit", "pre-push"} {
		if err := os.WriteFile(
			filepath.Join(dir, ".git", "hooks", hook), []byte("#!/bin/sh\necho "+hook+" >> "+mark+"\n"), 0o755,
		); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := deploy(t, openLocal(t, dir, configrepo.LocalOptions{}), "main"); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(mark); err == nil {
		t.Errorf("hooks ran: %s", data)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.WriteFile(
		filepath.Join(home, ".gitconfig"), []byte("[user]\nname = Grace\nemail = grace@example.com\n[commit]\ngpgSign = true\n"),
		0o644,
	); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		o    configrepo.LocalOptions
		want string
	}{
		"given":               {configrepo.LocalOptions{Name: "N", Email: "n@x", Env: []string{"HOME=" + home}}, "N n@x N n@x"},
		"git's configuration": {configrepo.LocalOptions{Env: []string{"HOME=" + home}}, "Grace grace@example.com Grace grace@example.com"},
		"none": {
			configrepo.LocalOptions{Env: []string{"HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1"}},
			"waybill waybill@localhost waybill waybill@localhost",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := seedClone(t)
			sha := must(deploy(t, openLocal(t, dir, test.o), "main"))(t)
			if got := gitIn(t, dir, "log", "-1", "--format=%an %ae %cn %ce", sha); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// With Push, origin decides: a local branch that is behind does not matter, and
// one that is level follows.
func TestPush(t *testing.T) {
	t.Parallel()
	bare := filepath.Join(t.TempDir(), "bare.git")
	gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", seedClone(t), bare)
	clone := t.TempDir()
	gitIn(t, clone, "clone", "--quiet", bare, ".")
	l := openLocal(t, clone, configrepo.LocalOptions{Push: true})
	first := must(deploy(t, l, "main"))(t)
	if got := gitIn(t, clone, "rev-parse", "main"); got != first || read(t, filepath.Join(clone, overlay)) != "a: 2\n" {
		t.Errorf("the local branch is at %s, want %s", got, first)
	}
	other := openLocal(t, bare, configrepo.LocalOptions{})
	head := gitIn(t, bare, "rev-parse", "main")
	newer := must(other.Commit(t.Context(), configrepo.Request{
		Branch: "main", Expect: head, Parent: head, Message: "m", Changes: []configrepo.Change{{Path: "x", Content: []byte("x")}},
	}))(t)
	if got := must(l.Head(t.Context(), "main"))(t); got != newer {
		t.Errorf("head: got %s, want origin's %s", got, newer)
	}
	third := must(l.Commit(t.Context(), configrepo.Request{
		Branch: "main", Expect: newer, Parent: newer, Message: "m", Changes: []configrepo.Change{{Path: "y", Content: []byte("y")}},
	}))(t)
	if got := gitIn(t, bare, "rev-parse", "main"); got != third {
		t.Errorf("origin is at %s, want %s", got, third)
	}
	if got := gitIn(t, clone, "rev-parse", "main"); got != first {
		t.Errorf("the local branch that was behind moved to %s", got)
	}
}

func TestOpenLocalRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := configrepo.OpenLocal(t.Context(), dir, configrepo.LocalOptions{})
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), dir+" is not in a git repository") {
		t.Errorf("got %v", err)
	}
	clone := seedClone(t)
	gitIn(t, clone, "checkout", "--quiet", "--detach")
	if _, err := openLocal(t, clone, configrepo.LocalOptions{}).DefaultBranch(t.Context()); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), "name the branch") {
		t.Errorf("detached: got %v", err)
	}
}

// An interrupt leaves the branch where it was, or moved with its working tree;
// doing it again ends well either way.
func TestInterruptedCommit(t *testing.T) {
	t.Parallel()
	dir := seedClone(t)
	head := gitIn(t, dir, "rev-parse", "main")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := openLocal(t, dir, configrepo.LocalOptions{})
	_, err := l.Commit(ctx, configrepo.Request{
		Branch: "main", Expect: head, Parent: head, Message: "m", Changes: []configrepo.Change{{Path: "x", Content: []byte("x")}},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := gitIn(t, dir, "rev-parse", "main") + gitIn(t, dir, "status", "--porcelain"); got != head {
		t.Errorf("afterwards: %q", got)
	}
	if _, err := deploy(t, l, "main"); err != nil {
		t.Errorf("again: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".git", "*index.lock")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A shallow clone takes commits, and does not pretend to know the history.
func TestShallowClone(t *testing.T) {
	t.Parallel()
	bare := filepath.Join(t.TempDir(), "bare.git")
	origin := seedClone(t)
	gitIn(t, origin, "commit", "--quiet", "--allow-empty", "-m", "second")
	gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", origin, bare)
	clone := t.TempDir()
	gitIn(t, clone, "clone", "--quiet", "--depth=1", "file://"+bare, ".")
	l := openLocal(t, clone, configrepo.LocalOptions{Push: true})
	if log := must(l.Log(t.Context(), "main", "", 1))(t); len(log) != 1 || log[0].Message != "second" {
		t.Errorf("the head itself: %+v", log)
	}
	sha := must(deploy(t, l, "main"))(t)
	if got := gitIn(t, bare, "rev-parse", "main"); got != sha {
		t.Errorf("origin is at %s, want %s", got, sha)
	}
	if log := must(l.Log(t.Context(), sha, overlay, 1))(t); len(log) != 1 || log[0].SHA != sha {
		t.Errorf("what the clone knows: %+v", log)
	}
	if _, err := l.Log(t.Context(), sha, overlay, 0); err == nil || !strings.Contains(err.Error(), "it is not all in the shallow clone") {
		t.Errorf("what it does not know: got %v", err)
	}
}

func TestPushErrorsHoldNoCredentials(t *testing.T) {
	t.Parallel()
	dir := seedClone(t)
	gitIn(t, dir, "remote", "add", "origin", "http://ada:s3cret@127.0.0.1:1/acme/config.git")
	_, err := openLocal(t, dir, configrepo.LocalOptions{Push: true}).Head(t.Context(), "main")
	if err == nil || !strings.Contains(err.Error(), "read branch main at origin") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// Somebody who takes no turns moves the branch between looking and moving.
func TestLocalRaceLostInTheLastStep(t *testing.T) {
	t.Parallel()
	for _, push := range []bool{false, true} {
		for _, expected := range []bool{true, false} { // or a branch that appears
			bare := filepath.Join(t.TempDir(), "bare.git")
			gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", seedClone(t), bare)
			dir := bare
			if push {
				dir = t.TempDir()
				gitIn(t, dir, "clone", "--quiet", bare, ".")
			}
			head := gitIn(t, bare, "rev-parse", "main")
			theirs := gitIn(t, bare, "commit-tree", head+"^{tree}", "-p", head, "-m", "theirs")
			r := configrepo.Request{
				Branch: "main", Expect: head, Parent: head, Message: "m",
				Changes: []configrepo.Change{{Path: "x", Content: []byte("x")}},
			}
			if !expected {
				r.Branch, r.Expect = "own", ""
			}
			l := openLocal(t, dir, configrepo.LocalOptions{Push: push, Now: func() time.Time {
				gitIn(t, bare, "update-ref", "refs/heads/"+r.Branch, theirs)
				return time.Unix(1e9, 0)
			}})
			if _, err := l.Commit(t.Context(), r); !errors.Is(err, configrepo.ErrMoved) {
				t.Errorf("push %t, branch %s: got %v, want ErrMoved", push, r.Branch, err)
			}
			if got := gitIn(t, bare, "rev-parse", r.Branch); got != theirs {
				t.Errorf("push %t, branch %s: their commit is lost", push, r.Branch)
			}
		}
	}
}
