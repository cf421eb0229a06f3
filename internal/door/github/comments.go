package github

import (
	"context"
	"fmt"
	"strings"

	gogithub "github.com/google/go-github/v60/github"
)

// Comment adds a comment to a pull request or issue.
func (c *Client) Comment(ctx context.Context, repo Repository, n int, body string) error {
	_, _, err := c.api.Issues.CreateComment(ctx, repo.Owner, repo.Name, n, &gogithub.IssueComment{Body: &body})
	if err != nil {
		return wrap(fmt.Sprintf("comment on %s#%d", repo, n), err)
	}
	return nil
}

// UpsertComment makes body the one comment that holds marker, a text that
// readers do not see such as <!-- waybill:check -->. It adds the marker where
// body lacks it, and leaves a comment that says the same already alone. Only a
// comment that starts with the marker counts: a quotation of it does not, and
// neither does one by somebody from outside, who could change it afterwards.
func (c *Client) UpsertComment(ctx context.Context, repo Repository, n int, marker, body string) error {
	if !strings.HasPrefix(body, marker) {
		body = marker + "\n" + body
	}
	comments, err := all(func(page gogithub.ListOptions) ([]*gogithub.IssueComment, *gogithub.Response, error) {
		return c.api.Issues.ListComments(ctx, repo.Owner, repo.Name, n, &gogithub.IssueListCommentsOptions{ListOptions: page})
	})
	if err != nil {
		return wrap(fmt.Sprintf("list the comments of %s#%d", repo, n), err)
	}
	for _, old := range comments {
		if !strings.HasPrefix(old.GetBody(), marker) {
			continue
		}
		if inside, err := c.inside(ctx, repo, old); err != nil {
			return err
		} else if !inside {
			continue
		}
		if old.GetBody() == body {
			return nil
		}
		_, _, err := c.api.Issues.EditComment(ctx, repo.Owner, repo.Name, old.GetID(), &gogithub.IssueComment{Body: &body})
		if err == nil {
			return nil
		}
		if wrapped := wrap(fmt.Sprintf("edit the comment on %s#%d", repo, n), err); !IsStatus(wrapped, 403) && !IsNotFound(wrapped) {
			return wrapped
		}
		// Somebody else wrote it, or deleted it meanwhile.
	}
	return c.Comment(ctx, repo, n, body)
}

// EditComment changes the text of a comment.
func (c *Client) EditComment(ctx context.Context, repo Repository, id int64, body string) error {
	if _, _, err := c.api.Issues.EditComment(ctx, repo.Owner, repo.Name, id, &gogithub.IssueComment{Body: &body}); err != nil {
		return wrap(fmt.Sprintf("edit comment %d in %s", id, repo), err)
	}
	return nil
}

// By reports whether login wrote the comment. REST and GraphQL name Apps with and
// without [bot]; no user has such a name.
func (c IssueComment) By(login string) bool {
	name, bot := strings.CutSuffix(login, "[bot]")
	author, byBot := strings.CutSuffix(c.Author, "[bot]")
	return strings.EqualFold(name, author) && bot == byBot && (!bot || c.Bot)
}

// inside reports whether a comment is by a job or App, or by somebody who may
// write to the repository.
func (c *Client) inside(ctx context.Context, repo Repository, comment *gogithub.IssueComment) (bool, error) {
	if comment.GetUser().GetType() == "Bot" {
		return true, nil
	}
	return c.CanWrite(ctx, repo, comment.GetUser().GetLogin())
}
