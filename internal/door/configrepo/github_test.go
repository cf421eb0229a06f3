package configrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
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
		"forward": {"/git/refs/heads/main$", "head"}, "own branch": {"/api/graphql$", ""},
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

// The race is lost between looking at the head and moving it.
func TestRaceLostInTheLastStep(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"forward": "/git/refs/heads/main$", "rebuilt": "/api/graphql$"} {
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
			if _, err := g.Commit(t.Context(), r); !errors.Is(err, configrepo.ErrMoved) || !strings.Contains(err.Error(), "is at "+theirs) {
				t.Errorf("got %v, want ErrMoved that names %s", err, theirs)
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
	fault := sandbox.Fault{
		Path: "/git/refs/heads/main$", Status: 422,
		Body: `{"message":"Repository rule violations found\n\nChanges must be made through a pull request."}`,
	}
	if err := server.AddFault(fault); err != nil {
		t.Fatal(err)
	}
	if _, err := deploy(t, g, "main"); errors.Is(err, configrepo.ErrMoved) || err == nil ||
		!strings.Contains(err.Error(), "Changes must be made through a pull request") {
		t.Errorf("a rule: got %v", err)
	}
	fault.Status = 409
	if err := server.AddFault(fault); err != nil {
		t.Fatal(err)
	}
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
