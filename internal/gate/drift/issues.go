package drift

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Issue is a root's issue, and what was done with it.
type Issue struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Action string `json:"action"`
}

// What is done with an issue.
const (
	Opened    = "opened"
	Updated   = "updated"
	Unchanged = "unchanged"
	Closed    = "closed"
	Reopened  = "reopened"
	Left      = "left as it is"    // its root could not be planned
	ByHand    = "closed by hand"   // somebody closed it, and nothing changed since
	Duplicate = "closed as double" // there is an older one
)

// Tracker is where the issues are.
type Tracker struct {
	API   *github.Client
	Repo  github.Repository
	Label string
	// All says that the report is of every root there is, so that the issue of a
	// root that is no longer there can be closed.
	All bool
}

// Keep brings the issues in line with the report: one for each root that
// drifted. An issue counts as ours when this token's identity opened it, it has
// the label, and it begins with our marker. What fails for one root does not
// keep the others from theirs.
func (t Tracker) Keep(ctx context.Context, report *Report) error {
	me, err := t.API.Viewer(ctx)
	if err != nil {
		return err
	}
	all, err := t.API.Issues(ctx, t.Repo, t.Label)
	if err != nil {
		return err
	}
	ours := make(map[string][]known)
	for _, i := range all {
		if m, ok := readMarker(i.Body); ok && strings.EqualFold(i.Author, me) {
			ours[m.key()] = append(ours[m.key()], known{i, m})
		}
	}
	var problems []error
	for i := range report.Roots {
		root := &report.Roots[i]
		m := marker{Dir: root.Dir, Workspace: root.Workspace}
		if err := t.root(ctx, root, ours[m.key()]); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", root.Dir, err))
		}
		delete(ours, m.key())
	}
	if t.All {
		for _, left := range ours {
			problems = append(problems, t.orphan(ctx, left))
		}
	}
	return outcome.Join(problems...)
}

type known struct {
	github.Issue
	marker marker
}

func (m marker) key() string { return m.Dir + "\x00" + m.Workspace }

// pick finds the issue to work with: the oldest open one, else the newest that
// is closed. The other open ones are doubles.
func pick(list []known) (one *known, doubles []known) {
	for i := range list {
		switch {
		case one == nil, one.State != "open":
			one = &list[i]
		case list[i].State == "open":
			doubles = append(doubles, list[i])
		}
	}
	return one, doubles
}

func (t Tracker) root(ctx context.Context, root *Root, list []known) error {
	one, doubles := pick(list)
	if root.Status == Broken {
		if one != nil && one.State == "open" {
			root.Issue = &Issue{one.Number, one.URL, Left}
		}
		return nil
	}
	for _, d := range doubles {
		body, why := fmt.Sprintf("The issue of this root is #%d.\n", one.Number), fmt.Sprintf("#%d is the issue of this root.", one.Number)
		if err := t.close(ctx, d, body, "not_planned", why); err != nil {
			return err
		}
	}
	if root.Status == Clean {
		return t.clean(ctx, root, one)
	}
	title, body := root.Title(), root.Body(markdown.MaxComment)
	if one == nil {
		opened, err := t.API.OpenIssue(ctx, t.Repo, github.NewIssue{Title: title, Body: body, Label: t.Label})
		if err != nil {
			return err
		}
		root.Issue = &Issue{opened.Number, opened.URL, Opened}
		return nil
	}
	root.Issue = &Issue{one.Number, one.URL, Updated}
	edit := github.IssueEdit{Title: title, Body: body}
	switch now, _ := readMarker(body); {
	case one.State == "open" && one.Title == title && same(one.Body, body):
		root.Issue.Action = Unchanged
		return nil
	case one.State == "open":
	case one.marker.Digest == now.Digest: // which an issue that we closed has none of
		root.Issue.Action = ByHand
		return nil
	default:
		edit.State, edit.Reason, root.Issue.Action = "open", "reopened", Reopened
	}
	return t.API.EditIssue(ctx, t.Repo, one.Number, edit)
}

// clean closes the issue, or, where somebody has already, notes that what it
// was about is gone.
func (t Tracker) clean(ctx context.Context, root *Root, one *known) error {
	if one == nil || one.State != "open" && one.marker.State == Clean {
		return nil
	}
	root.Issue = &Issue{one.Number, one.URL, Closed}
	if one.State != "open" {
		return t.API.EditIssue(ctx, t.Repo, one.Number, github.IssueEdit{Title: one.Title, Body: root.Gone()})
	}
	return t.close(ctx, *one, root.Gone(), "completed", "No drift any more: what is there is what the state and the code say.")
}

// orphan closes the issues of a root that is no longer there.
func (t Tracker) orphan(ctx context.Context, list []known) error {
	for _, one := range list {
		if one.State != "open" {
			continue
		}
		dir := markdown.Code(text.Line(one.marker.Dir))
		one.marker.State, one.marker.Digest = Clean, ""
		body, why := fmt.Sprintf(
			"%s\n%s is no longer one of the roots.\n", one.marker, dir,
		), dir+" is no longer one of the roots of this repository."
		if err := t.close(ctx, one, text.NoCommand(body), "not_planned", text.NoCommand(why)); err != nil {
			return err
		}
	}
	return nil
}

// close says why beside closing. The edit comes first: a run that ends between
// the two is repeated without a second comment.
func (t Tracker) close(ctx context.Context, one known, body, reason, why string) error {
	edit := github.IssueEdit{Title: one.Title, Body: body, State: "closed", Reason: reason}
	if err := t.API.EditIssue(ctx, t.Repo, one.Number, edit); err != nil {
		return err
	}
	return t.API.Comment(ctx, t.Repo, one.Number, why)
}

// same compares texts as GitHub keeps them.
func same(a, b string) bool { return normal(a) == normal(b) }

func normal(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
