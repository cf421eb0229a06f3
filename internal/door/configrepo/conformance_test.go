package configrepo_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// store is what both implementations do.
type store interface {
	DefaultBranch(ctx context.Context) (string, error)
	Resolve(ctx context.Context, rev string) (string, error)
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	File(ctx context.Context, rev, path string) ([]byte, error)
	Log(ctx context.Context, rev, path string, limit int) ([]configrepo.Entry, error)
	Commit(ctx context.Context, r configrepo.Request) (string, error)
	DeleteBranch(ctx context.Context, branch, expect string) error
}

// place is a config repository, opened as often as there are writers, and its
// git directory to look into.
type place struct {
	open   func(t testing.TB) store
	gitDir string
}

func gitIn(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := git.RunEnv(t.Context(), dir, []string{
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
	}, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var seedFiles = map[string]string{
	"waybill.yaml": "apiVersion: waybill.dev/v1\n", "apps/a/overlays/dev/kustomization.yaml": "a: 1\n", "apps/b/values.yaml": "b: 1\r\n",
	"no newline.txt": "no newline", "ümlaut/ß.yaml": "u: 1\n", "empty": "", "binary": "\x00\xff\xfe",
	// Attributes that change what an archive holds.
	".gitattributes": "hidden export-ignore\nsubst export-subst\n", "hidden": "here all the same\n", "subst": "$Format:%H$\n",
}

// seed makes a working directory with files of every kind, uncommitted.
func seed(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range seedFiles {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("waybill.yaml", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func seedClone(t testing.TB) string {
	t.Helper()
	dir := seed(t)
	gitIn(t, dir, "init", "--quiet", "--initial-branch=main")
	gitIn(t, dir, "add", "--all")
	gitIn(t, dir, "commit", "--quiet", "-m", "Begin")
	return dir
}

func localPlace(t testing.TB, dir string, o configrepo.LocalOptions) place {
	o.Name, o.Email = "waybill", "waybill@example.com"
	return place{gitDir: dir, open: func(t testing.TB) store {
		l, err := configrepo.OpenLocal(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}}
}

func places(t *testing.T) map[string]func(t *testing.T) place {
	return map[string]func(t *testing.T) place{
		"working directory": func(t *testing.T) place { return localPlace(t, seedClone(t), configrepo.LocalOptions{}) },
		"bare": func(t *testing.T) place {
			dir := filepath.Join(t.TempDir(), "bare.git")
			gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", seedClone(t), dir)
			return localPlace(t, dir, configrepo.LocalOptions{})
		},
		"clone that pushes": func(t *testing.T) place {
			bare := filepath.Join(t.TempDir(), "bare.git")
			gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", seedClone(t), bare)
			return place{gitDir: bare, open: func(t testing.TB) store {
				clone := t.TempDir()
				gitIn(t, clone, "clone", "--quiet", bare, ".")
				return localPlace(t, clone, configrepo.LocalOptions{Push: true}).open(t)
			}}
		},
		"GitHub":                    func(t *testing.T) place { return githubPlace(t, sandbox.Options{}) },
		"GitHub, which cuts a list": func(t *testing.T) place { return githubPlace(t, sandbox.Options{ListsAtMost: 3}) },
	}
}

func githubPlace(t *testing.T, o sandbox.Options) place {
	server := githubtest.Start(t, o)
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/config", Dir: seed(t), Private: true}); err != nil {
		t.Fatal(err)
	}
	token := server.CreateToken(sandbox.Token{
		Job: true, Repositories: []string{"acme/config"}, Permissions: map[string]string{"contents": "write"},
	})
	return place{gitDir: server.GitDir("acme/config"), open: func(t testing.TB) store {
		client, err := github.New(github.Options{Token: token, APIURL: server.APIURL(), ServerURL: server.URL()})
		if err != nil {
			t.Fatal(err)
		}
		return configrepo.NewGitHub(client, github.Repository{Owner: "acme", Name: "config"})
	}}
}

// everywhere runs a test against each implementation.
func everywhere(t *testing.T, test func(t *testing.T, s store, p place)) {
	for name, make := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := make(t)
			test(t, p.open(t), p)
		})
	}
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestSnapshotHoldsEveryRegularFile(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		if got := must(s.DefaultBranch(t.Context()))(t); got != "main" {
			t.Errorf("default branch: got %q", got)
		}
		head := must(s.Head(t.Context(), "main"))(t)
		if got := must(s.Resolve(t.Context(), "main"))(t); got != head || got != gitIn(t, p.gitDir, "rev-parse", "main") {
			t.Errorf("main: Resolve gives %s, Head %s, git %s", got, head, gitIn(t, p.gitDir, "rev-parse", "main"))
		}
		snapshot := must(s.Snapshot(t.Context(), "main"))(t)
		if snapshot.Commit != head {
			t.Errorf("snapshot of %s, want %s", snapshot.Commit, head)
		}
		want := maps.Clone(seedFiles)
		want["run.sh"], want["link.yaml"] = "#!/bin/sh\n", seedFiles["waybill.yaml"]
		got := map[string]string{}
		for name, data := range snapshot.Files {
			got[name] = string(data)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
		if len(snapshot.Links) != 1 || snapshot.Links["link.yaml"] == "" {
			t.Errorf("links: %v", snapshot.Links)
		}
		if data := must(s.File(t.Context(), head, "apps/b/values.yaml"))(t); string(data) != "b: 1\r\n" {
			t.Errorf("file: got %q", data)
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		ctx := t.Context()
		_, head := s.Head(ctx, "nothing")
		_, rev := s.Resolve(ctx, "nothing")
		_, sha := s.Resolve(ctx, strings.Repeat("1", 40))
		_, snapshot := s.Snapshot(ctx, "nothing")
		_, file := s.File(ctx, "main", "apps/nothing")
		_, directory := s.File(ctx, "main", "apps/a")
		_, link := s.File(ctx, "main", "link.yaml")
		_, log := s.Log(ctx, "nothing", "", 0)
		for what, err := range map[string]error{
			"head": head, "revision": rev, "commit": sha, "snapshot": snapshot, "file": file, "directory as a file": directory,
			"link as a file": link, "log": log,
		} {
			if !errors.Is(err, configrepo.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", what, err)
			}
		}
	})
}

func TestCommit(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		ctx := t.Context()
		head := must(s.Head(ctx, "main"))(t)
		sha := must(s.Commit(ctx, configrepo.Request{
			Branch: "main", Expect: head, Parent: head, Message: "Deploy\n\nWaybill-App: a\n",
			Changes: []configrepo.Change{
				{Path: "apps/a/overlays/dev/kustomization.yaml", Content: []byte("a: 2\n")},
				{Path: "run.sh", Content: []byte("#!/bin/bash\n")},
				{Path: "apps/new/ü.bin", Content: []byte{0, 255}}, {Path: "apps/new/empty", Content: []byte{}}, {Path: "hidden"},
			},
		}))(t)
		if got := must(s.Head(ctx, "main"))(t); got != sha || got != gitIn(t, p.gitDir, "rev-parse", "main") {
			t.Errorf("main is at %s (git: %s), want the new commit %s", got, gitIn(t, p.gitDir, "rev-parse", "main"), sha)
		}
		want := ":100644 100644 M\tapps/a/overlays/dev/kustomization.yaml\n:000000 100644 A\tapps/new/empty\n:000000 100644 " +
			"A\tapps/new/ü.bin\n:100644 000000 D\thidden\n:100755 100755 M\trun.sh"
		var got []string
		for _, line := range strings.Split(gitIn(t, p.gitDir, "diff-tree", "-r", "--no-commit-id", sha), "\n") {
			f := strings.Fields(line)
			got = append(got, f[0]+" "+f[1]+" "+f[4]+"\t"+strings.SplitN(line, "\t", 2)[1])
		}
		if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("what the commit changes (-want +got):\n%s", diff)
		}
		if got := gitIn(t, p.gitDir, "log", "-1", "--format=%P|%B", sha); strings.TrimSpace(got) != head+"|Deploy\n\nWaybill-App: a" {
			t.Errorf("parent and message: got %q", got)
		}
		log := must(s.Log(ctx, "main", "apps/a", 0))(t)
		if len(log) != 2 || log[0].SHA != sha || log[1].SHA != head || log[0].Message != "Deploy\n\nWaybill-App: a" ||
			log[0].Time.IsZero() || log[0].AuthorName == "" || log[0].AuthorEmail == "" {
			t.Errorf("log: got %+v", log)
		}
		if log := must(s.Log(ctx, "main", "apps/b", 0))(t); len(log) != 1 || log[0].SHA != head {
			t.Errorf("log of a path that the commit leaves alone: got %+v", log)
		}
		if log := must(s.Log(ctx, "main", "", 1))(t); len(log) != 1 || log[0].SHA != sha {
			t.Errorf("log with a limit: got %+v", log)
		}
	})
}

