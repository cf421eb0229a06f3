package github_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func put(t *testing.T, w *world, token, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.APIURL()+path, strings.NewReader(body))
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
		t.Fatalf("PUT %s: %d %s", path, resp.StatusCode, data)
	}
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
	if _, err := w.client(t, "contents: read").TeamMember(t.Context(), "acme", "dba", "bob"); err == nil || !strings.Contains(err.Error(), "the token needs members: read") {
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
	last := reviews[102].ID
	put(t, w, bob, fmt.Sprintf("/repos/acme/config/pulls/1/reviews/%d", last), `{"body":"y"}`)
	edited, err := c.EditedReviews(t.Context(), repo, 1)
	if err != nil || len(edited) != 103 {
		t.Fatalf("%v, %d reviews", err, len(edited))
	}
	for id, is := range edited {
		if is != (id == last) {
			t.Errorf("review %d edited: %v", id, is)
		}
	}
	if _, err := c.EditedReviews(t.Context(), github.Repository{Owner: "acme", Name: "none"}, 1); err == nil {
		t.Error("no repository, no error")
	}
	if _, err := w.client(t, "contents: read").EditedReviews(t.Context(), repo, 1); err == nil || !strings.Contains(err.Error(), "not accessible") {
		t.Errorf("a token that may not read pull requests: %v", err)
	}
	if err := c.Comment(t.Context(), repo, 1, "hello"); err != nil {
		t.Fatal(err)
	}
	comments, err := c.Comments(t.Context(), repo, 1)
	if err != nil || len(comments) != 1 || comments[0].Author != "ada" || comments[0].Body != "hello" || comments[0].Edited() {
		t.Errorf("%v %+v", err, comments)
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
