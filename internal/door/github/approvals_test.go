package github_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func put(t *testing.T, w *world, token, path, body string) {
	t.Helper()
	send(t, w, token, http.MethodPut, path, body)
}

func TestTeamMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetTeam("acme/dba", "Bob")
	c := w.client(t)
	for user, want := range map[string]bool{"bob": true, "eve": false} {
		if got, err := c.TeamMember(t.Context(), "acme", "dba", user); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", user, got, err, want)
		}
	}
	// What the token cannot see is never a no.
	if _, err := c.TeamMember(t.Context(), "acme", "none", "bob"); err == nil || !strings.Contains(err.Error(), "members: read") {
		t.Errorf("a team that does not exist: %v", err)
	}
	if _, err := w.client(t, "contents: read").TeamMember(t.Context(), "acme", "dba", "bob"); err == nil ||
		!strings.Contains(err.Error(), "the token needs members: read") {
		t.Errorf("a job's token: %v", err)
	}
}

func TestEditedReviewsAndComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.open(t, c)
	bob := w.CreateToken(sandbox.Token{User: "bob"})
	for range 103 { // more than a page
		post(t, w, bob, "/repos/acme/config/pulls/1/reviews", `{"event":"COMMENT","body":"x"}`)
	}
	reviews, err := c.Reviews(t.Context(), repo, 1)
	if err != nil || len(reviews) != 103 {
		t.Fatalf("%v, %d reviews", err, len(reviews))
	}
	put(t, w, bob, fmt.Sprintf("/repos/acme/config/pulls/1/reviews/%d", reviews[102].ID), `{"body":"y"}`)
	if reviews, err = c.Reviews(t.Context(), repo, 1); err != nil || len(reviews) != 103 {
		t.Fatalf("%v, %d reviews", err, len(reviews))
	}
	for i, r := range reviews {
		if (r.Edited != nil) != (i == 102) {
			t.Errorf("review %d edited: %v", i, r.Edited)
		}
	}
	for _, n := range []int{1, 7} {
		if _, err := c.Reviews(t.Context(), github.Repository{Owner: "acme", Name: []string{"none", "config"}[n/7]}, n); err == nil {
			t.Error("no repository or no pull request, no error")
		}
	}
	if _, err := w.client(t, "contents: read").Reviews(t.Context(), repo, 1); err == nil ||
		!strings.Contains(err.Error(), "not accessible") {
		t.Errorf("a token that may not read pull requests: %v", err)
	}
	app := w.CreateToken(sandbox.Token{User: "bob[bot]"})
	post(t, w, app, "/repos/acme/config/pulls/1/reviews", `{"event":"APPROVE","body":"approve a41f"}`)
	if reviews, err = c.Reviews(t.Context(), repo, 1); err != nil || reviews[103].Author != "bob[bot]" || reviews[102].Author != "bob" {
		t.Errorf("an App of a user's name: %v %+v", err, reviews[102:])
	}
	if err := c.Comment(t.Context(), repo, 1, "hello"); err != nil {
		t.Fatal(err)
	}
	asEve := w.CreateToken(sandbox.Token{User: "eve"})
	eve := w.clientWith(t, asEve)
	said, err := c.Conversation(t.Context(), repo, 1)
	if err != nil || len(said.Comments) != 1 || said.Comments[0].Edit != nil || len(said.Deleted) != 0 ||
		said.Reviews[102].Edited.Others || said.Reviews[102].Edited.By != "bob" {
		t.Errorf("nobody has changed a comment: %v %+v", err, said)
	}
	comments, err := c.Comments(t.Context(), repo, 1)
	if err != nil || len(comments) != 1 || comments[0].Author != "ada" || comments[0].Body != "hello" || comments[0].Edited() {
		t.Fatalf("%v %+v", err, comments)
	}
	if diff := cmp.Diff(comments, said.Comments); diff != "" {
		t.Errorf("REST and GraphQL say other things of a comment: %s", diff)
	}
	for _, as := range []*github.Client{c, eve} {
		if err := as.EditComment(t.Context(), repo, comments[0].ID, "hi"); err != nil {
			t.Fatal(err)
		}
		said, err := c.Conversation(t.Context(), repo, 1)
		by := map[bool]string{true: "eve", false: "ada"}[as == eve]
		if edit := said.Comments[0].Edit; err != nil || edit == nil || edit.Others != (as == eve) || edit.By != by ||
			said.Comments[0].Body != "hi" {
			t.Errorf("an edited comment: %v %+v", err, said.Comments)
		}
	}
	send(t, w, asEve, http.MethodDelete, fmt.Sprintf("/repos/acme/config/issues/comments/%d", comments[0].ID), "")
	if said, err := c.Conversation(t.Context(), repo, 1); err != nil || len(said.Deleted) != 1 || said.Deleted[0].By != "eve" ||
		said.Deleted[0].Author != "ada" || said.Deleted[0].At.IsZero() || len(said.Comments) != 0 {
		t.Errorf("a deleted comment: %v %+v", err, said)
	}
}

func TestPushersAndPullsOfCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.open(t, c)
	next := w.git(t, "commit-tree", w.topic+"^{tree}", "-p", w.topic, "-m", "next")
	eve := w.clientWith(t, w.CreateToken(sandbox.Token{User: "eve"}))
	if err := eve.FastForward(t.Context(), repo, "topic", next); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Pushers(t.Context(), repo, "topic", next); err != nil || !slices.Equal(got, []string{"eve"}) {
		t.Errorf("pushers of the head: %v %v", got, err)
	}
	if got, err := c.Pushers(t.Context(), repo, "topic", w.main); err != nil || len(got) != 0 {
		t.Errorf("pushers of another commit: %v %v", got, err)
	}
	merge, err := w.MergePull(t.Context(), "acme/config", 1, "ada", "squash")
	if err != nil {
		t.Fatal(err)
	}
	for _, sha := range []string{merge, next} {
		if got, err := c.PullsOfCommit(t.Context(), repo, sha); err != nil || len(got) != 1 || got[0].Number != 1 || !got[0].Merged {
			t.Errorf("pull requests of %s: %+v %v", sha, got, err)
		}
	}
	if got, err := c.PullsOfCommit(t.Context(), repo, w.main); err != nil || len(got) != 0 {
		t.Errorf("pull requests of the first commit: %+v %v", got, err)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, "contents: read")
	long := strings.Repeat("# long\n", 100_000)
	commit := w.commitFiles(t, map[string]string{"a/text": "äöü\n", "long": long, "bytes": "\xff\x00", "link": "a/text"}, "link")
	gone := strings.Repeat("1", 40)
	files, err := c.Files(t.Context(), repo, []string{commit, w.main, gone}, []string{"a/text", "long", "bytes", "link", "a", "none"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a/text": "äöü\n", "long": long, "bytes": "\xff\x00", "link": "a/text"}
	for path, content := range want {
		if got, is := files[commit][path]; !is || string(got) != content {
			t.Errorf("%s: %t, %d bytes", path, is, len(got))
		}
	}
	if len(files[commit]) != len(want) || files[w.main] == nil || len(files[w.main]) != 0 || files[gone] != nil {
		t.Errorf("%d files, main %v, a commit that is gone %v", len(files[commit]), files[w.main], files[gone])
	}
	if _, err := w.client(t, "issues: read").Files(t.Context(), repo, []string{commit}, []string{"long"}); err == nil {
		t.Error("a token that may not read contents")
	}
}

// commitFiles makes a commit of files alone; those named are symbolic links.
func (w *world) commitFiles(t *testing.T, files map[string]string, links ...string) string {
	t.Helper()
	index := filepath.Join(t.TempDir(), "index")
	run := func(stdin string, args ...string) string {
		t.Helper()
		out, err := git.Command{
			Dir: w.GitDir("acme/config"), Env: []string{"GIT_INDEX_FILE=" + index}, Args: args, Stdin: strings.NewReader(stdin),
		}.Line(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for path, content := range files {
		mode := "100644"
		if slices.Contains(links, path) {
			mode = "120000"
		}
		run("", "update-index", "--add", "--cacheinfo", mode+","+run(content, "hash-object", "-w", "--stdin")+","+path)
	}
	return w.git(t, "commit-tree", run("", "write-tree"), "-m", "files")
}
