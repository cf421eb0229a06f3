package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	gogithub "github.com/google/go-github/v60/github"
)

// Issue is an issue; pull requests are not.
type Issue struct {
	Number  int
	Title   string
	Body    string
	State   string // open or closed
	Author  string
	Labels  []string
	Created time.Time
	URL     string
}

// NewIssue is an issue to open.
type NewIssue struct {
	Title, Body string
	Label       string // which GitHub makes where it does not exist
}

// IssueEdit is what to set of an issue.
type IssueEdit struct {
	Title, Body string
	State       string // open or closed; empty leaves it
	Reason      string // of closing: completed, not_planned; empty leaves it to GitHub
}

// Issues lists the issues, open and closed, that have the label, oldest first.
func (c *Client) Issues(ctx context.Context, repo Repository, label string) ([]Issue, error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.Issue, *gogithub.Response, error) {
		return c.api.Issues.ListByRepo(
			ctx, repo.Owner, repo.Name,
			&gogithub.IssueListByRepoOptions{State: "all", Labels: []string{label}, Sort: "created", Direction: "asc", ListOptions: page},
		)
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the issues of %s labelled %s", repo, label), err)
	}
	var list []Issue
	for _, i := range got {
		if !i.IsPullRequest() {
			list = append(list, *issue(i))
		}
	}
	return list, nil
}

// OpenIssue opens an issue. When GitHub's answer is lost it looks for the one
// that is there before it reports a failure; a label that GitHub left out,
// because the token may not set it then, is added.
func (c *Client) OpenIssue(ctx context.Context, repo Repository, n NewIssue) (*Issue, error) {
	op := "open an issue of " + repo.String()
	got, resp, err := c.api.Issues.Create(
		ctx, repo.Owner, repo.Name, &gogithub.IssueRequest{Title: &n.Title, Body: &n.Body, Labels: &[]string{n.Label}},
	)
	if err != nil {
		if resp == nil || resp.StatusCode >= http.StatusInternalServerError {
			if found := c.findIssue(ctx, repo, n); found != nil {
				return found, nil
			}
		}
		return nil, wrap(op, err)
	}
	opened := issue(got)
	if !slices.Contains(opened.Labels, n.Label) {
		if err := c.AddLabels(ctx, repo, opened.Number, n.Label); err != nil {
			return nil, fmt.Errorf("%s#%d: %w", repo, opened.Number, err)
		}
	}
	return opened, nil
}

func (c *Client) findIssue(ctx context.Context, repo Repository, n NewIssue) *Issue {
	list, err := c.Issues(ctx, repo, n.Label)
	if err != nil {
		return nil
	}
	for _, i := range slices.Backward(list) {
		if i.State == "open" && i.Title == n.Title && i.Body == n.Body {
			return &i
		}
	}
	return nil
}

// EditIssue sets title, body and state.
func (c *Client) EditIssue(ctx context.Context, repo Repository, n int, e IssueEdit) error {
	request := &gogithub.IssueRequest{Title: &e.Title, Body: &e.Body}
	if e.State != "" {
		request.State = &e.State
	}
	if e.Reason != "" {
		request.StateReason = &e.Reason
	}
	if _, _, err := c.api.Issues.Edit(ctx, repo.Owner, repo.Name, n, request); err != nil {
		return wrap(fmt.Sprintf("edit issue %s#%d", repo, n), err)
	}
	return nil
}

func issue(i *gogithub.Issue) *Issue {
	out := &Issue{
		Number: i.GetNumber(), Title: i.GetTitle(), Body: i.GetBody(), State: i.GetState(), Author: i.GetUser().GetLogin(),
		Created: i.GetCreatedAt().Time, URL: i.GetHTMLURL(),
	}
	for _, l := range i.Labels {
		out.Labels = append(out.Labels, l.GetName())
	}
	return out
}
