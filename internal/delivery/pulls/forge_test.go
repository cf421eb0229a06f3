package pulls_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func open(t *testing.T) (*configrepotest.Repo, pulls.Forge) {
	t.Helper()
	r := configrepotest.GitHub(t, map[string]string{"README.md": "begin\n"})
	return r, pulls.Forge{API: r.API, Repository: r.Name, Branch: "main", StatusContext: "waybill/check", Now: r.Clock.Now}
}

// The config repository stands in for a source repository here.
func TestRelate(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	base, _ := r.Head(t.Context(), "main")
	side := r.Write(t, "side", "side", map[string]string{"a": "1\n"})
	next := r.Write(t, "main", "next", map[string]string{"b": "1\n"})
	for what, test := range map[string]struct {
		repository, base, head string
		want                   rules.Relation
	}{
		"ahead":                 {"acme/config", base, next, rules.Newer},
		"behind":                {"acme/config", next, base, rules.Older},
		"the same":              {"acme/config", next, next, rules.Same},
		"diverged":              {"acme/config", next, side, rules.Diverged},
		"a commit that is gone": {"acme/config", base, strings.Repeat("1", 40), rules.Unknown},
		"another's repository":  {"acme/secret", base, next, rules.Unknown},
		"no repository":         {"nothing", base, next, rules.Unknown},
	} {
		if got, err := f.Relate(t.Context(), test.repository, test.base, test.head); err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", what, got, err, test.want)
		}
	}
	if err := r.Server.AddFault(sandbox.Fault{Method: "GET", Path: "/compare/", Status: 500, Count: 100}); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Relate(t.Context(), "acme/config", base, next); err == nil {
		t.Errorf("trouble was taken for an answer: %s", got)
	}
}

func TestCommits(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	base, _ := r.Head(t.Context(), "main")
	one := r.Write(t, "main", "One\n\nand more", map[string]string{"a": "1\n"})
	two := r.Write(t, "main", "Two", map[string]string{"a": "2\n"})
	got, total, ok, err := f.Commits(t.Context(), "acme/config", base, two)
	if err != nil || !ok || total != 2 {
		t.Fatalf("got %d, %v, %v", total, ok, err)
	}
	var list []string
	for _, c := range got {
		list = append(list, c.SHA+" "+c.Subject)
	}
	if diff := cmp.Diff([]string{two + " Two", one + " One"}, list); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	if _, _, ok, err := f.Commits(t.Context(), "acme/secret", base, two); ok || err != nil {
		t.Errorf("a repository that cannot be read: %v, %v", ok, err)
	}
	if got := f.Link("acme/config", "abc"); got != r.Server.URL()+"/acme/config/commit/abc" {
		t.Errorf("link: %s", got)
	}
}

