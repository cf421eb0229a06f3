package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// Lists longer than a page are read to their end.
func TestPagination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	const many = 105
	head := w.main
	for i := range many {
		head = w.commit(t, "long", head, fmt.Sprint("c", i))
	}
	comparison, err := c.Compare(t.Context(), repo, w.main, "long")
	if err != nil || comparison.Status != "ahead" || comparison.AheadBy != many || comparison.BehindBy != 0 ||
		len(comparison.Commits) != many || comparison.Commits[many-1].SHA != head {
		t.Fatalf("compare: %v, %s, %d ahead, %d commits", err, comparison.Status, comparison.AheadBy, len(comparison.Commits))
	}
	if commits, err := c.Commits(t.Context(), repo, "long", "", 0); err != nil || len(commits) != many+1 || commits[0].SHA != head {
		t.Errorf("commits: %v, %d", err, len(commits))
	}
	if commits, err := c.Commits(t.Context(), repo, "long", "", 103); err != nil || len(commits) != 103 {
		t.Errorf("103 commits: %v, %d", err, len(commits))
	}
	w.open(t, c)
	for i := range many {
		if err := c.Comment(t.Context(), repo, 1, fmt.Sprint("n", i)); err != nil {
			t.Fatal(err)
		}
	}
	me, err := c.Viewer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.UpsertOwnComment(t.Context(), repo, 1, github.OwnComment{
			Login: me, Marker: "<!-- last -->", Body: "<!-- last -->\ntext",
		}); err != nil {
			t.Fatal(err)
		}
	}
	if comments := w.Pulls("acme/config")[0].Comments; len(comments) != many+1 {
		t.Errorf("%d comments, want the one with the marker once, past the first page", len(comments))
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t, "contents: read")
	w.commit(t, "feature/other", w.main, "x")
	for _, test := range []struct {
		base, head, status string
		ahead, behind      int
	}{
		{"main", "topic", "ahead", 1, 0}, {"topic", "main", "behind", 0, 1}, {w.main, "main", "identical", 0, 0},
		{"topic", "feature/other", "diverged", 1, 1},
	} {
		got, err := c.Compare(t.Context(), repo, test.base, test.head)
		if err != nil || got.Status != test.status || got.AheadBy != test.ahead || got.BehindBy != test.behind {
			t.Errorf("%s...%s: got %+v, %v, want %s", test.base, test.head, got, err, test.status)
		}
	}
	got, err := c.Compare(t.Context(), repo, "main", "topic")
	if err != nil || len(got.Commits) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	commit := got.Commits[0]
	if commit.SHA != w.topic || commit.Message != "More\n\nbody" || commit.Author != "Ada" ||
		commit.AuthorEmail != "ada@example.com" || commit.Time.IsZero() || commit.URL != w.URL()+"/acme/config/commit/"+w.topic {
		t.Errorf("commit: %+v", commit)
	}
	_, err = c.Compare(t.Context(), repo, "main", strings.Repeat("1", 40))
	if !github.IsNotFound(err) {
		t.Errorf("an unknown commit: %v", err)
	}
}
