// Package keptissue keeps one issue for each subject: opened, edited, closed and
// opened again.
package keptissue

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// Issue is the issue about one subject, and what was done with it.
type Issue struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Action string `json:"action"`
}

// What is done with a kept issue.
const (
	Opened    = "opened"
	Updated   = "updated"
	Unchanged = "unchanged"
	Closed    = "closed"
	Reopened  = "reopened"
	Left      = "left as it is"  // nothing is known of its subject now
	ByHand    = "closed by hand" // somebody closed it, and nothing changed since
)

// Mark is what a kept issue begins with, where readers do not see it: which
// subject it is about, and what was found last.
type Mark struct {
	Key    string
	Digest string // of what the issue shows; empty in one that we closed
	Gone   bool   // there is nothing to report any more
}

// Marked is an issue of ours.
type Marked struct {
	github.Issue
	Mark Mark
}

// Keeper keeps the issues of one label. An issue counts as ours when this token's
// identity opened it, it has the label, and Read finds a mark in it: anybody can
// write one.
type Keeper struct {
	API   *github.Client
	Repo  github.Repository
	Label string
	Read  func(body string) (Mark, bool)
}

// Wanted is what the issue of a subject has to say.
type Wanted struct {
	Subject     string // in words, as in "The issue of this root"
	Title, Body string
	// Gone is the body where there is nothing to report; GoneWhy is the comment.
	Gone, GoneWhy string
	State         string // WantOpen, WantGone or WantLeft
}

// What is known of a subject.
const (
	WantOpen = "open" // there is something to report
	WantGone = "gone" // there is nothing
	WantLeft = "left" // it could not be found out
)

// Find lists the issues of ours by the key of their mark, oldest first.
func (k Keeper) Find(ctx context.Context) (map[string][]Marked, error) {
	me, err := k.API.Viewer(ctx)
	if err != nil {
		return nil, err
	}
	all, err := k.API.Issues(ctx, k.Repo, k.Label)
	if err != nil {
		return nil, err
	}
	ours := make(map[string][]Marked)
	for _, i := range all {
		if m, ok := k.Read(i.Body); ok && strings.EqualFold(i.Author, me) {
			ours[m.Key] = append(ours[m.Key], Marked{i, m})
		}
	}
	return ours, nil
}

// pick finds the issue to work with: the oldest open one, else the newest that
// is closed. The other open ones are doubles.
func pick(list []Marked) (one *Marked, doubles []Marked) {
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

// Keep brings the issues of one subject in line with w; nil where there is none.
func (k Keeper) Keep(ctx context.Context, list []Marked, w Wanted) (*Issue, error) {
	one, doubles := pick(list)
	if w.State == WantLeft {
		if one != nil && one.State == "open" {
			return &Issue{one.Number, one.URL, Left}, nil
		}
		return nil, nil
	}
	for _, d := range doubles {
		body := fmt.Sprintf("The issue of this %s is #%d.\n", w.Subject, one.Number)
		if err := k.Close(ctx, d, body, "not_planned", fmt.Sprintf("#%d is the issue of this %s.", one.Number, w.Subject)); err != nil {
			return nil, err
		}
	}
	if w.State == WantGone {
		return k.gone(ctx, one, w)
	}
	if one == nil {
		opened, err := k.API.OpenIssue(ctx, k.Repo, github.NewIssue{Title: w.Title, Body: w.Body, Label: k.Label})
		if err != nil {
			return nil, err
		}
		return &Issue{opened.Number, opened.URL, Opened}, nil
	}
	kept := &Issue{one.Number, one.URL, Updated}
	edit := github.IssueEdit{Title: w.Title, Body: w.Body}
	switch now, _ := k.Read(w.Body); {
	case one.State == "open" && one.Title == w.Title && sameText(one.Body, w.Body):
		kept.Action = Unchanged
		return kept, nil
	case one.State == "open":
	case one.Mark.Digest == now.Digest: // which an issue that we closed has none of
		kept.Action = ByHand
		return kept, nil
	default:
		edit.State, edit.Reason, kept.Action = "open", "reopened", Reopened
	}
	return kept, k.API.EditIssue(ctx, k.Repo, one.Number, edit)
}

// gone closes the issue, or, where somebody has already, notes that what it was
// about is gone.
func (k Keeper) gone(ctx context.Context, one *Marked, w Wanted) (*Issue, error) {
	if one == nil || one.State != "open" && one.Mark.Gone {
		return nil, nil
	}
	kept := &Issue{one.Number, one.URL, Closed}
	if one.State != "open" {
		return kept, k.API.EditIssue(ctx, k.Repo, one.Number, github.IssueEdit{Title: one.Title, Body: w.Gone})
	}
	return kept, k.Close(ctx, *one, w.Gone, "completed", w.GoneWhy)
}

// Close says why beside closing. The edit comes first: a run that ends between
// the two is repeated without a second comment.
func (k Keeper) Close(ctx context.Context, one Marked, body, reason, why string) error {
	edit := github.IssueEdit{Title: one.Title, Body: body, State: "closed", Reason: reason}
	if err := k.API.EditIssue(ctx, k.Repo, one.Number, edit); err != nil {
		return err
	}
	return k.API.Comment(ctx, k.Repo, one.Number, why)
}

// sameText compares texts as GitHub keeps them.
func sameText(a, b string) bool { return normalText(a) == normalText(b) }

func normalText(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
