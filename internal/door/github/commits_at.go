package github

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

// maxParents is how many parents of a commit are told.
const maxParents = 10

// CommitsAt reads commits and the ids of their trees, by one request for each hundred. What
// is no commit is left out, and so is one of more than maxParents parents.
// https://docs.github.com/en/graphql/reference/objects#commit
func (c *Client) CommitsAt(
	ctx context.Context, repo Repository, shas []string,
) (commits map[string]Commit, trees map[string]string, err error) {
	const most = 100
	commits, trees = make(map[string]Commit, len(shas)), make(map[string]string, len(shas))
	for part := range slices.Chunk(shas, most) {
		op := fmt.Sprintf("read %s of %s", text.Count(len(part), "commit"), repo)
		var data struct {
			Repository map[string]*struct {
				OID     string    `json:"oid"`
				Message string    `json:"message"`
				Time    time.Time `json:"committedDate"`
				Author  struct {
					Name  string `json:"name"`
					Email string `json:"email"`
				} `json:"author"`
				Parents struct {
					Nodes []struct {
						OID string `json:"oid"`
					} `json:"nodes"`
				} `json:"parents"`
				Tree struct {
					OID string `json:"oid"`
				} `json:"tree"`
			} `json:"repository"`
		}
		each := fmt.Sprintf("object(expression: $%%s) { ... on Commit { oid message committedDate author { name email } "+
			"parents(first: %d) { nodes { oid } } tree { oid } } }", maxParents)
		if err := c.queryEach(ctx, eachQuery{op: op, repo: repo, texts: part, each: each}, &data); err != nil {
			return nil, nil, err
		}
		for i, sha := range part {
			o := data.Repository[alias(i)]
			if o == nil || o.OID != sha || len(o.Parents.Nodes) >= maxParents {
				continue
			}
			commit := Commit{SHA: sha, Message: o.Message, AuthorName: o.Author.Name, AuthorEmail: o.Author.Email, Time: o.Time}
			for _, p := range o.Parents.Nodes {
				commit.Parents = append(commit.Parents, p.OID)
			}
			commits[sha], trees[sha] = commit, o.Tree.OID
		}
	}
	return commits, trees, nil
}
