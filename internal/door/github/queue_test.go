package github_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// The merge queue of a branch is read over several pages. An entry without a commit is no
// group yet; a branch without a queue has none, and no answer is an error.
func TestMergeQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.open(t, c)
	if groups, err := c.MergeQueue(t.Context(), repo, "main"); err != nil || len(groups) != 0 {
		t.Errorf("no queue: %v %v", groups, err)
	}
	if err := w.Enqueue(t.Context(), repo.String(), "bob", 1); err != nil {
		t.Fatal(err)
	}
	groups, err := c.MergeQueue(t.Context(), repo, "main")
	if err != nil || len(groups) != 1 || groups[0].Number != 1 || len(groups[0].Head) != 40 {
		t.Errorf("one group: %v %v", groups, err)
	}
	if groups, err := c.MergeQueue(t.Context(), repo, "other"); err != nil || len(groups) != 0 {
		t.Errorf("of another branch: %v %v", groups, err)
	}
	page := func(head, info string) {
		w.fault(t, sandbox.Fault{Path: "/graphql$", Status: 200, Body: `{"data":{"repository":{"mergeQueue":{"entries":{"nodes":[` +
			`{"headCommit":` + head + `,"pullRequest":{"number":7}}],"pageInfo":` + info + `}}}}}`})
	}
	page(`{"oid":"a"}`, `{"hasNextPage":true,"endCursor":"1"}`)
	page(`null`, `{"hasNextPage":true,"endCursor":"2"}`)
	page(`{"oid":"b"}`, `{"hasNextPage":false,"endCursor":"3"}`)
	groups, err = c.MergeQueue(t.Context(), repo, "main")
	if diff := cmp.Diff([]github.Group{{Number: 7, Head: "a"}, {Number: 7, Head: "b"}}, groups); err != nil || diff != "" {
		t.Errorf("three pages: %v %s", err, diff)
	}
	if _, err := w.client(t, "contents: read").MergeQueue(t.Context(), repo, "main"); err == nil ||
		!strings.Contains(err.Error(), "read the merge queue of main of "+repo.String()+": ") {
		t.Errorf("no permission: %v", err)
	}
}
