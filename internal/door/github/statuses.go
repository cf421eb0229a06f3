package github

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/text"
)

const maxStatusDescription = 140

// Status is a commit status.
type Status struct {
	Context     string
	State       string // error, failure, pending, success
	Description string // cut at 140 characters
	TargetURL   string
	Updated     time.Time // read only
}

// SetStatus sets a status of a commit.
func (c *Client) SetStatus(ctx context.Context, repo Repository, sha string, s Status) error {
	description := text.Cut(s.Description, maxStatusDescription, "…")
	status := &gogithub.RepoStatus{State: &s.State, Context: &s.Context, Description: &description}
	if s.TargetURL != "" {
		status.TargetURL = &s.TargetURL
	}
	if _, _, err := c.api.Repositories.CreateStatus(mayRepeat(ctx), repo.Owner, repo.Name, sha, status); err != nil {
		return wrap(fmt.Sprintf("set status %s of %s@%s", s.Context, repo, text.Commit(sha)), err)
	}
	return nil
}

// Statuses reads the latest status of each context of a commit.
func (c *Client) Statuses(ctx context.Context, repo Repository, ref string) ([]Status, error) {
	var list []Status
	_, err := all(func(page gogithub.ListOptions) ([]*gogithub.CombinedStatus, *gogithub.Response, error) {
		got, resp, err := c.api.Repositories.GetCombinedStatus(ctx, repo.Owner, repo.Name, ref, &page)
		if err != nil {
			return nil, resp, err
		}
		for _, s := range got.Statuses {
			list = append(list, Status{
				Context: s.GetContext(), State: s.GetState(), Description: s.GetDescription(), TargetURL: s.GetTargetURL(),
				Updated: s.GetUpdatedAt().Time,
			})
		}
		return nil, resp, nil
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("read the statuses of %s@%s", repo, text.Commit(ref)), err)
	}
	return list, nil
}

// Said is a status that a commit had last under one name.
type Said struct {
	Commit      string
	State       string // error, failure, pending, success, expected
	Description string
	By          string // login; that of an App ends in [bot]
	At          time.Time
}

// sayings bounds how many commits one answer lists.
const sayings = 100

// Sayings lists what the newest commits that are reachable from head had last under
// a name, newest commit first, and which commits were looked at.
// https://docs.github.com/en/graphql/reference/objects#status
func (c *Client) Sayings(ctx context.Context, repo Repository, head, name string) (said []Said, seen []string, err error) {
	op := fmt.Sprintf("read the statuses %s of %s", name, repo)
	var data struct {
		Repository struct {
			Object *struct {
				History struct {
					Nodes []struct {
						OID    string `json:"oid"`
						Status *struct {
							Context *struct {
								State       string    `json:"state"`
								Description string    `json:"description"`
								CreatedAt   time.Time `json:"createdAt"`
								Creator     struct {
									Login string `json:"login"`
									Kind  string `json:"__typename"`
								} `json:"creator"`
							} `json:"context"`
						} `json:"status"`
					} `json:"nodes"`
				} `json:"history"`
			} `json:"object"`
		} `json:"repository"`
	}
	query := `query($owner: String!, $name: String!, $commit: GitObjectID!, $context: String!) {
		repository(owner: $owner, name: $name) { object(oid: $commit) { ... on Commit { history(first: ` + strconv.Itoa(sayings) + `) {
			nodes { oid status { context(name: $context) { state description createdAt creator { login __typename } } } } } } } } }`
	variables := map[string]any{"owner": repo.Owner, "name": repo.Name, "commit": head, "context": name}
	if err := c.query(ctx, op, query, variables, &data); err != nil {
		return nil, nil, err
	}
	if data.Repository.Object == nil {
		return nil, nil, unanswered(op, "there is no commit "+head)
	}
	for _, n := range data.Repository.Object.History.Nodes {
		seen = append(seen, n.OID)
		if n.Status == nil || n.Status.Context == nil {
			continue
		}
		s := n.Status.Context
		by := s.Creator.Login
		if s.Creator.Kind == "Bot" {
			by += "[bot]"
		}
		said = append(said, Said{
			Commit: n.OID, State: strings.ToLower(s.State), Description: s.Description, By: by, At: s.CreatedAt,
		})
	}
	return said, seen, nil
}
