package configrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// onGitHub is a repository on the stand-in, to which faults can be added.
func onGitHub(t *testing.T, permissions map[string]string) (*configrepo.GitHub, *sandbox.Server) {
	t.Helper()
	server := githubtest.Start(t, sandbox.Options{})
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/config", Dir: seed(t), Private: true}); err != nil {
		t.Fatal(err)
	}
	token := server.CreateToken(sandbox.Token{Job: true, Repositories: []string{"acme/config"}, Permissions: permissions})
	client := must(github.New(github.Options{
		Token: token, APIURL: server.APIURL(), Sleep: func(context.Context, time.Duration) error { return nil },
	}))(t)
	return configrepo.NewGitHub(client, github.Repository{Owner: "acme", Name: "config"}), server
}

var writer = map[string]string{"contents": "write"}

// GitHub moved the branch and its answer was lost: that is no failure, and no
// second commit.
func TestLostAnswerToACommit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ path, expect string }{
		"forward": {"/api/graphql$", "head"}, "own branch": {"/api/graphql$", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, server := onGitHub(t, writer)
			head := must(g.Head(t.Context(), "main"))(t)
			r := configrepo.Request{
				Branch: "waybill/dev/a", Parent: head, Message: "m",
				Changes: []configrepo.Change{{Path: "x", Content: []byte("x")}},
			}
			if test.expect != "" {
				r.Branch, r.Expect = "main", head
			}
			if err := server.AddFault(sandbox.Fault{Path: test.path, Status: 502, Processed: true}); err != nil {
				t.Fatal(err)
			}
			sha := must(g.Commit(t.Context(), r))(t)
			if got := gitIn(t, server.GitDir("acme/config"), "rev-parse", r.Branch); got != sha {
				t.Errorf("%s is at %s, want %s", r.Branch, got, sha)
			}
		})
	}
}

// The same, and somebody else has committed since: the commit is still found.
func TestLostAnswerUnderAnotherCommit(t *testing.T) {
	t.Parallel()
	g, server := onGitHub(t, writer)
	dir := server.GitDir("acme/config")
	head := must(g.Head(t.Context(), "main"))(t)
	ours := ""
	for _, fault := range []sandbox.Fault{
		{Path: "/api/graphql$", Status: 502, Processed: true},
		{Path: "/ref/heads/main$", Before: func() {
			ours = gitIn(t, dir, "rev-parse", "main")
			gitIn(t, dir, "update-ref", "refs/heads/main", gitIn(t, dir, "commit-tree", ours+"^{tree}", "-p", ours, "-m", "theirs"))
		}},
	} {
		if err := server.AddFault(fault); err != nil {
			t.Fatal(err)
		}
	}
	sha := must(g.Commit(t.Context(), configrepo.Request{
		Branch: "main", Expect: head, Parent: head, Message: "m\n\nbody", Changes: []configrepo.Change{{Path: "x", Content: []byte("x")}},
	}))(t)
	if sha != ours || ours == head || ours == "" {
		t.Errorf("got %s, want %s", sha, ours)
	}
}

// An answer that is lost before the commit arrived is asked for again.
func TestLostRequestForACommit(t *testing.T) {
	t.Parallel()
	g, server := onGitHub(t, writer)
	if err := server.AddFault(sandbox.Fault{Path: "/api/graphql$", Status: 502}); err != nil {
		t.Fatal(err)
	}
	sha := must(deploy(t, g, "main"))(t)
	if got := gitIn(t, server.GitDir("acme/config"), "rev-parse", "main"); got != sha {
		t.Errorf("main is at %s, want %s", got, sha)
	}
}

// A commit on top of a branch is one request, after the one that lists its files. What
// that request cannot say goes the other way.
func TestRequestsOfACommit(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		change configrepo.Change
		most   int
	}{
		"a file":            {configrepo.Change{Path: "waybill.yaml", Content: []byte("a: b\n")}, 2},
		"a new file":        {configrepo.Change{Path: "new", Content: []byte("a: b\n")}, 2},
		"a file less":       {configrepo.Change{Path: "waybill.yaml"}, 2},
		"an executable one": {configrepo.Change{Path: "run.sh", Content: []byte("#!/bin/sh\n")}, 6},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := configrepotest.GitHub(t, map[string]string{"waybill.yaml": "a: c\n", "run.sh": "true\n"})
			r.Git(t, "read-tree", "main")
			r.Git(t, "update-index", "--cacheinfo", "100755,"+r.Git(t, "rev-parse", "main:run.sh")+",run.sh")
			executable := r.Git(t, "commit-tree", "-p", "main", "-m", "x", r.Git(t, "write-tree"))
			r.Git(t, "update-ref", "refs/heads/main", executable)
			store := r.Open(t)
			head := must(store.Head(t.Context(), "main"))(t)
			r.Requests.Take()
			sha := must(store.Commit(t.Context(), configrepo.Request{
				Branch: "main", Expect: head, Parent: head, Message: "one\n\ntwo\n", Changes: []configrepo.Change{test.change},
			}))(t)
			n, asked := r.Requests.Take()
			if writes := r.Requests.Writes(); n+len(writes) > test.most || len(writes) == 0 {
				t.Errorf("%d reads and %d writes, want at most %d:\n%s\n%s", n, len(writes), test.most, asked, writes)
			}
			if mode := r.Git(t, "ls-tree", "--format=%(objectmode)", sha, "run.sh"); mode != "100755" {
				t.Errorf("run.sh has the mode %s", mode)
			}
			if got := strings.TrimSpace(r.Git(t, "log", "-1", "--format=%B", sha)); got != "one\n\ntwo" {
				t.Errorf("the message is %q", got)
			}
			if got := r.Git(t, "rev-parse", "main", sha+"^"); got != sha+"\n"+head {
				t.Errorf("main and the parent are %s", got)
			}
		})
	}
}

