package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Tip is a branch as it is at one moment.
type Tip struct {
	SHA   string
	Files map[string][]byte // of that very commit; what is no file there is left out
	// Labelled are the numbers of the open pull requests that bear the label.
	Labelled []int
}

// tipAnswer is GitHub's.
type tipAnswer struct {
	Repository struct {
		Ref *struct {
			Target map[string]json.RawMessage `json:"target"` // oid, and a file by each alias
		} `json:"ref"`
		Labelled connection[struct {
			Number int `json:"number"`
		}] `json:"pullRequests"`
	} `json:"repository"`
}

// Tip reads where a branch is, files of that commit and, if label is not empty, which
// open pull requests bear it. It takes one request, and one more for each further
// hundred of those pull requests.
// https://docs.github.com/en/graphql/reference/objects#commit
// https://docs.github.com/en/graphql/reference/objects#repository
func (c *Client) Tip(ctx context.Context, repo Repository, branch string, paths []string, label string) (*Tip, error) {
	op := fmt.Sprintf("read the tip of %s of %s", branch, repo)
	query, variables := tipQuery(paths, label)
	variables["owner"], variables["name"], variables["ref"] = repo.Owner, repo.Name, "refs/heads/"+branch
	var first *tipAnswer
	tip := &Tip{Files: make(map[string][]byte)}
	for more := true; more; {
		var data tipAnswer
		if err := c.query(ctx, op, query, variables, &data); err != nil {
			return nil, err
		}
		for _, p := range data.Repository.Labelled.Nodes {
			tip.Labelled = append(tip.Labelled, p.Number)
		}
		if first == nil {
			first = &data
		}
		more = data.Repository.Labelled.next(variables, "after")
	}
	if first.Repository.Ref == nil {
		return nil, &Error{Op: op, Status: http.StatusNotFound, Message: "there is no such branch", Cause: errors.New("no such branch")}
	}
	target := first.Repository.Ref.Target
	if err := json.Unmarshal(target["oid"], &tip.SHA); err != nil || tip.SHA == "" {
		return nil, unanswered(op, "GitHub names no commit")
	}
	for i, path := range paths {
		var entry struct {
			Object *object `json:"object"`
		}
		raw := target[alias(i)]
		if len(raw) == 0 {
			continue
		}
		if err := json.Unmarshal(raw, &entry); err != nil {
			return nil, unanswered(op, "GitHub's answer cannot be read: "+err.Error())
		}
		data, is, err := c.whole(ctx, repo, entry.Object)
		if err != nil {
			return nil, err
		}
		if is {
			tip.Files[path] = data
		}
	}
	return tip, nil
}

func tipQuery(paths []string, label string) (query string, variables map[string]any) {
	variables = make(map[string]any)
	var declared, files, labelled strings.Builder
	for i, path := range paths {
		variables[alias(i)] = path
		fmt.Fprintf(&declared, ", $%s: String!", alias(i))
		fmt.Fprintf(&files, " %s: file(path: $%[1]s) { object { __typename oid ... on Blob { text } } }", alias(i))
	}
	if label != "" {
		variables["label"] = label
		declared.WriteString(", $label: String!, $after: String")
		labelled.WriteString(" pullRequests(states: OPEN, labels: [$label], first: 100, after: $after) " +
			"{ nodes { number } pageInfo { hasNextPage endCursor } }")
	}
	of := files.String()
	if of != "" {
		of = " ... on Commit {" + of + " }"
	}
	return "query($owner: String!, $name: String!, $ref: String!" + declared.String() + ") { repository(owner: $owner, name: $name) " +
		"{ ref(qualifiedName: $ref) { target { oid" + of + " } }" + labelled.String() + " } }", variables
}
