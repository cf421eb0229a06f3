package githubd

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// deletion is a comment that was deleted.
type deletion struct {
	Number     int
	Author, By string
	At         time.Time
}

// deleteComment deletes a comment. The timeline of the issue or pull request then says
// who did, and whose comment it was.
// https://docs.github.com/en/rest/issues/comments#delete-an-issue-comment
// https://docs.github.com/en/communities/moderating-comments-and-conversations/managing-disruptive-comments#deleting-a-comment
func deleteComment(c *call) (*answer, error) {
	id, _ := strconv.ParseInt(c.PathValue("id"), 10, 64)
	var gone *comment
	c.s.change(func(*state) {
		for i, m := range c.repo.Comments {
			if m.ID == id {
				gone = m
				c.repo.Comments = append(c.repo.Comments[:i:i], c.repo.Comments[i+1:]...)
				c.repo.Deleted = append(c.repo.Deleted, deletion{Number: m.Number, Author: m.User, By: c.token.User, At: c.s.now()})
				return
			}
		}
	})
	if gone == nil {
		return nil, notFound()
	}
	c.s.emit(c.commentEvent(*gone, "deleted"))
	return noContent()
}

// conversationInput are the variables of the query for what was said on a pull request.
type conversationInput struct {
	Owner, Name, Reviews, Comments, Deleted string
	Number                                  int
}

// graphqlConversation serves the GraphQL query for what was said on a pull request: REST
// does not say the last edit of each text, nor which comments were deleted.
// https://docs.github.com/en/graphql/reference/objects#issuecomment
func (s *Server) graphqlConversation(w http.ResponseWriter, token *Token, in conversationInput) {
	repo := s.readable(w, token, in.Owner+"/"+in.Name, "pull_requests")
	if repo == nil {
		return
	}
	var reviews, comments, deleted []map[string]any
	page := s.URL() + "/" + repo.fullName() + "/pull/" + strconv.Itoa(in.Number)
	s.mu.Lock()
	p := repo.pull(in.Number)
	if p != nil {
		for _, r := range p.Reviews {
			reviews = append(reviews, map[string]any{
				"author": graphqlActor(r.User), "state": r.State, "body": r.Body, "commit": map[string]any{"oid": r.CommitID},
				"submittedAt": stamp(r.Submitted), "lastEditedAt": stampOrNil(r.Edited), "editor": graphqlActor(r.Editor),
				"url": page + "#pullrequestreview-" + strconv.FormatInt(r.ID, 10),
			})
		}
		for _, m := range repo.Comments {
			if m.Number == in.Number {
				comments = append(comments, map[string]any{
					"author": graphqlActor(m.User), "body": m.Body, "createdAt": stamp(m.Created), "updatedAt": stamp(m.Updated),
					"lastEditedAt": stampOrNil(m.Edited), "editor": graphqlActor(m.Editor),
					"url": page + "#issuecomment-" + strconv.FormatInt(m.ID, 10),
				})
			}
		}
		for _, d := range repo.Deleted {
			if d.Number == in.Number {
				deleted = append(deleted, map[string]any{
					"createdAt": stamp(d.At), "actor": graphqlActor(d.By), "deletedCommentAuthor": graphqlActor(d.Author),
				})
			}
		}
	}
	s.mu.Unlock()
	if p == nil {
		graphqlError(w, "NOT_FOUND", "Could not resolve to a PullRequest with the number of "+strconv.Itoa(in.Number)+".")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"repository": map[string]any{"pullRequest": map[string]any{
		"reviews": connection(reviews, in.Reviews), "comments": connection(comments, in.Comments),
		"timelineItems": connection(deleted, in.Deleted),
	}}}})
}

// connection is a page of 100 after a cursor. Behind the last one there is no cursor.
func connection(all []map[string]any, after string) map[string]any {
	from, _ := strconv.Atoi(after)
	from = min(from, len(all))
	to := min(from+100, len(all))
	var cursor any
	if to > from {
		cursor = strconv.Itoa(to)
	}
	return map[string]any{
		"nodes": append([]map[string]any{}, all[from:to]...), "pageInfo": map[string]any{"hasNextPage": to < len(all), "endCursor": cursor},
	}
}

// graphqlActor names an App without [bot].
func graphqlActor(user string) any {
	if user == "" {
		return nil
	}
	login, bot := strings.CutSuffix(user, "[bot]")
	return map[string]any{"login": login, "__typename": map[bool]string{true: "Bot", false: "User"}[bot]}
}
