package githubd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// clone clones over smart HTTP with a token and gives a function that runs git
// in the clone.
func (f *fixture) clone(token string) (func(args ...string) (string, error), error) {
	dir := f.t.TempDir()
	run := func(args ...string) (string, error) {
		return git.RunEnv(f.t.Context(), dir, f.identity("ada"), args...)
	}
	url := f.URL() + "/acme/x.git"
	if token != "" {
		url = strings.Replace(url, "http://", "http://x-access-token:"+token+"@", 1)
	}
	_, err := run("clone", "--quiet", url, ".")
	return run, err
}

func TestGitOverHTTP(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if _, err := f.clone(""); err == nil {
		t.Error("a private repository was cloned without a token")
	}
	if _, err := f.clone(f.CreateToken(Token{Job: true, Repositories: []string{"acme/other"}})); err == nil ||
		!strings.Contains(err.Error(), "not found") {
		t.Errorf("a token of another repository: got %v", err)
	}
	reader, err := f.clone(f.CreateToken(Token{
		Job: true, Repositories: []string{"acme/x"}, Permissions: map[string]string{"contents": "read"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader("push", "--quiet", "origin", "HEAD:refs/heads/other"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("contents: read pushes: got %v", err)
	}
	var mu sync.Mutex
	var events []Event
	f.OnEvent(func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	})
	writer, err := f.clone(f.token)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"commit", "--quiet", "--allow-empty", "-m", "two"}, {"tag", "v1"},
		{"push", "--quiet", "origin", "HEAD:main", "v1", ":spare"},
	} {
		if _, err := writer(args...); err != nil {
			t.Fatal(err)
		}
	}
	head := f.git("rev-parse", "main")
	got := map[string]string{}
	for _, e := range events {
		got[e.Name+" "+e.Ref] = e.Before + " " + e.SHA + " " + e.Actor
	}
	want := map[string]string{
		"push refs/heads/main": f.main + " " + head + " ada", "push refs/tags/v1": zeroOID + " " + head + " ada",
		"push refs/heads/spare": f.topic + " " + zeroOID + " ada",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestPullRequestFollowsItsBranch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var events []string
	f.OnEvent(func(e Event) {
		if e.Name == "pull_request" {
			events = append(events, fmt.Sprintf("%s %d by job: %t", e.Action, e.Number, e.ByJob))
		}
	})
	f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
	job := f.CreateToken(Token{
		Job: true, Repositories: []string{"acme/x"}, Permissions: map[string]string{"contents": "write", "pull-requests": "write"},
	})
	next := f.git("commit-tree", "topic^{tree}", "-p", "topic", "-m", "next")
	if status, body, _ := f.send(job, "PATCH", "git/refs/heads/topic", `{"sha":"`+next+`"}`); status != 200 {
		t.Fatal(status, body)
	}
	if p := f.Pulls("acme/x")[0]; p.HeadSHA != next || f.git("rev-parse", "refs/pull/1/head") != next ||
		f.git("rev-parse", "refs/pull/1/merge^2") != next {
		t.Errorf("the pull request is at %s, want %s", p.HeadSHA, next)
	}
	if status, _, _ := f.send(f.token, "DELETE", "git/refs/heads/topic", ""); status != 204 || f.Pulls("acme/x")[0].State != "closed" {
		t.Errorf("after its branch is gone: %d, %+v", status, f.Pulls("acme/x")[0])
	}
	if diff := cmp.Diff([]string{"opened 1 by job: false", "synchronize 1 by job: true"}, events); diff != "" {
		t.Error(diff)
	}
}

// What GitHub says of a pull request's base is where that was at the last push of the head:
// it stays when the branch moves.
func TestTheBaseIsOfTheLastPush(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
	moved := func(branch, sha string) {
		t.Helper()
		if status, answer, _ := f.send(f.token, "PATCH", "git/refs/heads/"+branch, `{"sha":"`+sha+`"}`); status != 200 {
			t.Fatalf("%s: %d %v", branch, status, answer)
		}
	}
	base := func() any {
		_, answer, _ := f.send(f.token, "GET", "pulls/1", "")
		return answer.(map[string]any)["base"].(map[string]any)["sha"]
	}
	tip := f.git("commit-tree", f.treeWith("h", "main:f"), "-p", "main", "-m", "another")
	moved("main", tip)
	if got := base(); got != f.main {
		t.Errorf("the branch moved: %v, want %s", got, f.main)
	}
	moved("topic", f.git("commit-tree", "topic^{tree}", "-p", "topic", "-m", "more"))
	if got := base(); got != tip {
		t.Errorf("the head was pushed: %v, want %s", got, tip)
	}
}

func TestMergingNeedsTheRequiredStatus(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
	merge := func() error { _, err := f.MergePull(t.Context(), "acme/x", 1, "bob", "merge"); return err }
	refused := `Required status check "ci" is expected`
	if err := merge(); err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("without: %v", err)
	}
	for _, state := range []string{"success", "pending"} {
		f.send(f.token, "POST", "statuses/"+f.topic, `{"context":"ci","state":"`+state+`"}`)
	}
	if err := merge(); err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("pending again: %v", err)
	}
	f.send(f.token, "POST", "statuses/"+f.topic, `{"context":"ci","state":"success"}`)
	if status, body, _ := f.send(f.token, "PUT", "pulls/1/merge", `{"sha":"`+f.main+`"}`); status != 409 {
		t.Errorf("merging another head than the one that was looked at: %d %v", status, body)
	}
	if err := merge(); err != nil {
		t.Fatal(err)
	}
	if got := f.git("log", "-1", "--format=%P %an %s", "main"); got != f.main+" "+f.topic+" bob Merge pull request #1 from acme/topic" {
		t.Errorf("merge: %q", got)
	}
	if err := merge(); err == nil || !strings.Contains(err.Error(), "405 Pull Request is not mergeable") {
		t.Errorf("again: %v", err)
	}
}

