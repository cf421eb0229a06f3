package github_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

var repo = github.Repository{Owner: "acme", Name: "config"}

// world is a sandbox with one private repository: main, and topic one commit
// ahead.
type world struct {
	*sandbox.Server
	main, topic string
	waits       []time.Duration // of the clients, which do not really wait
	mu          sync.Mutex
	now         time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	server := githubtest.Start(t, sandbox.Options{})
	w.Server = server
	dir := t.TempDir()
	writeFile(t, dir, "f", "1\n")
	writeFile(
		t, dir, ".github/workflows/bump.yml",
		"on:\n  workflow_dispatch:\n    inputs:\n      image: {required: true}\n      level: {type: choice, options: [a, b], "+
			"default: a}\njobs: {}\n",
	)
	writeFile(t, dir, ".github/workflows/push.yml", "on: push\njobs: {}\n")
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/config", Dir: dir, Private: true}); err != nil {
		t.Fatal(err)
	}
	w.main = w.git(t, "rev-parse", "main")
	w.topic = w.commit(t, "topic", w.main, "More\n\nbody")
	return w
}

// commit makes an empty commit on a branch, outside the API.
func (w *world) commit(t *testing.T, branch, parent, message string) string {
	t.Helper()
	sha := w.git(t, "commit-tree", parent+"^{tree}", "-p", parent, "-m", message)
	w.git(t, "update-ref", "refs/heads/"+branch, sha)
	return sha
}

func (w *world) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := git.RunEnv(
		t.Context(), w.GitDir("acme/config"),
		[]string{
			"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada",
			"GIT_COMMITTER_EMAIL=ada@example.com",
		},
		args...,
	)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// client has a token with permissions, such as "pull-requests: write"; none is
// all.
func (w *world) client(t *testing.T, permissions ...string) *github.Client {
	t.Helper()
	token := sandbox.Token{User: "ada"}
	if len(permissions) > 0 {
		token = sandbox.Token{Job: true, Repositories: []string{"acme/config"}, Permissions: map[string]string{}}
		for _, p := range permissions {
			scope, access, _ := strings.Cut(p, ": ")
			token.Permissions[scope] = access
		}
	}
	return w.clientWith(t, w.CreateToken(token))
}

