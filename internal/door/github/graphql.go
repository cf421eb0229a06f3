package github

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// query asks GraphQL and reads its answer into data. An answer in which any part
// is an error counts as none.
func (c *Client) query(ctx context.Context, op, text string, variables map[string]any, data any) error {
	req, err := c.api.NewRequest(http.MethodPost, c.graphql, map[string]any{"query": text, "variables": variables})
	if err != nil {
		return wrap(op, err)
	}
	answer := struct {
		Data   any `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}{Data: data}
	if _, err := c.api.Do(mayRepeat(ctx), req, &answer); err != nil {
		return wrap(op, err)
	}
	if len(answer.Errors) > 0 {
		return unanswered(op, answer.Errors[0].Message)
	}
	return nil
}

func unanswered(op, message string) error {
	return &Error{Op: op, Status: http.StatusUnprocessableEntity, Message: message, Cause: errors.New(message)}
}

// Viewer is the login that the token acts as. REST tells it to users alone; a
// job's token, and that of an App, learn it here.
// https://docs.github.com/en/graphql/reference/queries#viewer
func (c *Client) Viewer(ctx context.Context) (string, error) {
	const op = "ask whom the token acts as"
	var data struct {
		Viewer struct {
			Login string `json:"login"`
		} `json:"viewer"`
	}
	if err := c.query(ctx, op, "query { viewer { login } }", nil, &data); err != nil {
		return "", err
	}
	if data.Viewer.Login == "" {
		return "", unanswered(op, "GitHub gives no login")
	}
	return data.Viewer.Login, nil
}

// Review is a review of a pull request.
type Review struct {
	ID        int64
	Author    string
	State     string // APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED
	Body      string
	CommitID  string // the head that was reviewed
	Submitted time.Time
	// Edited says that the text was changed since it was submitted: by anybody who
	// may write to the repository, not only by its author. REST does not say so.
	Edited bool
	URL    string
}

type reviewNode struct {
	Author struct {
		Login string `json:"login"`
		Kind  string `json:"__typename"`
	} `json:"author"`
	State  string `json:"state"`
	Body   string `json:"body"`
	Commit struct {
		OID string `json:"oid"`
	} `json:"commit"`
	Submitted time.Time  `json:"submittedAt"`
	Edited    *time.Time `json:"lastEditedAt"`
	URL       string     `json:"url"`
}

// Reviews lists the reviews of a pull request, oldest first.
// https://docs.github.com/en/graphql/reference/objects#pullrequestreview
func (c *Client) Reviews(ctx context.Context, repo Repository, n int) ([]Review, error) {
	op := fmt.Sprintf("list the reviews of pull request %s#%d", repo, n)
	var list []Review
	for variables := map[string]any{"owner": repo.Owner, "name": repo.Name, "number": n}; ; {
		var data struct {
			Repository struct {
				PullRequest *struct {
					Reviews struct {
						Nodes    []reviewNode `json:"nodes"`
						PageInfo struct {
							HasNextPage bool   `json:"hasNextPage"`
							EndCursor   string `json:"endCursor"`
						} `json:"pageInfo"`
					} `json:"reviews"`
				} `json:"pullRequest"`
			} `json:"repository"`
		}
		err := c.query(ctx, op, `query($owner: String!, $name: String!, $number: Int!, $after: String) {
			repository(owner: $owner, name: $name) { pullRequest(number: $number) { reviews(first: 100, after: $after) {
				nodes { author { login __typename } state body commit { oid } submittedAt lastEditedAt url }
				pageInfo { hasNextPage endCursor } } } } }`, variables, &data)
		if err != nil {
			return nil, err
		}
		if data.Repository.PullRequest == nil {
			return nil, unanswered(op, "no such pull request")
		}
		reviews := data.Repository.PullRequest.Reviews
		for _, r := range reviews.Nodes {
			list = append(list, r.review())
		}
		if !reviews.PageInfo.HasNextPage {
			return list, nil
		}
		variables["after"] = reviews.PageInfo.EndCursor
	}
}

// review names an App as REST does: without [bot], it could have the name of a
// user. The id stands in the address; the field for it holds 32 bits only.
func (r reviewNode) review() Review {
	out := Review{
		Author: r.Author.Login, State: r.State, Body: r.Body, CommitID: r.Commit.OID, Submitted: r.Submitted,
		Edited: r.Edited != nil, URL: r.URL,
	}
	if r.Author.Kind == "Bot" {
		out.Author += "[bot]"
	}
	_, id, _ := strings.Cut(r.URL, "#pullrequestreview-")
	out.ID, _ = strconv.ParseInt(id, 10, 64)
	return out
}

// Files reads files of commits by one request: by commit, then by path. What is
// no file there is left out; a commit that GitHub does not show is left out whole.
// A symbolic link is the text it holds, and is not followed.
// https://docs.github.com/en/graphql/reference/objects#repository
func (c *Client) Files(ctx context.Context, repo Repository, commits, paths []string) (map[string]map[string][]byte, error) {
	op := fmt.Sprintf("read %s of %s", strings.Join(paths, ", "), repo)
	variables := map[string]any{"owner": repo.Owner, "name": repo.Name}
	var declared, asked strings.Builder
	ask := func(alias, expression string) {
		variables[alias] = expression
		fmt.Fprintf(&declared, ", $%s: String!", alias)
		fmt.Fprintf(&asked, " %s: object(expression: $%s) { __typename oid ... on Blob { text } }", alias, alias)
	}
	for i, commit := range commits {
		ask(fmt.Sprintf("c%d", i), commit)
		for j, path := range paths {
			ask(fmt.Sprintf("c%dp%d", i, j), commit+":"+path)
		}
	}
	var data struct {
		Repository map[string]*struct {
			Kind string  `json:"__typename"`
			OID  string  `json:"oid"`
			Text *string `json:"text"` // nil where it is no text, cut where it is long
		} `json:"repository"`
	}
	query := "query($owner: String!, $name: String!" + declared.String() + ") { repository(owner: $owner, name: $name) {" +
		asked.String() + " } }"
	if err := c.query(ctx, op, query, variables, &data); err != nil {
		return nil, err
	}
	files := make(map[string]map[string][]byte)
	for i, commit := range commits {
		if data.Repository[fmt.Sprintf("c%d", i)] == nil {
			continue
		}
		files[commit] = make(map[string][]byte)
		for j, path := range paths {
			object := data.Repository[fmt.Sprintf("c%dp%d", i, j)]
			if object == nil || object.Kind != "Blob" {
				continue
			}
			if object.Text != nil && blobID(*object.Text) == object.OID {
				files[commit][path] = []byte(*object.Text)
				continue
			}
			whole, err := c.Blob(ctx, repo, object.OID)
			if err != nil {
				return nil, err
			}
			files[commit][path] = whole
		}
	}
	return files, nil
}

// blobID is git's id of a file's content.
func blobID(content string) string {
	h := sha1.New() //nolint:gosec // git's object ids
	fmt.Fprintf(h, "blob %d\x00%s", len(content), content)
	return hex.EncodeToString(h.Sum(nil))
}