func TestCommitOnlyWhereTheBranchIsExpected(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		ctx := t.Context()
		first := must(s.Head(ctx, "main"))(t)
		request := func(expect, parent, content string) configrepo.Request {
			return configrepo.Request{
				Branch: "main", Expect: expect, Parent: parent, Message: "m",
				Changes: []configrepo.Change{{Path: "f", Content: []byte(content)}},
			}
		}
		second := must(s.Commit(ctx, request(first, first, "2")))(t)
		for what, r := range map[string]configrepo.Request{
			"forward from an older head": request(first, first, "3"), "moved from an older head": request(first, second, "3"),
			"a branch that exists": request("", first, "3"),
			"a branch that does not exist": {
				Branch: "none", Expect: first, Parent: first, Message: "m",
				Changes: []configrepo.Change{{Path: "f", Content: []byte("3")}},
			},
		} {
			if _, err := s.Commit(ctx, r); !errors.Is(err, configrepo.ErrMoved) {
				t.Errorf("%s: got %v, want ErrMoved", what, err)
			}
		}
		if got := gitIn(t, p.gitDir, "rev-parse", "main"); got != second {
			t.Errorf("main is at %s, want %s as before", got, second)
		}
		if _, err := s.Commit(ctx, request(second, second, "2")); !errors.Is(err, configrepo.ErrUnchanged) {
			t.Errorf("same content: got %v, want ErrUnchanged", err)
		}
		if got := gitIn(t, p.gitDir, "rev-parse", "main"); got != second {
			t.Errorf("an unchanged commit moved main to %s", got)
		}
	})
}