// Where waybill/check judges, a pull request is merged only if it is built on the head
// of its base, as the documented ruleset has it.
func TestMergingNeedsTheHeadOfTheBase(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{"waybill/check": "1 of 1 required status checks are expected", "ci": ""} {
		f := newFixture(t)
		if err := f.SetRequired("acme/x", status); err != nil {
			t.Fatal(err)
		}
		f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
		f.send(f.token, "POST", "statuses/"+f.topic, `{"context":"`+status+`","state":"success"}`)
		f.git("update-ref", "refs/heads/main", f.git("commit-tree", "main^{tree}", "-p", "main", "-m", "next"))
		_, err := f.MergePull(t.Context(), "acme/x", 1, "bob", "merge")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestConflictIsNotMergeable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	change := func(branch, content string) {
		t.Helper()
		body := `{"base_tree":"` + f.main + `","tree":[{"path":"f","mode":"100644","type":"blob","content":"` + content + `"}]}`
		_, tree, _ := f.send(f.token, "POST", "git/trees", body)
		f.git("update-ref", "refs/heads/"+branch, f.git(
			"commit-tree", fmt.Sprint(tree.(map[string]any)["sha"]), "-p", f.main, "-m", content,
		))
	}
	change("topic", "ours")
	change("main", "theirs")
	_, body, _ := f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
	if m := body.(map[string]any); m["mergeable"] != false || m["mergeable_state"] != "dirty" {
		t.Errorf("mergeable: %v %v", m["mergeable"], m["mergeable_state"])
	}
	f.send(f.token, "POST", "statuses/"+f.git("rev-parse", "topic"), `{"context":"ci","state":"success"}`)
	if status, _, _ := f.send(f.token, "PUT", "pulls/1/merge", `{}`); status != 405 {
		t.Errorf("merging a conflict: %d", status)
	}
}

func TestNobodyApprovesTheirOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
	if status, body, _ := f.send(f.token, "POST", "pulls/1/reviews", `{"event":"APPROVE"}`); status != 422 {
		t.Errorf("own approval: %d %v", status, body)
	}
	if status, body, _ := f.send(f.CreateToken(Token{User: "bob"}), "POST", "pulls/1/reviews", `{"event":"APPROVE"}`); status != 200 {
		t.Errorf("approval: %d %v", status, body)
	}
}

