package github_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// Issues with a label, open and closed, oldest first; GitHub lists pull requests
// among them, which are left out.
func TestIssues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	w.open(t, c)
	if err := c.AddLabels(t.Context(), repo, 1, "drift"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []github.NewIssue{
		{Title: "two", Body: "b", Label: "drift"}, {Title: "three", Label: "other"}, {Title: "four", Label: "drift"},
	} {
		if _, err := c.OpenIssue(t.Context(), repo, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.EditIssue(t.Context(), repo, 4, github.IssueEdit{
		Title: "four", Body: "gone", State: "closed", Reason: "not_planned",
	}); err != nil {
		t.Fatal(err)
	}
	list, err := c.Issues(t.Context(), repo, "drift")
	if err != nil || len(list) != 2 || list[0].Number != 2 || list[0].State != "open" || list[0].Body != "b" ||
		list[1].Number != 4 || list[1].State != "closed" || list[1].Body != "gone" {
		t.Errorf("%+v %v", list, err)
	}
	if login, err := c.Viewer(t.Context()); err != nil || login != list[0].Author {
		t.Errorf("the token acts as %q, and the issue is of %q: %v", login, list[0].Author, err)
	}
}

// An issue whose answer is lost is found, by all that it is; any other failure
// is one.
func TestOpenIssueAnswerLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	lost := func(processed bool) {
		t.Helper()
		if err := w.AddFault(sandbox.Fault{Method: "POST", Path: "/issues$", Status: 502, Processed: processed}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.OpenIssue(t.Context(), repo, github.NewIssue{Title: "t", Body: "other", Label: "drift"}); err != nil {
		t.Fatal(err)
	}
	lost(true)
	if got, err := c.OpenIssue(t.Context(), repo, github.NewIssue{Title: "t", Body: "b", Label: "drift"}); err != nil || got.Number != 2 {
		t.Errorf("%+v %v", got, err)
	}
	lost(false)
	if got, err := c.OpenIssue(t.Context(), repo, github.NewIssue{Title: "t", Body: "c", Label: "drift"}); err == nil ||
		!strings.Contains(err.Error(), "open an issue of acme/config: GitHub answers 502") {
		t.Errorf("%+v %v", got, err)
	}
}

// A label that GitHub leaves out, as it does for those who may not set one then,
// is added: without it the issue would not be found again.
func TestOpenIssueWithoutItsLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	const without = `{"number": 1, "title": "t", "state": "open", "labels": []}`
	if _, err := c.OpenIssue(t.Context(), repo, github.NewIssue{Title: "t", Label: "other"}); err != nil {
		t.Fatal(err)
	}
	if err := w.AddFault(sandbox.Fault{Method: "POST", Path: "/issues$", Status: 201, Body: without}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenIssue(t.Context(), repo, github.NewIssue{Title: "t", Label: "drift"}); err != nil {
		t.Fatal(err)
	}
	if list, err := c.Issues(t.Context(), repo, "drift"); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
}

// Who the token acts as is never guessed.
func TestViewerUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.AddFault(sandbox.Fault{
		Path: "/graphql$", Status: 200,
		Body: `{"data":{"viewer":null},"errors":[{"message":"Resource not accessible by integration"}]}`,
	}); err != nil {
		t.Fatal(err)
	}
	if login, err := w.client(t).Viewer(t.Context()); err == nil || !strings.Contains(err.Error(), "ask whom the token acts as") ||
		!strings.Contains(err.Error(), "not accessible by integration") {
		t.Errorf("%q %v", login, err)
	}
}
