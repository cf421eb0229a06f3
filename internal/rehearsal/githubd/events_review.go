package githubd

import "strings"

// reviewEvent is what GitHub raises for a review. The workflow is the pull
// request's, as for pull_request.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request_review
func (c *call) reviewEvent(p pull, r review, action string) Event {
	e := c.s.pullEvent(c.repo, p, action, c.token)
	e.Name = "pull_request_review"
	review := c.reviewJSON(r)
	review["state"] = strings.ToLower(r.State) // in events, unlike in the API
	e.Payload = map[string]any{
		"action": action, "review": review, "pull_request": c.pullJSON(p, false), "repository": c.s.repositoryJSON(c.repo),
		"sender": c.s.userJSON(c.token.User),
	}
	return e
}

// commentEvent is what GitHub raises for a comment on an issue or pull request.
// The workflow is the default branch's, whatever the pull request holds.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment
func (c *call) commentEvent(m comment, action string) Event {
	ref := "refs/heads/" + c.repo.DefaultBranch
	return Event{
		Name: "issue_comment", Repository: c.repo.fullName(), Action: action, Number: m.Number, Ref: ref,
		SHA:   c.s.head(c.Context(), c.dir, ref),
		Actor: c.token.User, ByJob: c.token.Job,
		Payload: map[string]any{
			"action": action, "issue": c.threadJSON(m.Number), "comment": c.commentJSON(m),
			"repository": c.s.repositoryJSON(c.repo), "sender": c.s.userJSON(c.token.User),
		},
	}
}

// threadJSON is the issue of a number; a pull request is one, with more.
func (c *call) threadJSON(n int) map[string]any {
	c.s.mu.Lock()
	var p *pull
	if found := c.repo.pull(n); found != nil {
		copied := *found
		p = &copied
	}
	var i issue
	for _, other := range c.repo.Issues {
		if other.Number == n {
			i = *other
		}
	}
	c.s.mu.Unlock()
	if p == nil {
		return c.issueJSON(i)
	}
	m := c.issueJSON(issue{
		ID: p.ID, Number: p.Number, Title: p.Title, Body: p.Body, State: p.State, User: p.User, Labels: p.Labels,
		Created: p.Created, Updated: p.Updated, Closed: p.Closed,
	})
	page := c.page("/pull/%d", n)
	m["html_url"] = page
	m["pull_request"] = map[string]any{
		"url": c.api("/pulls/%d", n), "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
		"merged_at": stampOrNil(p.MergedAt),
	}
	return m
}
