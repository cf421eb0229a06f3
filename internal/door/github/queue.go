package github

import "context"

// Group is an entry of a merge queue: a pull request, and the commit that merges it and
// all before it.
type Group struct {
	Number int
	Head   string
}

const queueQuery = `query($owner: String!, $name: String!, $branch: String!, $after: String) {
	repository(owner: $owner, name: $name) { mergeQueue(branch: $branch) { entries(first: 100, after: $after) {
		nodes { headCommit { oid } pullRequest { number } } pageInfo { hasNextPage endCursor } } } } }`

// MergeQueue lists what is in the merge queue of a branch; a branch without one has none.
// https://docs.github.com/en/graphql/reference/objects#mergequeueentry
func (c *Client) MergeQueue(ctx context.Context, repo Repository, branch string) (groups []Group, err error) {
	variables := map[string]any{"owner": repo.Owner, "name": repo.Name, "branch": branch}
	for more := true; more; {
		var data struct {
			Repository struct {
				MergeQueue struct {
					Entries connection[struct {
						Head struct {
							OID string `json:"oid"`
						} `json:"headCommit"`
						Pull struct {
							Number int `json:"number"`
						} `json:"pullRequest"`
					}] `json:"entries"`
				} `json:"mergeQueue"`
			} `json:"repository"`
		}
		if err := c.query(ctx, "read the merge queue of "+branch+" of "+repo.String(), queueQuery, variables, &data); err != nil {
			return nil, err
		}
		entries := data.Repository.MergeQueue.Entries
		for _, e := range entries.Nodes {
			if e.Head.OID != "" { // it has no commit yet
				groups = append(groups, Group{Number: e.Pull.Number, Head: e.Head.OID})
			}
		}
		more = entries.next(variables, "after")
	}
	return groups, nil
}
