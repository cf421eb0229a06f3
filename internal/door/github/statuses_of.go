package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/text"
)

// StatusesOf reads the latest status of each context of several commits, newest first,
// by one request for each hundred. A commit that is not there has none.
// https://docs.github.com/en/graphql/reference/objects#status
func (c *Client) StatusesOf(ctx context.Context, repo Repository, commits []string) (map[string][]Status, error) {
	const most = 100
	found := make(map[string][]Status, len(commits))
	for part := range slices.Chunk(commits, most) {
		op := fmt.Sprintf("read the statuses of %s of %s", text.Count(len(part), "commit"), repo)
		var data struct {
			Repository map[string]*struct {
				Status *struct {
					Contexts []statusNode `json:"contexts"`
				} `json:"status"`
			} `json:"repository"`
		}
		err := c.queryEach(ctx, eachQuery{op: op, repo: repo, texts: part, each: "object(expression: $%s) { ... on Commit { status { " +
			"contexts { context state description targetUrl createdAt creator { login __typename } } } } }"}, &data)
		if err != nil {
			return nil, err
		}
		for i, commit := range part {
			if o := data.Repository[alias(i)]; o != nil && o.Status != nil {
				for _, n := range o.Status.Contexts {
					found[commit] = append(found[commit], n.status())
				}
			}
		}
	}
	return found, nil
}

type statusNode struct {
	Context     string    `json:"context"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	TargetURL   string    `json:"targetUrl"`
	CreatedAt   time.Time `json:"createdAt"`
	Creator     struct {
		Login string `json:"login"`
		Kind  string `json:"__typename"`
	} `json:"creator"`
}

func (n statusNode) status() Status {
	by := n.Creator.Login
	if n.Creator.Kind == "Bot" {
		by += "[bot]"
	}
	return Status{
		Context: n.Context, State: strings.ToLower(n.State), Description: n.Description, TargetURL: n.TargetURL,
		Updated: n.CreatedAt, By: by,
	}
}

// StatusHistory reads every status that a commit had under a name, newest first.
func (c *Client) StatusHistory(ctx context.Context, repo Repository, sha, name string) ([]Status, error) {
	list, err := c.AllStatuses(ctx, repo, sha)
	return slices.DeleteFunc(list, func(s Status) bool { return s.Context != name }), err
}

// AllStatuses reads every status that a commit ever had, newest first.
// https://docs.github.com/en/rest/commits/statuses#list-commit-statuses-for-a-reference
func (c *Client) AllStatuses(ctx context.Context, repo Repository, sha string) (list []Status, err error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.RepoStatus, *gogithub.Response, error) {
		return c.api.Repositories.ListStatuses(ctx, repo.Owner, repo.Name, sha, &page)
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("read the statuses of %s@%s", repo, text.Commit(sha)), err)
	}
	for _, s := range got {
		list = append(list, Status{
			Context: s.GetContext(), State: s.GetState(), Description: s.GetDescription(), TargetURL: s.GetTargetURL(),
			By: s.GetCreator().GetLogin(), Updated: s.GetUpdatedAt().Time,
		})
	}
	return list, nil
}
