package drift_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// issueWorld is a repository whose issues a job keeps.
type issueWorld struct {
	t      *testing.T
	github *sandbox.Server
	clock  *atomic.Int64 // seconds that GitHub is ahead
	api    *github.Client
	every  []roots.Root
}

const repoName = "acme/infra"

func newIssueWorld(t *testing.T) *issueWorld {
	t.Helper()
	clock := new(atomic.Int64)
	server := githubtest.Start(t, sandbox.Options{Now: func() time.Time { return time.Unix(1_800_000_000+clock.Add(1), 0) }})
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: repoName}); err != nil {
		t.Fatal(err)
	}
	w := &issueWorld{t: t, github: server, clock: clock, every: []roots.Root{}}
	w.api = w.client(sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read", "issues": "write"}})
	return w
}

func (w *issueWorld) client(token sandbox.Token) *github.Client {
	w.t.Helper()
	api, err := github.New(github.Options{
		Token: w.github.CreateToken(token), APIURL: w.github.APIURL(), ServerURL: w.github.URL(), Sleep: noSleep,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return api
}

// as sends a request as a person.
func (w *issueWorld) as(user, method, path string, body any) {
	w.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(
		w.t.Context(), method, w.github.APIURL()+"/repos/"+repoName+path, strings.NewReader(string(data)),
	)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.github.CreateToken(sandbox.Token{User: user}))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
}

func drifted(dir string, addresses ...string) drift.Root {
	r := drift.Root{Dir: dir, Workspace: "default", Status: drift.Drifted}
	for _, a := range addresses {
		r.Drift = append(r.Drift, drift.Resource{
			Back: "changed back",
			Resource: summary.Resource{
				Address: a, Action: summary.Change, Attributes: []summary.Attribute{{Path: "size", Before: "1", After: "9"}},
			},
		})
	}
	return r
}

func clean(dir string) drift.Root {
	return drift.Root{Dir: dir, Workspace: "default", Status: drift.Clean}
}

func broken(dir string) drift.Root {
	return drift.Root{Dir: dir, Workspace: "default", Status: drift.Broken, Problem: "why"}
}

func (w *issueWorld) keep(roots ...drift.Root) *drift.Report {
	w.t.Helper()
	report := &drift.Report{Roots: roots}
	if err := w.tracker().Keep(w.t.Context(), report); err != nil {
		w.t.Fatal(err)
	}
	return report
}

func (w *issueWorld) tracker() drift.Tracker {
	repo, err := github.ParseRepository(repoName)
	if err != nil {
		w.t.Fatal(err)
	}
	return drift.Tracker{API: w.api, Repo: repo, Label: "drift", Every: w.every}
}

// wants holds the issues against lines: number, state, comments, title.
func (w *issueWorld) wants(lines ...string) []sandbox.Issue {
	w.t.Helper()
	var got []string
	issues := w.github.Issues(repoName)
	for _, i := range issues {
		got = append(got, fmt.Sprintf("%d %s %d %s", i.Number, i.State, len(i.Comments), i.Title))
	}
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		w.t.Fatalf("the issues are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
	return issues
}

func action(t *testing.T, r *drift.Report, want string) {
	t.Helper()
	got := ""
	if r.Roots[0].Issue != nil {
		got = r.Roots[0].Issue.Action
	}
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The life of an issue: nothing, opened, unchanged, updated, left, closed,
// opened again.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	action(t, w.keep(clean("a"), broken("b")), "")
	w.wants()
	action(t, w.keep(drifted("a", "x.one"), clean("b")), drift.Opened)
	opened := w.wants("1 open 0 Drift in a: 1 resource")[0]
	if opened.Author != sandbox.BotLogin || strings.Join(opened.Labels, ",") != "drift" || !strings.Contains(opened.Body, "`x.one`") {
		t.Errorf("%+v", opened)
	}
	action(t, w.keep(drifted("a", "x.one")), drift.Unchanged)
	if again := w.github.Issues(repoName)[0]; again.Updated != opened.Updated {
		t.Errorf("drift that is the same edits the issue: %s, then %s", opened.Updated, again.Updated)
	}
	action(t, w.keep(drifted("a", "x.one", "x.two")), drift.Updated)
	w.wants("1 open 0 Drift in a: 2 resources")
	action(t, w.keep(broken("a")), drift.Left)
	w.wants("1 open 0 Drift in a: 2 resources")
	before := time.Time{}
	for i := range 2 { // the second time there is nothing to do
		action(t, w.keep(clean("a")), []string{drift.Closed, ""}[i])
		closed := w.wants("1 closed 1 Drift in a: 2 resources")[0]
		if i == 1 && !closed.Updated.Equal(before) {
			t.Error("an issue that is closed is edited")
		}
		before = closed.Updated
		if closed.Reason != "completed" || !strings.Contains(closed.Body, "No drift any more") ||
			!strings.Contains(closed.Comments[0], "No drift any more") {
			t.Errorf("%+v", closed)
		}
	}
	action(t, w.keep(broken("a")), "")
	// Even drift that is the very same: the issue was closed because it was gone.
	action(t, w.keep(drifted("a", "x.one", "x.two")), drift.Reopened)
	w.wants("1 open 1 Drift in a: 2 resources")
}

// Somebody who closes an issue is heard, until something else drifts.
func TestClosedByHand(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	w.keep(drifted("a", "x.one"))
	w.as("ada", "PATCH", "/issues/1", map[string]any{"state": "closed", "state_reason": "not_planned"})
	action(t, w.keep(drifted("a", "x.one")), drift.ByHand)
	w.wants("1 closed 0 Drift in a: 1 resource")
	action(t, w.keep(drifted("a", "x.two")), drift.Reopened)
	w.wants("1 open 0 Drift in a: 1 resource")
	w.as("ada", "PATCH", "/issues/1", map[string]any{"state": "closed"})
	w.keep(clean("a"))
	if i := w.wants("1 closed 0 Drift in a: 1 resource")[0]; !strings.Contains(i.Body, "No drift any more") {
		t.Errorf("the issue that was closed by hand does not say that the drift is gone: %s", i.Body)
	}
	action(t, w.keep(drifted("a", "x.two")), drift.Reopened)
}

// Text that somebody wrote into an open issue is replaced; one that lost its
// label or its marker is not ours any more.
func TestEdited(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	w.keep(drifted("a", "x.one"))
	before := w.github.Issues(repoName)[0]
	w.as("ada", "PATCH", "/issues/1", map[string]any{"body": before.Body + "all is well"})
	action(t, w.keep(drifted("a", "x.one")), drift.Updated)
	if now := w.github.Issues(repoName)[0].Body; now != before.Body {
		t.Errorf("the body is %s", now)
	}
	w.as("ada", "PATCH", "/issues/1", map[string]any{"title": "Nothing to see"})
	action(t, w.keep(drifted("a", "x.one")), drift.Updated)
	w.wants("1 open 0 Drift in a: 1 resource")
	w.as("ada", "PATCH", "/issues/1", map[string]any{"labels": []string{"mine"}})
	action(t, w.keep(drifted("a", "x.one")), drift.Opened)
	w.wants("1 open 0 Drift in a: 1 resource", "2 open 0 Drift in a: 1 resource")
	// Of two that are ours, the open one counts.
	w.as("ada", "PATCH", "/issues/1", map[string]any{"labels": []string{"drift"}, "state": "closed"})
	action(t, w.keep(drifted("a", "x.one")), drift.Unchanged)
	w.wants("1 closed 0 Drift in a: 1 resource", "2 open 0 Drift in a: 1 resource")
	w.as("ada", "PATCH", "/issues/1", map[string]any{"labels": []string{}})
	w.as("ada", "PATCH", "/issues/2", map[string]any{"body": "mine now\n" + before.Body})
	action(t, w.keep(drifted("a", "x.one")), drift.Opened)
}

// A marker in an issue of somebody else is only text.
func TestForeignMarker(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	body := drifted("a", "x.one").Body(markdown.MaxComment)
	w.as("mallory", "POST", "/issues", map[string]any{"title": "Drift in a: 1 resource", "body": body, "labels": []string{"drift"}})
	action(t, w.keep(drifted("a", "x.one")), drift.Opened)
	w.keep(clean("a"))
	issues := w.wants("1 open 0 Drift in a: 1 resource", "2 closed 1 Drift in a: 1 resource")
	if issues[0].Body != body {
		t.Error("somebody else's issue was changed")
	}
}

// A pull request is not an issue, though GitHub lists it as one, and one issue
// that several runs opened is left.
func TestDoubles(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	w.keep(drifted("a", "x.one"))
	repo, err := github.ParseRepository(repoName)
	if err != nil {
		t.Fatal(err)
	}
	r := drifted("a", "x.one")
	for range 2 {
		if _, err := w.api.OpenIssue(t.Context(), repo, github.NewIssue{
			Title: r.Title(), Body: r.Body(markdown.MaxComment), Label: "drift",
		}); err != nil {
			t.Fatal(err)
		}
	}
	action(t, w.keep(r), drift.Unchanged)
	const title = "Drift in a: 1 resource"
	issues := w.wants("1 open 0 "+title, "2 closed 1 "+title, "3 closed 1 "+title)
	if issues[1].Reason != "not_planned" || !strings.Contains(issues[1].Comments[0], "#1 is the issue of this root") {
		t.Errorf("%+v", issues[1])
	}
	w.keep(clean("a"))
	action(t, w.keep(r), drift.Reopened)
	w.wants("1 open 1 "+title, "2 closed 1 "+title, "3 closed 1 "+title)
}

// The issue of a root that is no longer there is closed, where all roots were
// looked at.
func TestRootIsGone(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	w.keep(drifted("a", "x.one"), drifted("b", "x.one"))
	w.every = nil
	w.keep(clean("b"))
	w.wants("1 open 0 Drift in a: 1 resource", "2 closed 1 Drift in b: 1 resource")
	w.every = []roots.Root{{Dir: "a"}, {Dir: "b"}} // another job looks at a
	w.keep(clean("b"))
	w.wants("1 open 0 Drift in a: 1 resource", "2 closed 1 Drift in b: 1 resource")
	w.every = []roots.Root{{Dir: "a", Workspace: "dev"}, {Dir: "b"}}
	w.keep(clean("b"))
	w.keep(clean("b"))
	issues := w.wants("1 closed 1 Drift in a: 1 resource", "2 closed 1 Drift in b: 1 resource")
	if !strings.Contains(issues[0].Comments[0], "no longer one of the roots") {
		t.Errorf("%+v", issues[0])
	}
	// It is there again.
	action(t, w.keep(drifted("a", "x.one")), drift.Reopened)
}

// Workspaces of a directory are roots of their own.
func TestWorkspaces(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	blue := drifted("a", "x.one")
	blue.Workspace = "blue"
	w.keep(drifted("a", "x.one"), blue)
	w.wants("1 open 0 Drift in a: 1 resource", "2 open 0 Drift in a (blue): 1 resource")
	blue.Status, blue.Drift = drift.Clean, nil
	w.keep(drifted("a", "x.one"), blue)
	w.wants("1 open 0 Drift in a: 1 resource", "2 closed 1 Drift in a (blue): 1 resource")
}

// What GitHub does not do is said; the other roots still get theirs.
func TestTrouble(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	w.keep(drifted("a", "x.one"))
	if err := w.github.AddFault(sandbox.Fault{Method: "PATCH", Path: "/issues/1$", Status: 403, Body: `{"message":"no"}`}); err != nil {
		t.Fatal(err)
	}
	report := &drift.Report{Roots: []drift.Root{drifted("a", "x.two"), drifted("b", "x.one")}}
	if err := w.tracker().Keep(t.Context(), report); err == nil ||
		!strings.Contains(err.Error(), "a: edit issue acme/infra#1: GitHub answers 403") {
		t.Errorf("%v", err)
	}
	w.wants("1 open 0 Drift in a: 1 resource", "2 open 0 Drift in b: 1 resource")
	// An answer that was lost opens no second issue.
	if err := w.github.AddFault(sandbox.Fault{Method: "POST", Path: "/issues$", Status: 502, Processed: true}); err != nil {
		t.Fatal(err)
	}
	w.keep(drifted("a", "x.one"), drifted("b", "x.one"), drifted("c", "x.one"))
	w.wants("1 open 0 Drift in a: 1 resource", "2 open 0 Drift in b: 1 resource", "3 open 0 Drift in c: 1 resource")
	// A permission that is missing is named.
	w.api = w.client(sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read", "issues": "read"}})
	if err := w.tracker().Keep(t.Context(), &drift.Report{Roots: []drift.Root{drifted("d", "x.one")}}); err == nil ||
		!strings.Contains(err.Error(), "the token needs issues: write") {
		t.Errorf("%v", err)
	}
}

// Lists longer than a page are read to their end.
func TestManyIssues(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	var roots []drift.Root
	for i := range 103 {
		roots = append(roots, drifted(fmt.Sprintf("r%03d", i), "x.one"))
	}
	w.keep(roots...)
	w.keep(roots...)
	if issues := w.github.Issues(repoName); len(issues) != len(roots) {
		t.Errorf("%d issues for %d roots", len(issues), len(roots))
	}
}

// Whatever a directory is called, its issue is found again.
func TestHostileDirectory(t *testing.T) {
	t.Parallel()
	w := newIssueWorld(t)
	r := drifted("a --> <!-- ##[group] \"\n", "x.one")
	w.keep(r)
	action(t, w.keep(r), drift.Unchanged)
}