func TestOwnBranchIsRebuiltAndDeleted(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		ctx := t.Context()
		base := must(s.Head(ctx, "main"))(t)
		const branch = "waybill/staging/a"
		commit := func(branch, expect, parent, content string) string {
			t.Helper()
			return must(s.Commit(ctx, configrepo.Request{
				Branch: branch, Expect: expect, Parent: parent, Message: "m",
				Changes: []configrepo.Change{{Path: "f", Content: []byte(content)}},
			}))(t)
		}
		one := commit(branch, "", base, "1")
		newer := commit("main", base, base, "main")
		two := commit(branch, one, newer, "2")
		if got := must(s.Head(ctx, branch))(t); got != two {
			t.Errorf("branch is at %s, want %s", got, two)
		}
		if got := gitIn(t, p.gitDir, "rev-list", "--parents", "-1", two); got != two+" "+newer {
			t.Errorf("rebuilt commit and parents: got %s, want parent %s", got, newer)
		}
		if err := s.DeleteBranch(ctx, branch, one); !errors.Is(err, configrepo.ErrMoved) {
			t.Errorf("delete from an older head: got %v, want ErrMoved", err)
		}
		for range 2 { // the second finds it gone
			if err := s.DeleteBranch(ctx, branch, two); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
		if _, err := s.Head(ctx, branch); !errors.Is(err, configrepo.ErrNotFound) {
			t.Errorf("after deleting: got %v, want ErrNotFound", err)
		}
	})
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		head := must(s.Head(t.Context(), "main"))(t)
		x := []byte("x")
		for want, r := range map[string]configrepo.Request{
			`"../up" is not a path`:         {Branch: "main", Changes: []configrepo.Change{{Path: "../up", Content: x}}},
			`"/etc/x" is not a path`:        {Branch: "main", Changes: []configrepo.Change{{Path: "/etc/x", Content: x}}},
			`"a/.git/config" is not a path`: {Branch: "main", Changes: []configrepo.Change{{Path: "a/.git/config", Content: x}}},
			`a is changed twice`: {
				Branch: "main", Changes: []configrepo.Change{{Path: "a", Content: x}, {Path: "a", Content: x}},
			},
			`"--force" is not the name of a branch`:  {Branch: "--force", Changes: []configrepo.Change{{Path: "a", Content: x}}},
			`"a..b" is not the name of a branch`:     {Branch: "a..b", Changes: []configrepo.Change{{Path: "a", Content: x}}},
			`write link.yaml: it is a symbolic link`: {Branch: "main", Changes: []configrepo.Change{{Path: "link.yaml", Content: x}}},
			`write link.yaml/x: link.yaml above it is a symbolic link, submodule or file (mode 120000)`: {
				Branch: "main", Changes: []configrepo.Change{{Path: "link.yaml/x", Content: x}},
			},
			`write waybill.yaml/a/b: waybill.yaml above it is`: {
				Branch: "main", Changes: []configrepo.Change{{Path: "waybill.yaml/a/b", Content: x}},
			},
			`delete nothing: not found`: {Branch: "main", Changes: []configrepo.Change{{Path: "nothing"}}},
			`change nothing`:            {Branch: "main"},
		} {
			r.Expect, r.Parent, r.Message = head, head, "m"
			if _, err := s.Commit(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		if got := gitIn(t, p.gitDir, "rev-parse", "main"); got != head {
			t.Errorf("a refused request moved main to %s", got)
		}
	})
}