func TestPast(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	past := func(head, want string) {
		t.Helper()
		merged, declined, err := f.Past(t.Context(), "side", head)
		got := map[[2]bool]string{{false, false}: "nothing", {true, false}: "merged", {false, true}: "declined"}[[2]bool{merged, declined}]
		if err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	head := r.Write(t, "side", "side", map[string]string{"a": "1\n"})
	past(head, "nothing")
	pull, err := f.OpenPull(t.Context(), "side", "main", "t", "b")
	if err != nil {
		t.Fatal(err)
	}
	past(head, "nothing")
	if err := f.ClosePull(t.Context(), pull.Number); err != nil {
		t.Fatal(err)
	}
	past(head, "declined")
	past(strings.Repeat("1", 40), "nothing")
	// Opened again and merged after all.
	if pull, err = f.OpenPull(t.Context(), "side", "main", "t", "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Server.MergePull(t.Context(), "acme/config", pull.Number, "ada", "merge"); err != nil {
		t.Fatal(err)
	}
	past(head, "merged")
}

// Whoever is too late to open a pull request gets the one that is there.
func TestOpenPullFindsTheOneThatIsThere(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	r.Write(t, "side", "side", map[string]string{"a": "1\n"})
	first, err := f.OpenPull(t.Context(), "side", "main", "t", "b")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := f.OpenPull(t.Context(), "side", "main", "t", "b"); err != nil || second.Number != first.Number {
		t.Errorf("got %+v, %v", second, err)
	}
	if _, err := f.OpenPull(t.Context(), "none", "main", "t", "b"); err == nil ||
		!strings.Contains(err.Error(), "open a pull request of acme/config from none into main") {
		t.Errorf("a branch that is not there: %v", err)
	}
}

func TestReviewers(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	r.Write(t, "side", "side", map[string]string{"a": "1\n"})
	pull, err := f.OpenPull(t.Context(), "side", "main", "t", "b")
	if err != nil {
		t.Fatal(err)
	}
	// A job may ask nobody but users; an App asks teams if it may read their members.
	reviewers := []string{"ada", "acme/platform"}
	if err := f.RequestReviewers(t.Context(), pull.Number, reviewers); err == nil ||
		!strings.Contains(err.Error(), "the App needs members: read of the organisation, and the team access to acme/config") {
		t.Errorf("a job asks a team: %v", err)
	}
	got := r.Server.Pulls("acme/config")[0]
	if diff := cmp.Diff([][]string{{"ada"}, nil}, [][]string{got.Reviewers, got.Teams}, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("users and teams, of a job (-want +got):\n%s", diff)
	}
	permissions := configrepotest.JobPermissions()
	permissions["members"] = "read"
	f.API = r.Client(t, sandbox.Token{App: "acme-waybill", User: "acme-waybill[bot]", Permissions: permissions})
	if err := f.RequestReviewers(t.Context(), pull.Number, reviewers); err != nil {
		t.Fatal(err)
	}
	got = r.Server.Pulls("acme/config")[0]
	if diff := cmp.Diff([][]string{{"ada"}, {"platform"}}, [][]string{got.Reviewers, got.Teams}); diff != "" {
		t.Errorf("users and teams (-want +got):\n%s", diff)
	}
}

// Without a workflow there is no check to start or wait for.
func TestWithoutCheck(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	head := r.Write(t, "side", "side", map[string]string{"a": "1\n"})
	if err := f.StartCheck(t.Context(), rules.Pull{Number: 1, Head: head}, true); err != nil || len(r.Requests.Writes()) != 0 {
		t.Errorf("a check was started: %v", err)
	}
	if checked, err := f.Checked(t.Context(), head); err != nil || !checked {
		t.Errorf("got %v, %v", checked, err)
	}
}

// What an App pushes starts the check by itself; what it did not push just now
// is asked for.
func TestAppsStartNoCheckTwice(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	f.CheckWorkflow, f.StatusContext, f.Starts = "check.yml", "waybill/check", true
	pull := rules.Pull{Number: 1, Head: r.Write(t, "side", "side", map[string]string{"a": "1\n"})}
	if err := f.StartCheck(t.Context(), pull, true); err != nil || len(r.Requests.Writes()) != 0 {
		t.Errorf("a check was started beside the one that the push starts: %v %v", err, r.Requests.Writes())
	}
	_ = f.StartCheck(t.Context(), pull, false)
	if len(r.Requests.Writes()) == 0 {
		t.Error("no check was asked for")
	}
	f.Starts = false
	before := len(r.Requests.Writes())
	_ = f.StartCheck(t.Context(), pull, true)
	if len(r.Requests.Writes()) == before {
		t.Error("a job token's push starts nothing, and nothing was asked for")
	}
}

// The App reads a private source repository with a token for that alone; where
// it is not installed, the order of commits is unknown, which is no trouble.
func TestSourcesByApp(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	r.Clock.Pass(time.Since(r.Clock.Now())) // an App shows itself by the clock
	for _, name := range []string{"acme/backend", "acme/foreign"} {
		if err := r.Server.CreateRepository(t.Context(), sandbox.Seed{Name: name, Dir: t.TempDir(), Private: true}); err != nil {
			t.Fatal(err)
		}
	}
	id, key, err := r.Server.CreateApp(sandbox.App{
		Slug: "acme-waybill", Repositories: []string{"acme/config", "acme/backend"},
		Permissions: map[string]string{"contents": "write", "metadata": "read"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Sources = pulls.AppSources(github.Options{APIURL: r.Server.APIURL(), ServerURL: r.Server.URL()}, apps.App{ID: id, Key: key})
	commits := map[string]string{}
	for _, name := range []string{"acme/backend", "acme/foreign"} {
		sha, err := git.Run(t.Context(), r.Server.GitDir(name), "rev-parse", "main")
		if err != nil {
			t.Fatal(err)
		}
		commits[name] = sha
	}
	for name, want := range map[string]rules.Relation{
		"acme/backend": rules.Same, "acme/foreign": rules.Unknown, "acme/none": rules.Unknown,
	} {
		if got, err := f.Relate(t.Context(), name, commits[name], commits[name]); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
	client, err := f.Sources(t.Context(), github.Repository{Owner: "acme", Name: "backend"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SetStatus(
		t.Context(), github.Repository{Owner: "acme", Name: "backend"}, commits["acme/backend"],
		github.Status{Context: "x", State: "success"},
	); !github.IsStatus(err, http.StatusForbidden) {
		t.Errorf("the token may write: %v", err)
	}
	if err := r.Server.AddFault(sandbox.Fault{Method: "GET", Path: "/repos/acme/other/installation", Status: 500, Count: 100}); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Relate(t.Context(), "acme/other", commits["acme/backend"], commits["acme/backend"]); err == nil {
		t.Errorf("trouble was taken for an answer: %s", got)
	}
}

// A comment of somebody else that begins with the marker is not Waybill's.
func TestCommentsOfOthersStay(t *testing.T) {
	t.Parallel()
	r, f := open(t)
	r.Write(t, "topic", "topic", map[string]string{"a": "1\n"})
	pull, err := f.OpenPull(t.Context(), "topic", "main", "t", "b")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := github.New(github.Options{
		APIURL: r.Server.APIURL(), ServerURL: r.Server.URL(), Token: r.Server.CreateToken(sandbox.Token{User: "bob"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.Comment(t.Context(), r.Name, pull.Number, "<!-- m -->\nbob's"); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"one", "two", "<!-- m -->\ntwo"} {
		if err := f.Comment(t.Context(), pull.Number, "<!-- m -->", body); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"<!-- m -->\nbob's", "<!-- m -->\ntwo"}, r.Server.Pulls("acme/config")[0].Comments); diff != "" {
		t.Error(diff)
	}
}