func (w *world) clientWith(t *testing.T, token string) *github.Client {
	t.Helper()
	c, err := github.New(github.Options{Token: token, APIURL: w.APIURL(), ServerURL: w.URL(),
		Now: func() time.Time { return w.now }, Sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.waits = append(w.waits, d)
			return ctx.Err()
		}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) open(t *testing.T, c *github.Client) *github.PullRequest {
	t.Helper()
	p, err := c.OpenPull(t.Context(), repo, github.NewPull{Title: "t", Body: "b", Head: "topic", Base: "main"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) fault(t *testing.T, f sandbox.Fault) {
	t.Helper()
	if err := w.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got error %v, want it to say %q", err, text)
		}
	}
}

func TestPullRequestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	ctx := t.Context()
	if p, err := c.FindPull(ctx, repo, "topic", "main"); p != nil || err != nil {
		t.Fatalf("before it exists: got %v, %v", p, err)
	}
	opened := w.open(t, c)
	want := &github.PullRequest{
		Number: 1, Title: "t", Body: "b", State: "open", HeadRef: "topic", HeadSHA: w.topic, HeadRepo: "acme/config",
		BaseRef: "main", DefaultBranch: "main", BaseSHA: w.main,
		URL: w.URL() + "/acme/config/pull/1", Author: "ada", Mergeable: true,
	}
	if want.MergeSHA = opened.MergeSHA; want.MergeSHA == "" {
		t.Error("no trial merge")
	}
	if diff := cmp.Diff(want, opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	for what, get := range map[string]func() (*github.PullRequest, error){
		"FindPull": func() (*github.PullRequest, error) { return c.FindPull(ctx, repo, "topic", "main") },
		"Pull":     func() (*github.PullRequest, error) { return c.Pull(ctx, repo, 1) },
	} {
		want := *want
		want.Mergeable = what == "Pull" // lists do not say
		if got, err := get(); err != nil || cmp.Diff(&want, got) != "" {
			t.Errorf("%s: %v\n%s", what, err, cmp.Diff(&want, got))
		}
	}
	if other, err := c.FindPull(ctx, repo, "topic", "other"); other != nil || err != nil {
		t.Errorf("another base: got %v, %v", other, err)
	}
	edited, err := c.EditPull(ctx, repo, 1, "T2", "B2")
	if err != nil || edited.Title != "T2" || edited.Body != "B2" {
		t.Errorf("edited: %+v, %v", edited, err)
	}
	if err := c.RequestReviewers(ctx, repo, 1, []string{"bob"}, []string{"platform"}); err != nil {
		t.Error(err)
	}
	if err := c.AddLabels(ctx, repo, 1, "promotion", "prod"); err != nil {
		t.Error(err)
	}
	seen := w.Pulls("acme/config")[0]
	if diff := cmp.Diff(
		[][]string{{"bob"}, {"platform"}, {"promotion", "prod"}}, [][]string{seen.Reviewers, seen.Teams, seen.Labels},
	); diff != "" {
		t.Errorf("reviewers, teams, labels: %s", diff)
	}
	post(t, w, w.CreateToken(sandbox.Token{User: "bob"}), "/repos/acme/config/pulls/1/reviews", `{"event":"APPROVE","body":"approve a41f"}`)
	reviews, err := c.Reviews(ctx, repo, 1)
	if len(reviews) != 1 || reviews[0].ID == 0 || reviews[0].Submitted.IsZero() || reviews[0].URL == "" {
		t.Fatalf("reviews: %v %+v", err, reviews)
	}
	reviews[0] = github.Review{Author: reviews[0].Author, State: reviews[0].State, Body: reviews[0].Body, CommitID: reviews[0].CommitID}
	if diff := cmp.Diff(
		[]github.Review{{Author: "bob", State: "APPROVED", Body: "approve a41f", CommitID: w.topic}}, reviews,
	); diff != "" || err != nil {
		t.Errorf("reviews: %v %s", err, diff)
	}
	if err := c.ClosePull(ctx, repo, 1); err != nil {
		t.Error(err)
	}
	if p, err := c.Pull(ctx, repo, 1); err != nil || p.State != "closed" || p.Merged {
		t.Errorf("closed: %+v, %v", p, err)
	}
	if p, err := c.FindPull(ctx, repo, "topic", "main"); p != nil || err != nil {
		t.Errorf("after closing: got %v, %v", p, err)
	}
	again := w.open(t, c)
	if _, err := w.MergePull(ctx, "acme/config", again.Number, "bob", "merge"); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Pull(ctx, repo, 2); err != nil || p.State != "closed" || !p.Merged {
		t.Errorf("merged: %+v, %v", p, err)
	}
}

func TestRefusedPullRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	first := w.open(t, c)
	if again, err := c.OpenPull(t.Context(), repo, github.NewPull{Title: "t2", Head: "topic", Base: "main"}); err != nil ||
		again.Number != first.Number || again.Title != "t" {
		t.Errorf("somebody was faster: got %+v, %v, want the one that is there", again, err)
	}
	for want, n := range map[string]github.NewPull{
		"PullRequest base invalid":                       {Title: "t", Head: "topic", Base: "none"},
		"No commits between topic and main":              {Title: "t", Head: "main", Base: "topic"},
		"body is too long (maximum is 65536 characters)": {Title: "t", Head: "topic", Base: "main", Body: strings.Repeat("ü", 65537)},
	} {
		_, err := c.OpenPull(t.Context(), repo, n)
		wantError(t, err, "open a pull request of acme/config from "+n.Head+" into "+n.Base+": GitHub answers 422", want)
	}
	if _, err := c.EditPull(t.Context(), repo, 1, "t", strings.Repeat("ü", 65536)); err != nil {
		t.Errorf("65536 characters: %v", err)
	}
}

