package github

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
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
	By          string    // read only: the login of who set it, where that was asked for
}

// SetStatus sets a status of a commit.
func (c *Client) SetStatus(ctx context.Context, repo Repository, sha string, s Status) error {
	description := text.Cut(s.Description, maxStatusDescription, "…")
	status := &gogithub.RepoStatus{State: &s.State, Context: &s.Context, Description: &description}
	if s.TargetURL != "" {
		status.TargetURL = &s.TargetURL
	}
	if _, _, err := c.api.Repositories.CreateStatus(transport.MayRepeat(ctx), repo.Owner, repo.Name, sha, status); err != nil {
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

// Check is what a program says of a commit: a commit status, or a check run.
type Check struct {
	Name   string
	Status bool // a commit status
	// State is success, failure, pending and so on; that of a check run which has not
	// ended is pending.
	State string
}

// checkNode is one of a rollup.
type checkNode struct {
	Context    string     `json:"context"` // of a status
	State      string     `json:"state"`   // likewise
	Name       string     `json:"name"`    // of a check run
	Conclusion *string    `json:"conclusion"`
	Started    *time.Time `json:"startedAt"`
	Suite      struct {
		App struct {
			Slug string `json:"slug"`
		} `json:"app"`
	} `json:"checkSuite"`
}

const checksQuery = `query($owner: String!, $name: String!, $commit: GitObjectID!, $after: String) {
	repository(owner: $owner, name: $name) { object(oid: $commit) { ... on Commit { statusCheckRollup {
		contexts(first: 100, after: $after) {
			nodes { ... on StatusContext { context state } ... on CheckRun { name conclusion startedAt checkSuite { app { slug } } } }
			pageInfo { hasNextPage endCursor } } } } } } }`

// Checks lists the latest status of each context and the latest check run of each name
// on a commit. Of check runs that began at the same time, all are listed.
// https://docs.github.com/en/graphql/reference/objects#statuscheckrollup
func (c *Client) Checks(ctx context.Context, repo Repository, sha string) ([]Check, error) {
	op := fmt.Sprintf("list the statuses and checks of %s@%s", repo, text.Commit(sha))
	variables := map[string]any{"owner": repo.Owner, "name": repo.Name, "commit": sha}
	var nodes []checkNode
	for more := true; more; {
		var data struct {
			Repository struct {
				Object *struct {
					Rollup *struct {
						Contexts connection[checkNode] `json:"contexts"`
					} `json:"statusCheckRollup"`
				} `json:"object"`
			} `json:"repository"`
		}
		if err := c.query(ctx, op, checksQuery, variables, &data); err != nil {
			return nil, err
		}
		switch object := data.Repository.Object; {
		case object == nil:
			return nil, unanswered(op, "there is no such commit")
		case object.Rollup == nil:
			return nil, nil
		default:
			nodes = append(nodes, object.Rollup.Contexts.Nodes...)
			more = object.Rollup.Contexts.next(variables, "after")
		}
	}
	var list []Check
	for _, n := range nodes {
		if !slices.ContainsFunc(nodes, n.precedes) {
			list = append(list, n.check())
		}
	}
	return list, nil
}

// precedes reports whether a later check run of the same program has the same name.
// One whose start is unknown has not begun.
func (n checkNode) precedes(other checkNode) bool {
	if n.Name == "" || n.Name != other.Name || n.Suite != other.Suite || n.Started == nil {
		return false
	}
	return other.Started == nil || other.Started.After(*n.Started)
}

func (n checkNode) check() Check {
	switch {
	case n.Context != "":
		return Check{Name: n.Context, Status: true, State: strings.ToLower(n.State)}
	case n.Conclusion == nil:
		return Check{Name: n.Name, State: "pending"}
	}
	return Check{Name: n.Name, State: strings.ToLower(*n.Conclusion)}
}
