package githubd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a review or a comment raises, in GitHub's form, and who did it.
func TestReviewAndCommentEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var got []string
	f.OnEvent(func(e Event) {
		switch e.Name {
		case "pull_request_review":
			review, pull := e.Payload["review"].(map[string]any), e.Payload["pull_request"].(map[string]any)
			got = append(got, fmt.Sprintf(
				"review %s %v %v of #%v at %s, job %t", e.Action, review["state"], review["body"], pull["number"], e.Ref, e.ByJob,
			))
		case "issue_comment":
			comment, issue := e.Payload["comment"].(map[string]any), e.Payload["issue"].(map[string]any)
			got = append(got, fmt.Sprintf(
				"comment %s %v on #%v, pull %t, at %s %t, job %t", e.Action, comment["body"], issue["number"],
				issue["pull_request"] != nil, e.Ref, e.SHA == f.main, e.ByJob,
			))
		}
	})
	send := func(token, method, path, body string) string {
		status, answer, _ := f.send(token, method, path, body)
		if status >= 300 {
			t.Fatalf("%s %s: %d %v", method, path, status, answer)
		}
		return fmt.Sprintf("%.0f", answer.(map[string]any)["id"])
	}
	send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
	job := f.CreateToken(Token{Job: true, Repositories: []string{"acme/x"}, Permissions: map[string]string{"pull-requests": "write"}})
	review := send(job, "POST", "pulls/1/reviews", `{"event":"APPROVE","body":"fine"}`)
	send(f.token, "PUT", "pulls/1/reviews/"+review, `{"body":"finer"}`)
	send(f.token, "PUT", "pulls/1/reviews/"+review+"/dismissals", `{"message":"m"}`)
	comment := send(f.token, "POST", "issues/1/comments", `{"body":"one"}`)
	send(f.token, "PATCH", "issues/comments/"+comment, `{"body":"two"}`)
	issue := send(f.token, "POST", "issues", `{"title":"i"}`)
	_ = issue
	send(f.token, "POST", "issues/2/comments", `{"body":"three"}`)
	want := []string{
		"review submitted approved fine of #1 at refs/pull/1/merge, job true",
		"review edited approved finer of #1 at refs/pull/1/merge, job false",
		"review dismissed dismissed finer of #1 at refs/pull/1/merge, job false",
		"comment created one on #1, pull true, at refs/heads/main true, job false",
		"comment edited two on #1, pull true, at refs/heads/main true, job false",
		"comment created three on #2, pull false, at refs/heads/main true, job false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The queue makes a group for each pull request, on top of those before it, and
// merges by one push what its statuses let.
func TestMergeQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	second := f.git("commit-tree", f.treeWith("h", "main:f"), "-p", "main", "-m", "second")
	f.git("update-ref", "refs/heads/second", second)
	third := f.git("commit-tree", f.treeWith("i", "main:f"), "-p", "main", "-m", "third")
	f.git("update-ref", "refs/heads/third", third)
	for _, head := range []string{"topic", "second", "third"} {
		f.send(f.token, "POST", "pulls", `{"title":"t","head":"`+head+`","base":"main"}`)
	}
	var groups, pushes []Event
	f.OnEvent(func(e Event) {
		switch e.Name {
		case "merge_group":
			groups = append(groups, e)
		case "push":
			pushes = append(pushes, e)
		}
	})
	if err := f.Enqueue(t.Context(), "acme/x", "bob", 1, 2, 3); err != nil {
		t.Fatal(err)
	}
	if len(groups) != 3 || groups[0].Action != "checks_requested" ||
		groups[1].Ref != "refs/heads/gh-readonly-queue/main/pr-2-"+groups[0].SHA || f.git("rev-parse", groups[1].Ref) != groups[1].SHA ||
		f.git("ls-tree", "--name-only", groups[1].SHA) != ".github\nf\ng\nh" || f.git("rev-parse", "main") != f.main {
		t.Fatalf("%+v", groups)
	}
	for _, g := range groups[:2] {
		f.send(f.token, "POST", "statuses/"+g.SHA, `{"context":"ci","state":"success"}`)
	}
	merged, err := f.MergeQueue(t.Context(), "acme/x")
	if err != nil || !slices.Equal(merged, []int{1, 2}) {
		t.Fatalf("merged %v, %v", merged, err)
	}
	if len(pushes) != 1 || pushes[0].Before != f.main || pushes[0].SHA != groups[1].SHA || f.git("rev-parse", "main") != groups[1].SHA {
		t.Errorf("pushes %+v", pushes)
	}
	pulls := f.Pulls("acme/x")
	if !pulls[0].Merged || !pulls[1].Merged || pulls[2].Merged || f.git("for-each-ref", "refs/heads/gh-readonly-queue") != "" {
		t.Errorf("%+v", pulls)
	}
	for i, want := range []string{groups[0].SHA, groups[1].SHA} {
		status, answer, _ := f.send(f.token, "GET", "commits/"+want+"/pulls", "")
		if list, _ := answer.([]any); status != 200 || len(list) != 1 || fmt.Sprint(list[0].(map[string]any)["number"]) != fmt.Sprint(i+1) {
			t.Errorf("the pull request of %s: %v", want, answer)
		}
	}
}

// Squash, rebase and merge leave what GitHub leaves, and each knows its pull
// request and its files.
func TestMergeMethods(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{
		"squash": "t (#1)\nmain", "rebase": "two\ntopic\nmain", "merge": "Merge pull request #1 from acme/topic\nmain",
	} {
		f := newFixture(t)
		two := f.git("commit-tree", f.treeWith("g", "main:f"), "-p", "topic", "-m", "two")
		f.git("update-ref", "refs/heads/topic", two)
		main := f.git("commit-tree", f.treeWith("other", "main:f"), "-p", "main", "-m", "main")
		f.git("update-ref", "refs/heads/main", main)
		f.send(f.token, "POST", "pulls", `{"title":"t","head":"topic","base":"main"}`)
		f.send(f.token, "POST", "statuses/"+two, `{"context":"ci","state":"success"}`)
		sha, err := f.MergePull(t.Context(), "acme/x", 1, "bob", method)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		if got := f.git("log", "--first-parent", "--format=%s", "main"); !strings.HasPrefix(got, want) ||
			f.git("ls-tree", "--name-only", "main") != ".github\nf\ng\nother" {
			t.Errorf("%s: %q, want %q", method, got, want)
		}
		_, answer, _ := f.send(f.token, "GET", "commits/"+sha+"/pulls", "")
		_, files, _ := f.send(f.token, "GET", "pulls/1/files", "")
		if list, _ := answer.([]any); len(list) != 1 {
			t.Errorf("%s: its pull requests are %v", method, answer)
		}
		if list, _ := files.([]any); len(list) != 1 || list[0].(map[string]any)["filename"] != "g" ||
			list[0].(map[string]any)["status"] != "added" {
			t.Errorf("%s: its files are %v", method, files)
		}
	}
}