// Each endpoint asks for its permission, and says which.
func TestEveryEndpointNeedsItsPermission(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	nothing := f.CreateToken(Token{Job: true, Repositories: []string{"acme/x"}, Permissions: map[string]string{}})
	elsewhere := f.CreateToken(Token{Job: true, Repositories: []string{"acme/y"}})
	for _, endpoint := range f.endpoints {
		method, path, _ := strings.Cut(endpoint, " /repos/{owner}/{repo}")
		for _, name := range []string{"{ref...}", "{sha}", "{rest...}", "{basehead...}", "{path...}", "{n}", "{file}", "{id}", "{branch}"} {
			path = strings.ReplaceAll(path, name, "1")
		}
		path = strings.TrimPrefix(path, "/")
		status, _, header := f.send(nothing, method, path, "{}")
		needs := header.Get("X-Accepted-Github-Permissions")
		if needs != "metadata=read" && (status != 403 || needs == "") {
			t.Errorf("%s without permission: %d, header %q", endpoint, status, needs)
		}
		if method != "GET" && !strings.HasSuffix(needs, "=write") {
			t.Errorf("%s needs only %q", endpoint, needs)
		}
		if status, _, _ := f.send(elsewhere, method, path, "{}"); status != 404 {
			t.Errorf("%s with a token of another repository: %d, want 404", endpoint, status)
		}
		if status, _, _ := f.send("wrong", method, path, "{}"); status != 401 {
			t.Errorf("%s with a wrong token: %d, want 401", endpoint, status)
		}
	}
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
	f.AddRun(Run{Repository: "acme/x", Path: "w.yml", HeadSHA: f.main})
	again, err := New(f.o)
	if err != nil {
		t.Fatal(err)
	}
	if runs := again.Runs(""); len(runs) != 1 || runs[0].Conclusion != "cancelled" {
		t.Errorf("a run that nobody carries out any more: %+v", runs)
	}
	if p := again.Pulls("acme/x"); len(p) != 1 || p[0].Title != "t" || p[0].HeadSHA != f.topic {
		t.Errorf("pull requests: %+v", p)
	}
	if err := again.CreateRepository(t.Context(), Seed{Name: "ACME/X"}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("the repository again: %v", err)
	}
	if err := os.WriteFile(filepath.Join(f.o.Dir, "github.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(f.o); err == nil || !strings.Contains(err.Error(), "github.json") {
		t.Errorf("broken state: %v", err)
	}
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := func(method, path, body string, want int) any {
		t.Helper()
		status, got, _ := f.send("", method, "/_sandbox/"+path, body)
		if status != want {
			t.Fatalf("%s %s: %d %v", method, path, status, got)
		}
		return got
	}
	token := admin("POST", "tokens", `{"user":"bob","permissions":{"contents":"read"}}`, 200).(map[string]any)["token"].(string)
	if status, _, _ := f.send(token, "GET", "git/ref/heads/main", ""); status != 200 {
		t.Errorf("the token reads: %d", status)
	}
	admin("POST", "repositories", `{"name":"acme/new"}`, 200)
	admin("POST", "repositories", `{"name":"acme"}`, 400)
	admin("POST", "repositories", `{"name":"acme/z","unknown":1}`, 400)
	admin("POST", "secrets", `{"repository":"acme/x","name":"A","value":"b"}`, 200)
	if secrets, _ := f.Variables("acme/x"); secrets["A"] != "b" {
		t.Errorf("secrets: %v", secrets)
	}
	admin("POST", "faults", `{"method":"GET","path":"/git/ref/","status":503,"headers":{"Retry-After":"3"},"count":1}`, 200)
	if status, _, header := f.send(token, "GET", "git/ref/heads/main", ""); status != 503 || header.Get("Retry-After") != "3" {
		t.Errorf("fault: %d %v", status, header)
	}
	if status, _, _ := f.send(token, "GET", "git/ref/heads/main", ""); status != 200 {
		t.Errorf("after the fault: %d", status)
	}
	admin("POST", "faults", `{"path":"("}`, 400)
	run := f.AddRun(Run{Repository: "acme/x", Path: "w.yml", HeadSHA: f.main})
	admin("GET", "idle?timeout=1ms", "", 400)
	f.UpdateRun("acme/x", run.ID, func(r *Run) { r.Status = "completed" })
	admin("GET", "idle?timeout=1m", "", 200)
	if runs := admin("GET", "runs?repository=acme/x", "", 200).([]any); len(runs) != 1 {
		t.Errorf("runs: %v", runs)
	}
	admin("GET", "nothing", "", 404)
}

func TestWaitIdle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.AddRun(Run{Repository: "acme/x", Path: "w.yml", HeadSHA: f.main})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := f.WaitIdle(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "w.yml) is queued") {
		t.Errorf("got %v", err)
	}
	done := make(chan error)
	go func() { done <- f.WaitIdle(t.Context()) }()
	f.UpdateRun("acme/x", run.ID, func(r *Run) { r.Status = "completed" })
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUpdateRefsIsAllOrNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, info, _ := f.send(f.token, "GET", "", "")
	send := func(updates string) any {
		_, body, _ := f.send(
			f.token, http.MethodPost, "/api/graphql",
			`{"query":"mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }","variables":{"input":{"repositoryId":"`+fmt.Sprint(
				info.(map[string]any)["node_id"],
			)+`","refUpdates":[`+updates+`]}}}`,
		)
		return body.(map[string]any)["errors"]
	}
	update := func(ref, before, after string, force bool) string {
		return fmt.Sprintf(`{"name":"refs/heads/%s","beforeOid":"%s","afterOid":"%s","force":%t}`, ref, before, after, force)
	}
	for what, updates := range map[string]string{
		"one of two is stale":       update("main", f.main, f.topic, false) + "," + update("topic", f.main, f.main, true),
		"not a fast forward":        update("topic", f.topic, f.main, false),
		"a branch that exists":      update("main", zeroOID, f.topic, true),
		"an object that is missing": update("main", f.main, strings.Repeat("1", 40), true),
	} {
		if errs := send(updates); errs == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if f.git("rev-parse", "main")+f.git("rev-parse", "topic") != f.main+f.topic {
		t.Error("a refused update moved a branch")
	}
	if errs := send(update("main", f.main, f.topic, false) + "," + update(
		"topic", f.topic, f.main, true,
	) + "," + update("spare", f.topic, zeroOID, false)); errs != nil {
		t.Errorf("got %v", errs)
	}
	if f.git("rev-parse", "main")+f.git("rev-parse", "topic") != f.topic+f.main ||
		f.head(t.Context(), f.GitDir("acme/x"), "refs/heads/spare") != "" {
		t.Error("the update did not happen")
	}
}