// Only a comment of one's own is edited: one of somebody else stays as it is,
// whatever it begins with.
func TestUpsertOwnComment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.open(t, c)
	me, err := c.Viewer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.clientWith(t, w.CreateToken(sandbox.Token{User: "bob"})).Comment(t.Context(), repo, 1, "<!-- m -->\nbob's"); err != nil {
		t.Fatal(err)
	}
	if err := c.Comment(t.Context(), repo, 1, "quoting <!-- m --> is not it"); err != nil {
		t.Fatal(err)
	}
	edits := 0
	w.fault(t, sandbox.Fault{Method: "PATCH", Path: "/issues/comments/", Count: 10, Before: func() { edits++ }})
	for _, body := range []string{"<!-- m -->\none", "<!-- m -->\ntwo", "<!-- m -->\ntwo"} {
		if err := c.UpsertOwnComment(t.Context(), repo, 1, github.OwnComment{Login: me, Marker: "<!-- m -->", Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	if edits != 1 {
		t.Errorf("%d edits: a comment that says the same is left alone", edits)
	}
	want := []string{"<!-- m -->\nbob's", "quoting <!-- m --> is not it", "<!-- m -->\ntwo"}
	if diff := cmp.Diff(want, w.Pulls("acme/config")[0].Comments); diff != "" {
		t.Error(diff)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, "statuses: write", "contents: read")
	long := strings.Repeat("ü", 141)
	for _, state := range []string{"pending", "success"} {
		if err := c.SetStatus(t.Context(), repo, w.topic, github.Status{
			Context: "waybill/check", State: state, Description: long, TargetURL: "https://x.test/1",
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Statuses(t.Context(), repo, w.topic)
	for i := range got {
		if got[i].Updated.IsZero() {
			t.Errorf("status %d has no time", i)
		}
		got[i].Updated = time.Time{}
	}
	want := []github.Status{{
		Context: "waybill/check", State: "success", Description: strings.Repeat("ü", 139) + "…", TargetURL: "https://x.test/1",
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	wantError(
		t, c.SetStatus(t.Context(), repo, w.topic, github.Status{Context: "c", State: "green"}),
		"set status c of acme/config@"+w.topic[:7]+": GitHub answers 422", "state is not included in the list",
	)
}

// Every status and the latest run of each check is listed, over several pages; one that
// has not ended, or whose start is unknown, is pending.
func TestChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, "statuses: write", "checks: read", "contents: read")
	if got, err := c.Checks(t.Context(), repo, w.topic); err != nil || len(got) != 0 {
		t.Errorf("nothing is said yet: %v %v", got, err)
	}
	for i, state := range append(slices.Repeat([]string{"success"}, 100), "failure") {
		if err := c.SetStatus(t.Context(), repo, w.topic, github.Status{Context: fmt.Sprint("ci", i), State: state}); err != nil {
			t.Fatal(err)
		}
	}
	early := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	jobs := []sandbox.RunJob{
		{Name: "again", Status: "completed", Conclusion: "failure", Started: early},
		{Name: "again", Status: "completed", Conclusion: "success", Started: early.Add(time.Minute)},
		{Name: "at once", Status: "completed", Conclusion: "success", Started: early},
		{Name: "at once", Status: "completed", Conclusion: "timed_out", Started: early},
		{Name: "queued anew", Status: "completed", Conclusion: "success", Started: early},
		{Name: "queued anew", Status: "queued"},
	}
	for _, job := range jobs {
		run := w.AddRun(sandbox.Run{Repository: "acme/config", HeadSHA: w.topic, Path: ".github/workflows/ci.yml"})
		w.UpdateRun("acme/config", run.ID, func(r *sandbox.Run) { r.Jobs = []sandbox.RunJob{job} })
	}
	got, err := c.Checks(t.Context(), repo, w.topic)
	var said []string
	for _, one := range got {
		if one.State != "success" || !one.Status {
			said = append(said, fmt.Sprintf("%s %t %s", one.Name, one.Status, one.State))
		}
	}
	slices.Sort(said)
	want := []string{
		"again false success", "at once false success", "at once false timed_out", "ci100 true failure", "queued anew false pending",
	}
	if diff := cmp.Diff(want, said); err != nil || diff != "" || len(got) != 105 {
		t.Errorf("%d, %v %s", len(got), err, diff)
	}
	for what, call := range map[string]func() error{
		"there is no such commit": func() error {
			_, err := c.Checks(t.Context(), repo, strings.Repeat("1", 40))
			return err
		},
		"not accessible": func() error {
			_, err := w.client(t, "statuses: read", "contents: read").Checks(t.Context(), repo, w.topic)
			return err
		},
	} {
		wantError(t, call(), what)
	}
}

// A branch is read with files of its very commit, and with the open pull requests that
// bear a label, over several pages.
func TestTip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.open(t, c)
	if err := c.AddLabels(t.Context(), repo, 1, "held"); err != nil {
		t.Fatal(err)
	}
	tip, err := c.Tip(t.Context(), repo, "main", []string{"f", "none"}, "held")
	if err != nil || tip.SHA != w.main || len(tip.Files) != 1 || !slices.Equal(tip.Labelled, []int{1}) {
		t.Errorf("%+v %v", tip, err)
	}
	if tip, err = c.Tip(t.Context(), repo, "main", nil, "other"); err != nil || tip.SHA != w.main || len(tip.Labelled) != 0 {
		t.Errorf("another label: %+v %v", tip, err)
	}
	page := func(numbers, info string) {
		w.fault(t, sandbox.Fault{Path: "/graphql$", Status: 200, Body: `{"data":{"repository":{"ref":{"target":{"oid":"` + w.main +
			`"}},"pullRequests":{"nodes":[` + numbers + `],"pageInfo":` + info + `}}}}`})
	}
	page(`{"number":7}`, `{"hasNextPage":true,"endCursor":"7"}`)
	page(`{"number":8}`, `{"hasNextPage":false,"endCursor":"8"}`)
	if tip, err = c.Tip(t.Context(), repo, "main", nil, "held"); err != nil || !slices.Equal(tip.Labelled, []int{7, 8}) {
		t.Errorf("two pages: %+v %v", tip, err)
	}
	_, err = c.Tip(t.Context(), repo, "none", nil, "")
	wantError(t, err, "read the tip of none of acme/config", "there is no such branch")
}

func TestDispatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, "actions: write", "contents: read")
	var events []sandbox.Event
	w.OnEvent(func(e sandbox.Event) { events = append(events, e) })
	if err := c.Dispatch(t.Context(), repo, "bump.yml", "main", map[string]string{"image": "x@sha256:1"}); err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || events[0].Name != "workflow_dispatch" || events[0].SHA != w.main || !events[0].StartsWorkflows() ||
		!cmp.Equal(events[0].Inputs, map[string]string{"image": "x@sha256:1", "level": "a"}) {
		t.Errorf("events: %+v", events)
	}
	for want, inputs := range map[string]map[string]string{
		"Required input 'image' not provided":      nil,
		`Unexpected inputs provided: ["other"]`:    {"image": "x", "other": "y"},
		"Provided value 'z' for input 'level' not": {"image": "x", "level": "z"},
	} {
		wantError(
			t, c.Dispatch(t.Context(), repo, "bump.yml", "main", inputs),
			"start workflow bump.yml of acme/config on main: GitHub answers 422", want,
		)
	}
	wantError(t, c.Dispatch(t.Context(), repo, "bump.yml", "gone", nil), "No ref found for: gone")
	wantError(t, c.Dispatch(t.Context(), repo, "push.yml", "main", nil), "does not have 'workflow_dispatch' trigger")
	wantError(t, c.Dispatch(t.Context(), repo, "none.yml", "main", nil), "404 Not Found", "does not exist, or it is private")
}

func TestUploadSARIF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, "security-events: write", "contents: read")
	upload := func(document string) (bool, error) {
		return c.UploadSARIF(t.Context(), repo, w.main, "refs/heads/main", []byte(document))
	}
	if done, err := upload(`{"version":"2.1.0","runs":[]}`); err != nil || !done {
		t.Error(done, err)
	}
	_, err := upload(`{}`)
	wantError(t, err, "upload SARIF for acme/config", "400 Bad Request", "not a SARIF document")
	_, err = upload(`{"runs":[` + strings.Repeat("{},", 20) + `{}]}`)
	wantError(t, err, "code scanning cannot process it: rejecting SARIF, as there are more runs than allowed (21 > 20)")
	noise := make([]byte, 12<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	_, err = upload(string(noise))
	wantError(t, err, "bytes compressed, and code scanning takes 10485760")
}

func TestListPullsByPrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.commit(t, "waybill/prod/a", w.main, "x")
	w.open(t, c)
	if _, err := c.OpenPull(t.Context(), repo, github.NewPull{
		Title: "promotion", Head: "waybill/prod/a", Base: "main", Draft: true,
	}); err != nil {
		t.Fatal(err)
	}
	pulls, err := c.ListPulls(t.Context(), repo, "waybill/")
	if err != nil || len(pulls) != 1 || pulls[0].Title != "promotion" || !pulls[0].Draft {
		t.Errorf("%v %+v", err, pulls)
	}
}

func TestParseRepository(t *testing.T) {
	t.Parallel()
	if got, err := github.ParseRepository("acme/config.v2"); err != nil || got.String() != "acme/config.v2" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "acme", "acme/", "/x", "a/b/c", "a/..", "a/b?c", "a b/c", "https://github.com/a/b"} {
		if _, err := github.ParseRepository(bad); outcome.Code(err) != outcome.Usage {
			t.Errorf("%q: got %v, want a usage error", bad, err)
		}
	}
}

func post(t *testing.T, w *world, token, path, body string) {
	t.Helper()
	send(t, w, token, http.MethodPost, path, body)
}

func send(t *testing.T, w *world, token, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.APIURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, data)
	}
}
