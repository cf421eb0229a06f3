package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// PullRequest is a pull request.
type PullRequest struct {
	Number   int
	Title    string
	Body     string
	State    string // open or closed
	Merged   bool
	HeadRef  string // branch, without the owner
	HeadSHA  string
	HeadRepo string // OWNER/NAME; empty when the fork is gone
	BaseRef  string
	// DefaultBranch is that of the repository it is made against.
	DefaultBranch string
	BaseSHA       string
	MergeSHA      string // what it was merged as; before that, a trial merge
	URL           string // the page
	Author        string
	Draft         bool
	// Mergeable is false also while GitHub has not found out, and in lists.
	Mergeable bool
	// MergedBy is empty in lists.
	MergedBy string
	MergedAt time.Time
	Labels   []string
}

// NewPull is a pull request to open, within one repository.
type NewPull struct {
	Title, Body string
	Head, Base  string // branches
	Draft       bool
}

// FindPull finds the open pull request from branch head into branch base, both
// of this repository; nil when there is none.
func (c *Client) FindPull(ctx context.Context, repo Repository, head, base string) (*PullRequest, error) {
	pulls, err := c.listPulls(ctx, repo, &gogithub.PullRequestListOptions{State: "open", Head: repo.Owner + ":" + head, Base: base})
	if err != nil {
		return nil, wrap(fmt.Sprintf("find the pull request of %s from %s into %s", repo, head, base), err)
	}
	for _, p := range pulls {
		// The head filter is by owner: a fork of the same owner would match.
		if p.HeadRef == head && p.BaseRef == base && strings.EqualFold(p.HeadRepo, repo.String()) {
			return &p, nil
		}
	}
	return nil, nil
}

// ListPulls lists the open pull requests from this repository's branches that
// start with headPrefix.
func (c *Client) ListPulls(ctx context.Context, repo Repository, headPrefix string) ([]PullRequest, error) {
	pulls, err := c.listPulls(ctx, repo, &gogithub.PullRequestListOptions{State: "open"})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the pull requests of %s", repo), err)
	}
	var list []PullRequest
	for _, p := range pulls {
		if strings.HasPrefix(p.HeadRef, headPrefix) && strings.EqualFold(p.HeadRepo, repo.String()) {
			list = append(list, p)
		}
	}
	return list, nil
}

// ClosedPulls lists the closed pull requests from this repository's branch
// head, merged or not, newest first.
func (c *Client) ClosedPulls(ctx context.Context, repo Repository, head string) ([]PullRequest, error) {
	pulls, err := c.listPulls(ctx, repo, &gogithub.PullRequestListOptions{State: "closed", Head: repo.Owner + ":" + head})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the closed pull requests of %s from %s", repo, head), err)
	}
	return pulls, nil
}

func (c *Client) listPulls(ctx context.Context, repo Repository, o *gogithub.PullRequestListOptions) ([]PullRequest, error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.PullRequest, *gogithub.Response, error) {
		o.ListOptions = page
		return c.api.PullRequests.List(ctx, repo.Owner, repo.Name, o)
	})
	if err != nil {
		return nil, err
	}
	list := make([]PullRequest, 0, len(got))
	for _, p := range got {
		list = append(list, *pull(p))
	}
	return list, nil
}

// Pull reads one pull request.
func (c *Client) Pull(ctx context.Context, repo Repository, n int) (*PullRequest, error) {
	got, _, err := c.api.PullRequests.Get(ctx, repo.Owner, repo.Name, n)
	if err != nil {
		return nil, wrap(fmt.Sprintf("read pull request %s#%d", repo, n), err)
	}
	return pull(got), nil
}

// OpenPull opens a pull request. When GitHub's answer is lost, or is that
// somebody was faster, it looks for the one that is there before it reports a
// failure.
func (c *Client) OpenPull(ctx context.Context, repo Repository, n NewPull) (*PullRequest, error) {
	got, resp, err := c.api.PullRequests.Create(ctx, repo.Owner, repo.Name, &gogithub.NewPullRequest{
		Title: &n.Title, Body: &n.Body, Head: &n.Head, Base: &n.Base, Draft: &n.Draft,
	})
	if err == nil {
		return pull(got), nil
	}
	if resp == nil || resp.StatusCode >= 500 || strings.Contains(err.Error(), "A pull request already exists") {
		if found, findErr := c.FindPull(ctx, repo, n.Head, n.Base); findErr == nil && found != nil {
			return found, nil
		}
	}
	return nil, wrap(fmt.Sprintf("open a pull request of %s from %s into %s", repo, n.Head, n.Base), err)
}

