package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/text"
)

// IssueComment is a comment on a pull request or issue.
type IssueComment struct {
	ID               int64
	Author           string
	Bot              bool // by a job or an App
	Body             string
	Created, Updated time.Time
	Edit             *Edit // the last change of its text, as Conversation says it; nil where there is none
	URL              string
}

// Edited reports whether its text was changed since it was written: by anybody who
// may write to the repository, not only by its author.
func (c IssueComment) Edited() bool { return !c.Updated.Equal(c.Created) }

// Comments lists the comments of a pull request or issue, oldest first; reviews
// are not among them.
func (c *Client) Comments(ctx context.Context, repo Repository, n int) ([]IssueComment, error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.IssueComment, *gogithub.Response, error) {
		return c.api.Issues.ListComments(ctx, repo.Owner, repo.Name, n, &gogithub.IssueListCommentsOptions{ListOptions: page})
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the comments of %s#%d", repo, n), err)
	}
	list := make([]IssueComment, 0, len(got))
	for _, m := range got {
		list = append(list, IssueComment{
			ID: m.GetID(), Author: m.GetUser().GetLogin(), Bot: m.GetUser().GetType() == "Bot", Body: m.GetBody(),
			Created: m.GetCreatedAt().Time, Updated: m.GetUpdatedAt().Time, URL: m.GetHTMLURL(),
		})
	}
	return list, nil
}

// PullsOfCommit lists the pull requests that brought a commit, or would.
func (c *Client) PullsOfCommit(ctx context.Context, repo Repository, sha string) ([]PullRequest, error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.PullRequest, *gogithub.Response, error) {
		return c.api.PullRequests.ListPullRequestsWithCommit(ctx, repo.Owner, repo.Name, sha, &page)
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("find the pull request of %s@%s", repo, text.Commit(sha)), err)
	}
	list := make([]PullRequest, 0, len(got))
	for _, p := range got {
		list = append(list, *pull(p))
	}
	return list, nil
}

// Pushers lists who moved the branch to the commit. It is empty when GitHub
// does not know.
// https://docs.github.com/en/rest/repos/repos#list-repository-activities
func (c *Client) Pushers(ctx context.Context, repo Repository, branch, sha string) ([]string, error) {
	op := fmt.Sprintf("find who pushed %s to %s of %s", text.Commit(sha), branch, repo)
	var logins []string
	next := fmt.Sprintf("repos/%s/%s/activity?per_page=%d&ref=%s", repo.Owner, repo.Name, perPage, url.QueryEscape("refs/heads/"+branch))
	for next != "" {
		req, err := c.api.NewRequest(http.MethodGet, next, nil)
		if err != nil {
			return nil, wrap(op, err)
		}
		var page []struct {
			After string `json:"after"`
			Actor *struct {
				Login string `json:"login"`
			} `json:"actor"`
		}
		resp, err := c.api.Do(ctx, req, &page)
		if err != nil {
			return nil, wrap(op, err)
		}
		for _, a := range page {
			if a.After == sha && a.Actor != nil && !slices.Contains(logins, a.Actor.Login) {
				logins = append(logins, a.Actor.Login)
			}
		}
		next = nextLink(resp.Header.Get("Link"))
	}
	return logins, nil
}

// nextLink is the address of the next page: this list is paged by cursors.
func nextLink(header string) string {
	for _, link := range strings.Split(header, ",") {
		address, rest, ok := strings.Cut(link, ";")
		if ok && strings.Contains(rest, `rel="next"`) {
			return strings.Trim(strings.TrimSpace(address), "<>")
		}
	}
	return ""
}

// TeamMember reports whether the user is an active member of the team, or of a
// team below it. A team that the token cannot see is an error, never a no.
func (c *Client) TeamMember(ctx context.Context, org, slug, user string) (bool, error) {
	op := fmt.Sprintf("ask whether %s is in team %s/%s", user, org, slug)
	membership, _, err := c.api.Teams.GetTeamMembershipBySlug(ctx, org, slug, user)
	if err == nil {
		return membership.GetState() == "active", nil
	}
	wrapped := wrap(op, err)
	if !IsNotFound(wrapped) {
		return false, wrapped
	}
	// Either the user is not in it, or the token cannot see the team at all.
	if _, _, err := c.api.Teams.GetTeamBySlug(ctx, org, slug); err != nil {
		e := wrap(op, err)
		var answer *Error
		if errors.As(e, &answer) && answer.Permission == "" {
			answer.Permission = "members: read of the organisation"
		}
		return false, e
	}
	return false, nil
}
