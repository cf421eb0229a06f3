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

// OwnComment is a comment of one user, which its beginning tells from others.
type OwnComment struct{ Login, Marker, Body string }

// UpsertOwnComment makes body the one comment of login, which is whom the token
// acts as, that begins with marker, a text that readers do not see such as
// <!-- waybill:check -->. A comment that says the same already stays as it is. A
// comment of somebody else stays theirs, whatever it begins with, and its author
// could change it again.
func (c *Client) UpsertOwnComment(ctx context.Context, repo Repository, n int, own OwnComment) error {
	comments, err := c.Comments(ctx, repo, n)
	if err != nil {
		return err
	}
	var mine []IssueComment
	for _, old := range comments {
		if strings.HasPrefix(old.Body, own.Marker) && old.By(own.Login) {
			mine = append(mine, old)
		}
	}
	return c.KeepComment(ctx, repo, n, mine, own.Body)
}

// KeepComment makes body the text of one of the comments, or of a new one if there
// is none any more. It leaves a comment that says the same already alone.
func (c *Client) KeepComment(ctx context.Context, repo Repository, n int, own []IssueComment, body string) error {
	for _, old := range own {
		if old.Body == body {
			return nil
		}
		if err := c.EditComment(ctx, repo, old.ID, body); !IsNotFound(err) {
			return err
		}
		// Somebody deleted it meanwhile.
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
