package github

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Conversation is what was said on a pull request. REST does not tell who changed
// which text, and whose comments are gone.
type Conversation struct {
	Reviews  []Review       // oldest first
	Comments []IssueComment // likewise
	Deleted  []Deletion
}

// Edit is the last change of a text.
type Edit struct {
	At     time.Time
	By     string // empty if GitHub does not say
	Others bool   // somebody else than the author changed it, or GitHub does not say who
}

// Deletion is a comment that was deleted. What it said, and when, nobody knows.
type Deletion struct {
	At     time.Time
	Author string // of the comment; empty if GitHub does not say
	By     string // likewise
}

// Review is a review of a pull request.
type Review struct {
	ID        int64
	Author    string
	State     string // APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED
	Body      string
	CommitID  string // the head that was reviewed
	Submitted time.Time
	// Edited is the last change of the text since it was submitted; nil if there is none.
	// Anybody who may write to the repository can change it. REST does not say so.
	Edited *Edit
	URL    string
}

// actor is somebody on GitHub; nil if the account is gone, or must not be seen.
type actor struct {
	Login string `json:"login"`
	Kind  string `json:"__typename"`
}

// name names an App as REST does: without [bot], it could have the name of a user.
func (a *actor) name() string {
	switch {
	case a == nil:
		return ""
	case a.Kind == "Bot":
		return a.Login + "[bot]"
	}
	return a.Login
}

// said is a review or a comment.
type said struct {
	Author *actor `json:"author"`
	State  string `json:"state"`
	Body   string `json:"body"`
	Commit struct {
		OID string `json:"oid"`
	} `json:"commit"`
	Submitted time.Time  `json:"submittedAt"`
	Created   time.Time  `json:"createdAt"`
	Updated   time.Time  `json:"updatedAt"`
	Edited    *time.Time `json:"lastEditedAt"`
	Editor    *actor     `json:"editor"`
	URL       string     `json:"url"`
}

func (s said) edit() *Edit {
	if s.Edited == nil {
		return nil
	}
	by := s.Editor.name()
	return &Edit{At: *s.Edited, By: by, Others: by == "" || by != s.Author.name()}
}

// id stands in the address; the field for it holds 32 bits only.
func (s said) id(anchor string) int64 {
	_, id, _ := strings.Cut(s.URL, anchor)
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

type connection[T any] struct {
	Nodes    []T `json:"nodes"`
	PageInfo struct {
		HasNextPage bool   `json:"hasNextPage"`
		EndCursor   string `json:"endCursor"`
	} `json:"pageInfo"`
}

// next moves a cursor behind the page, and reports whether there is more.
func (c connection[T]) next(variables map[string]any, cursor string) bool {
	if c.PageInfo.EndCursor != "" {
		variables[cursor] = c.PageInfo.EndCursor
	}
	return c.PageInfo.HasNextPage
}

const conversationQuery = `query($owner: String!, $name: String!, $number: Int!, $reviews: String, $comments: String, $deleted: String) {
	repository(owner: $owner, name: $name) { pullRequest(number: $number) {
		reviews(first: 100, after: $reviews) {
			nodes { author { login __typename } state body commit { oid } submittedAt lastEditedAt editor { login __typename } url }
			pageInfo { hasNextPage endCursor } }
		comments(first: 100, after: $comments) {
			nodes { author { login __typename } body createdAt updatedAt lastEditedAt editor { login __typename } url }
			pageInfo { hasNextPage endCursor } }
		timelineItems(first: 100, after: $deleted, itemTypes: [COMMENT_DELETED_EVENT]) {
			nodes { ... on CommentDeletedEvent { createdAt actor { login __typename } deletedCommentAuthor { login __typename } } }
			pageInfo { hasNextPage endCursor } } } } }`

// Conversation reads what was said on a pull request.
// https://docs.github.com/en/graphql/reference/objects#pullrequestreview
// https://docs.github.com/en/graphql/reference/objects#issuecomment
// https://docs.github.com/en/graphql/reference/objects#commentdeletedevent
func (c *Client) Conversation(ctx context.Context, repo Repository, n int) (*Conversation, error) {
	op := fmt.Sprintf("list the reviews of pull request %s#%d", repo, n)
	all := &Conversation{}
	for variables := map[string]any{"owner": repo.Owner, "name": repo.Name, "number": n}; ; {
		var data struct {
			Repository struct {
				PullRequest *struct {
					Reviews  connection[said] `json:"reviews"`
					Comments connection[said] `json:"comments"`
					Deleted  connection[struct {
						At     time.Time `json:"createdAt"`
						By     *actor    `json:"actor"`
						Author *actor    `json:"deletedCommentAuthor"`
					}] `json:"timelineItems"`
				} `json:"pullRequest"`
			} `json:"repository"`
		}
		if err := c.query(ctx, op, conversationQuery, variables, &data); err != nil {
			return nil, err
		}
		pull := data.Repository.PullRequest
		if pull == nil {
			return nil, unanswered(op, "no such pull request")
		}
		for _, r := range pull.Reviews.Nodes {
			all.Reviews = append(all.Reviews, r.review())
		}
		for _, c := range pull.Comments.Nodes {
			all.Comments = append(all.Comments, c.comment())
		}
		for _, d := range pull.Deleted.Nodes {
			all.Deleted = append(all.Deleted, Deletion{At: d.At, Author: d.Author.name(), By: d.By.name()})
		}
		more := []bool{
			pull.Reviews.next(variables, "reviews"), pull.Comments.next(variables, "comments"), pull.Deleted.next(variables, "deleted"),
		}
		if !slices.Contains(more, true) {
			return all, nil
		}
	}
}

// Reviews lists the reviews of a pull request, oldest first.
func (c *Client) Reviews(ctx context.Context, repo Repository, n int) ([]Review, error) {
	all, err := c.Conversation(ctx, repo, n)
	if err != nil {
		return nil, err
	}
	return all.Reviews, nil
}

func (s said) comment() IssueComment {
	return IssueComment{
		ID: s.id("#issuecomment-"), Author: s.Author.name(), Bot: s.Author != nil && s.Author.Kind == "Bot", Body: s.Body,
		Created: s.Created, Updated: s.Updated, Edit: s.edit(), URL: s.URL,
	}
}

func (s said) review() Review {
	return Review{
		ID: s.id("#pullrequestreview-"), Author: s.Author.name(), State: s.State, Body: s.Body, CommitID: s.Commit.OID,
		Submitted: s.Submitted, Edited: s.edit(), URL: s.URL,
	}
}
