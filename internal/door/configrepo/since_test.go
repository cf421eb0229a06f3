package configrepo_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// dated makes a commit on main that claims a time, without a clock or a server
// that would object.
func dated(t *testing.T, r *configrepotest.Repo, when, path string) string {
	t.Helper()
	parent := r.Git(t, "rev-parse", "main")
	tree := gitTree(t, r.GitDir, parent, path, gitPipe(t, r.GitDir, when+path))
	return gitAt(t, r.GitDir, when, "commit-tree", tree, "-p", parent, "-m", path)
}

func sinceOf(t *testing.T, store configrepotest.Store, path string) []string {
	t.Helper()
	var got []string
	for _, e := range must(store.Log(t.Context(), "main", path, 0))(t) {
		got = append(got, e.Since.UTC().Format("2006-01-02 15:04"))
	}
	return got
}

// A commit is no older than what it stands on, also where that touched another
// file, and one of the future holds up nobody but itself.
func TestTimesOfCommitsAreBelievedWithinBounds(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, map[string]string{"a": "x"})
	for _, c := range [][2]string{
		{"2026-11-20T18:00:00Z", "other"}, {"2020-01-01T00:00:00Z", "f"}, {"2099-01-01T00:00:00Z", "other"},
		{"2026-11-20T19:00:00Z", "f"}, {"2098-01-01T00:00:00Z", "f"},
	} {
		r.Git(t, "update-ref", "refs/heads/main", dated(t, r, c[0], c[1]))
	}
	got := sinceOf(t, r, "f")
	if len(got) != 3 || got[1] != "2026-11-20 19:00" || got[2] != "2026-11-20 18:00" {
		t.Errorf("got %v", got)
	}
	if future, err := time.Parse("2006-01-02 15:04", got[0]); err != nil || future.After(time.Now()) ||
		future.Before(time.Now().Add(-time.Hour)) {
		t.Errorf("a commit of the future counts from %s", got[0])
	}
}

// On GitHub the time counts at which GitHub saw the branch move.
func TestGitHubSaysWhenABranchMoved(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*configrepotest.Repo, func(sha string)) {
		r := configrepotest.GitHub(t, map[string]string{"a": "x"})
		return r, func(sha string) {
			t.Helper()
			r.Clock.Pass(time.Hour)
			if err := r.API.UpdateRef(t.Context(), r.Name, "main", r.Git(t, "rev-parse", "main"), sha); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("dated back, and ahead", func(t *testing.T) {
		t.Parallel()
		r, push := start(t)
		push(dated(t, r, "2020-01-01T00:00:00Z", "f"))
		push(dated(t, r, "2026-11-20T23:00:00Z", "f"))
		push(dated(t, r, "2099-01-01T00:00:00Z", "f"))
		if got := strings.Join(sinceOf(t, r.Open(t), "f"), ", "); got != "2026-11-20 15:00, 2026-11-20 14:00, 2026-11-20 13:00" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("two commits in one push", func(t *testing.T) {
		t.Parallel()
		r, push := start(t)
		one := dated(t, r, "2020-01-01T00:00:00Z", "f")
		tree := gitTree(t, r.GitDir, one, "other", gitPipe(t, r.GitDir, "more"))
		push(gitAt(t, r.GitDir, "2020-01-02T00:00:00Z", "commit-tree", tree, "-p", one, "-m", "other"))
		if got := strings.Join(sinceOf(t, r.Open(t), "f"), ", "); got != "2026-11-20 13:00" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("taken away and put back", func(t *testing.T) {
		t.Parallel()
		r, push := start(t)
		before := r.Git(t, "rev-parse", "main")
		with := dated(t, r, "2020-01-01T00:00:00Z", "f")
		push(with)
		push(before)
		push(with)
		if got := strings.Join(sinceOf(t, r.Open(t), "f"), ", "); got != "2026-11-20 15:00" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("not listed yet", func(t *testing.T) {
		t.Parallel()
		r, push := start(t)
		push(dated(t, r, "2020-01-01T00:00:00Z", "other"))
		r.Git(t, "update-ref", "refs/heads/main", dated(t, r, "2020-01-02T00:00:00Z", "f"))
		since := must(r.Open(t).Log(t.Context(), "main", "f", 0))(t)[0].Since
		if since.Before(r.Clock.Now()) {
			t.Errorf("got %s, want now", since)
		}
	})
	t.Run("a server without the list", func(t *testing.T) {
		t.Parallel()
		r, push := start(t)
		push(dated(t, r, "2020-01-01T00:00:00Z", "f"))
		floor := must(r.Log(t.Context(), "main", "a", 0))(t)[0].Time.UTC().Format("2006-01-02 15:04")
		if err := r.Server.AddFault(sandbox.Fault{Method: "GET", Path: "/activity", Status: http.StatusNotFound}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(sinceOf(t, r.Open(t), "f"), ", "); got != floor {
			t.Errorf("got %s, want %s", got, floor)
		}
	})
	t.Run("trouble", func(t *testing.T) {
		t.Parallel()
		r, push := start(t)
		push(dated(t, r, "2020-01-01T00:00:00Z", "f"))
		if err := r.Server.AddFault(sandbox.Fault{Method: "GET", Path: "/activity", Status: 500, Count: 100}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Open(t).Log(t.Context(), "main", "f", 0); err == nil ||
			!strings.Contains(err.Error(), "find when main of acme/config moved") {
			t.Errorf("got %v", err)
		}
	})
}