// EditPull sets title and body.
func (c *Client) EditPull(ctx context.Context, repo Repository, n int, title, body string) (*PullRequest, error) {
	got, _, err := c.api.PullRequests.Edit(ctx, repo.Owner, repo.Name, n, &gogithub.PullRequest{Title: &title, Body: &body})
	if err != nil {
		return nil, wrap(fmt.Sprintf("edit pull request %s#%d", repo, n), err)
	}
	return pull(got), nil
}

// ClosePull closes a pull request without merging it.
func (c *Client) ClosePull(ctx context.Context, repo Repository, n int) error {
	_, _, err := c.api.PullRequests.Edit(ctx, repo.Owner, repo.Name, n, &gogithub.PullRequest{State: gogithub.String("closed")})
	if err != nil {
		return wrap(fmt.Sprintf("close pull request %s#%d", repo, n), err)
	}
	return nil
}

// AskTeams is what an App needs beside pull_requests: write to ask a team. GitHub
// answers that it cannot resolve the team otherwise.
// https://github.com/peter-evans/create-pull-request/pull/986
var AskTeams = map[string]string{"members": "read"}

// RequestReviewers asks users and teams (of the repository's organisation, by
// slug) to review.
func (c *Client) RequestReviewers(ctx context.Context, repo Repository, n int, users, teams []string) error {
	if len(users) > 0 && len(teams) > 0 { // apart: a team that cannot be asked must not keep the others from it
		return outcome.Join(c.RequestReviewers(ctx, repo, n, users, nil), c.RequestReviewers(ctx, repo, n, nil, teams))
	}
	_, _, err := c.api.PullRequests.RequestReviewers(
		transport.MayRepeat(ctx), repo.Owner, repo.Name, n, gogithub.ReviewersRequest{Reviewers: users, TeamReviewers: teams},
	)
	if err == nil {
		return nil
	}
	op := fmt.Sprintf("request reviewers %s for pull request %s#%d", strings.Join(slices.Concat(users, teams), ", "), repo, n)
	if err = wrap(op, err); len(teams) > 0 && IsStatus(err, http.StatusUnprocessableEntity) {
		return fmt.Errorf("%w: the App needs members: read of the organisation, and the team access to %s. "+
			"CODEOWNERS asks its teams without either", err, repo)
	}
	return err
}

// AddLabels adds labels, which GitHub makes where they do not exist.
func (c *Client) AddLabels(ctx context.Context, repo Repository, n int, labels ...string) error {
	if _, _, err := c.api.Issues.AddLabelsToIssue(transport.MayRepeat(ctx), repo.Owner, repo.Name, n, labels); err != nil {
		return wrap(fmt.Sprintf("label pull request %s#%d", repo, n), err)
	}
	return nil
}

// RemoveLabel takes a label away. One that is not there is no error.
func (c *Client) RemoveLabel(ctx context.Context, repo Repository, n int, label string) error {
	_, err := c.api.Issues.RemoveLabelForIssue(transport.MayRepeat(ctx), repo.Owner, repo.Name, n, label)
	if err == nil {
		return nil
	}
	if err = wrap(fmt.Sprintf("take label %s from pull request %s#%d", label, repo, n), err); IsNotFound(err) {
		return nil
	}
	return err
}

// Merge merges a pull request whose head is sha, by the method merge, squash or rebase,
// as the rules of its base let it. GitHub refuses another head.
// https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request
func (c *Client) Merge(ctx context.Context, repo Repository, n int, sha, method string) error {
	_, _, err := c.api.PullRequests.Merge(ctx, repo.Owner, repo.Name, n, "", &gogithub.PullRequestOptions{SHA: sha, MergeMethod: method})
	if err != nil {
		return wrap(fmt.Sprintf("merge pull request %s#%d", repo, n), err)
	}
	return nil
}

func pull(p *gogithub.PullRequest) *PullRequest {
	var labels []string
	for _, l := range p.Labels {
		labels = append(labels, l.GetName())
	}
	return &PullRequest{
		Number: p.GetNumber(), Title: p.GetTitle(), Body: p.GetBody(), State: p.GetState(),
		Merged:  p.GetMerged() || !p.GetMergedAt().IsZero(), // lists have the time only
		HeadRef: p.GetHead().GetRef(), HeadSHA: p.GetHead().GetSHA(), HeadRepo: p.GetHead().GetRepo().GetFullName(),
		DefaultBranch: p.GetBase().GetRepo().GetDefaultBranch(),
		BaseRef:       p.GetBase().GetRef(), BaseSHA: p.GetBase().GetSHA(), MergeSHA: p.GetMergeCommitSHA(),
		URL: p.GetHTMLURL(), Author: p.GetUser().GetLogin(), Draft: p.GetDraft(),
		Mergeable: p.GetMergeable(), MergedBy: p.GetMergedBy().GetLogin(), MergedAt: p.GetMergedAt().Time, Labels: labels,
	}
}