// The race is lost between looking at the head and moving it.
func TestRaceLostInTheLastStep(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"forward": "/api/graphql$", "rebuilt": "/api/graphql$"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, server := onGitHub(t, writer)
			dir := server.GitDir("acme/config")
			head := must(g.Head(t.Context(), "main"))(t)
			r := configrepo.Request{
				Branch: "main", Expect: head, Parent: head, Message: "m",
				Changes: []configrepo.Change{{Path: "x", Content: []byte("x")}},
			}
			if name == "rebuilt" {
				gitIn(t, dir, "update-ref", "refs/heads/own", gitIn(t, dir, "commit-tree", head+"^{tree}", "-p", head, "-m", "old"))
				r.Branch, r.Expect = "own", gitIn(t, dir, "rev-parse", "own")
			}
			theirs := gitIn(t, dir, "commit-tree", head+"^{tree}", "-p", head, "-m", "theirs")
			if err := server.AddFault(sandbox.Fault{
				Path: path, Before: func() { gitIn(t, dir, "update-ref", "refs/heads/"+r.Branch, theirs) },
			}); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"forward": "is at another commit", "rebuilt": "is at " + theirs}[name]
			if _, err := g.Commit(t.Context(), r); !errors.Is(err, configrepo.ErrMoved) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want ErrMoved that says %s", err, want)
			}
			if got := gitIn(t, dir, "rev-parse", r.Branch); got != theirs {
				t.Errorf("%s is at %s: their commit is lost", r.Branch, got)
			}
		})
	}
}

func TestWithoutPermissionIsNotMoved(t *testing.T) {
	t.Parallel()
	g, _ := onGitHub(t, map[string]string{"contents": "read"})
	head := must(g.Head(t.Context(), "main"))(t)
	_, err := g.Commit(t.Context(), configrepo.Request{
		Branch: "main", Expect: head, Parent: head, Message: "m", Changes: []configrepo.Change{{Path: "x", Content: []byte("x")}},
	})
	if errors.Is(err, configrepo.ErrMoved) || err == nil || !strings.Contains(err.Error(), "the token needs contents: write") {
		t.Errorf("got %v", err)
	}
	if err := g.DeleteBranch(t.Context(), "main", head); errors.Is(err, configrepo.ErrMoved) || err == nil ||
		!strings.Contains(err.Error(), "the token needs contents: write") {
		t.Errorf("delete: got %v", err)
	}
}

// A snapshot of a commit is downloaded once.
func TestSnapshotIsCached(t *testing.T) {
	t.Parallel()
	g, server := onGitHub(t, writer)
	first := must(g.Snapshot(t.Context(), "main"))(t)
	if err := server.AddFault(sandbox.Fault{Path: "/(tarball|git)/", Status: 404, Count: 99}); err != nil {
		t.Fatal(err)
	}
	if second := must(g.Snapshot(t.Context(), first.Commit))(t); second != first {
		t.Error("read again")
	}
	if data := must(g.File(t.Context(), first.Commit, "waybill.yaml"))(t); string(data) != seedFiles["waybill.yaml"] {
		t.Errorf("file: %q", data)
	}
}

// The bot's commits carry no author of ours: GitHub signs only those.
func TestCommitNamesNoAuthor(t *testing.T) {
	t.Parallel()
	g, server := onGitHub(t, writer)
	sha := must(deploy(t, g, "main"))(t)
	if got := gitIn(t, server.GitDir("acme/config"), "log", "-1", "--format=%an|%cn", sha); got != sandbox.BotLogin+"|GitHub" {
		t.Errorf("got %q", got)
	}
}

// A rule that forbids the push is no lost race: trying again would not help. A
// conflict is.
func TestRefusedByRules(t *testing.T) {
	t.Parallel()
	g, server := onGitHub(t, writer)
	refuse := func(kind, message string) {
		t.Helper()
		if err := server.AddFault(sandbox.Fault{
			Path:   "/api/graphql$",
			Status: 200,
			Body:   `{"data": {"createCommitOnBranch": null}, "errors": [{"type": "` + kind + `", "message": "` + message + `"}]}`,
		}); err != nil {
			t.Fatal(err)
		}
	}
	refuse("UNPROCESSABLE", `Repository rule violations found\n\nChanges must be made through a pull request.`)
	if _, err := deploy(t, g, "main"); errors.Is(err, configrepo.ErrMoved) || err == nil ||
		!strings.Contains(err.Error(), "Changes must be made through a pull request") {
		t.Errorf("a rule: got %v", err)
	}
	refuse("STALE_DATA", "Expected branch to point to another commit")
	if _, err := deploy(t, g, "main"); !errors.Is(err, configrepo.ErrMoved) {
		t.Errorf("a conflict: got %v", err)
	}
}

// An archive that is cut off on the way is read again.
func TestArchiveCutOff(t *testing.T) {
	t.Parallel()
	for i, want := range []string{"", "read the archive of acme/config@"} {
		g, server := onGitHub(t, writer)
		if err := server.AddFault(sandbox.Fault{Path: "/_codeload/", Status: 200, Body: "half", Count: 1 + i}); err != nil {
			t.Fatal(err)
		}
		_, err := g.Snapshot(t.Context(), "main")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("cut off %d times: got %v", 1+i, err)
		}
	}
}
