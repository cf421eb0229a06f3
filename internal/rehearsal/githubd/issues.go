package githubd

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

type issue struct {
	ID                       int64
	Number                   int
	Title, Body, State, User string
	Reason                   string // completed, not_planned, reopened; empty for none
	ClosedBy                 string
	Labels                   []string
	Created, Updated, Closed time.Time
}

// issueOrPull is the scope of endpoints that serve both: which permission they
// need depends on what the number is of.
const issueOrPull = "issue or pull request"

// scopeOf says which permission the request needs.
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
func (s *Server) scopeOf(repo *repository, r *http.Request) string {
	n, _ := strconv.Atoi(r.PathValue("n"))
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range repo.Comments {
		if r.PathValue("n") == "" && m.ID == id {
			n = m.Number
		}
	}
	if repo.issue(n) != nil {
		return "issues"
	}
	return "pull_requests"
}

func (r *repository) issue(n int) *issue {
	for _, i := range r.Issues {
		if i.Number == n {
			return i
		}
	}
	return nil
}

// thread reports whether the path names an issue or a pull request, and its number.
func (c *call) thread() (int, error) {
	n, err := c.number()
	if err != nil {
		return 0, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.repo.issue(n) == nil && c.repo.pull(n) == nil {
		return 0, notFound()
	}
	return n, nil
}

// listIssues lists issues and, as GitHub does, pull requests among them, newest
// first.
// https://docs.github.com/en/rest/issues/issues#list-repository-issues
func listIssues(c *call) (*answer, error) {
	q := c.URL.Query()
	state := q.Get("state")
	if state == "" {
		state = "open"
	}
	if state != "open" && state != "closed" && state != "all" {
		return nil, invalid("Issue", "state", "invalid", "")
	}
	var labels []string
	if q.Get("labels") != "" {
		labels = strings.Split(q.Get("labels"), ",")
	}
	matches := func(user, is string, has []string) bool {
		return (state == "all" || state == is) && (q.Get("creator") == "" ||
			strings.EqualFold(q.Get("creator"), user)) && len(union(has, labels)) == len(has)
	}
	type entry struct {
		number int
		body   map[string]any
	}
	var list []entry
	c.s.mu.Lock()
	var issues []issue
	for _, i := range c.repo.Issues {
		if matches(i.User, i.State, i.Labels) {
			issues = append(issues, *i)
		}
	}
	var pulls []pull
	for _, p := range c.repo.Pulls {
		if matches(p.User, p.State, p.Labels) {
			pulls = append(pulls, *p)
		}
	}
	c.s.mu.Unlock()
	for _, i := range issues {
		list = append(list, entry{i.Number, c.issueJSON(i)})
	}
	for _, p := range pulls {
		body := c.issueJSON(issue{
			ID: p.ID, Number: p.Number, Title: p.Title, Body: p.Body, State: p.State, User: p.User, Labels: p.Labels,
			Created: p.Created, Updated: p.Updated, Closed: p.Closed,
		})
		page := c.page("/pull/%d", p.Number)
		body["html_url"] = page
		body["pull_request"] = map[string]any{
			"url": c.api("/pulls/%d", p.Number), "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
		}
		list = append(list, entry{p.Number, body})
	}
	sortBy(list, func(a, b entry) bool { return a.number > b.number != (q.Get("direction") == "asc") })
	bodies := []map[string]any{}
	for _, e := range paginate(c, list) {
		bodies = append(bodies, e.body)
	}
	return ok(bodies)
}

// https://docs.github.com/en/rest/issues/issues#create-an-issue
func createIssue(c *call, in struct {
	Title, Body string
	Labels      []string
}) (*answer, error) {
	if strings.TrimSpace(in.Title) == "" {
		return nil, invalid("Issue", "title", "missing_field", "")
	}
	if err := checkIssue(in.Title, in.Body); err != nil {
		return nil, err
	}
	i := &issue{
		Title: in.Title, Body: in.Body, State: "open", User: c.token.User, Labels: in.Labels, Created: c.s.now(),
		Updated: c.s.now(),
	}
	c.s.change(func(st *state) {
		c.repo.Number++
		i.ID, i.Number = st.next(), c.repo.Number
		c.repo.Issues = append(c.repo.Issues, i)
	})
	return created(c.issueJSON(*i))
}

const maxTitle = 256

func checkIssue(title, body string) error { return checkText("Issue", title, body) }

// checkText checks the texts of an issue or pull request.
func checkText(resource, title, body string) error {
	if len([]rune(title)) > maxTitle {
		return invalid(resource, "title", "custom", "title is too long (maximum is 256 characters)")
	}
	return checkBody(resource, body)
}

func getIssue(c *call) (*answer, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	found := c.repo.issue(n)
	var copied issue
	if found != nil {
		copied = *found
	}
	c.s.mu.Unlock()
	if found == nil {
		return nil, notFound()
	}
	return ok(c.issueJSON(copied))
}

// https://docs.github.com/en/rest/issues/issues#update-an-issue
func updateIssue(c *call) (*answer, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	var in struct {
		Title, Body, State *string
		StateReason        *string `json:"state_reason"`
		Labels             *[]string
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.State != nil && *in.State != "open" && *in.State != "closed" {
		return nil, invalid("Issue", "state", "invalid", "")
	}
	var copied issue
	err = notFound()
	c.s.change(func(*state) {
		i := c.repo.issue(n)
		if i == nil {
			return
		}
		changed := *i
		set(&changed.Title, in.Title)
		set(&changed.Body, in.Body)
		if in.Labels != nil {
			changed.Labels = *in.Labels
		}
		if err = checkIssue(changed.Title, changed.Body); err != nil {
			return
		}
		if in.State != nil && *in.State != i.State {
			changed.State, changed.Closed, changed.ClosedBy, changed.Reason = *in.State, time.Time{}, "", "reopened"
			if changed.State == "closed" {
				changed.Closed, changed.ClosedBy, changed.Reason = c.s.now(), c.token.User, "completed"
			}
		}
		set(&changed.Reason, in.StateReason)
		changed.Updated = c.s.now()
		*i, copied = changed, changed
	})
	if err != nil {
		return nil, err
	}
	return ok(c.issueJSON(copied))
}

func set(field, to *string) {
	if to != nil {
		*field = *to
	}
}

func (c *call) issueJSON(i issue) map[string]any {
	var by any
	if i.ClosedBy != "" {
		by = c.s.userJSON(i.ClosedBy)
	}
	api := c.api("/issues/%d", i.Number)
	return map[string]any{
		"id": i.ID, "node_id": nodeID("Issue", api), "number": i.Number, "url": api, "html_url": c.page("/issues/%d", i.Number),
		"repository_url": c.api(""),
		"comments_url":   api + "/comments", "events_url": api + "/events", "labels_url": api + "/labels{/name}",
		"timeline_url": api + "/timeline",
		"title":        i.Title, "body": orNil(i.Body), "user": c.s.userJSON(i.User), "state": i.State,
		"state_reason": orNil(i.Reason), "labels": c.labelsJSON(i.Labels),
		"assignee": nil, "assignees": []any{}, "milestone": nil, "locked": false, "active_lock_reason": nil,
		"comments": c.countComments(i.Number), "closed_by": by,
		"created_at": stamp(i.Created), "updated_at": stamp(i.Updated), "closed_at": stampOrNil(i.Closed), "author_association": "MEMBER",
	}
}

func (c *call) countComments(n int) (count int) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, m := range c.repo.Comments {
		if m.Number == n {
			count++
		}
	}
	return count
}

// Issue is an issue, as a rehearsal looks at it.
type Issue struct {
	Number                             int
	Title, Body, State, Reason, Author string
	Labels, Comments                   []string
	Updated                            time.Time
}

// Issues lists the issues of a repository, oldest first; pull requests are not
// among them.
func (s *Server) Issues(repository string) []Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.state.Repositories[strings.ToLower(repository)]
	if repo == nil {
		return nil
	}
	var list []Issue
	for _, i := range repo.Issues {
		out := Issue{
			Number: i.Number, Title: i.Title, Body: i.Body, State: i.State, Reason: i.Reason, Author: i.User,
			Labels: append([]string{}, i.Labels...), Updated: i.Updated,
		}
		for _, m := range repo.Comments {
			if m.Number == i.Number {
				out.Comments = append(out.Comments, m.Body)
			}
		}
		list = append(list, out)
	}
	return list
}

// viewer serves the GraphQL query for who a token acts as, which REST tells
// users only.
func viewer(w http.ResponseWriter, token *Token) {
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"viewer": map[string]any{"login": token.User}}})
}
