package githubd

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/door/git"
)

const maxDescription = 140

type comment struct {
	ID               int64
	Number           int
	User, Body       string
	Created, Updated time.Time
	Edited           time.Time // zero is never
	Editor           string
}

type status struct {
	ID                               int64
	SHA, Context, State, Description string
	TargetURL, Creator               string
	Created                          time.Time
}

func listReviews(c *call) (*answer, error) {
	p, err := c.pull()
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, r := range paginate(c, p.Reviews) {
		list = append(list, c.reviewJSON(r))
	}
	return ok(list)
}

func createReview(c *call) (*answer, error) {
	p, err := c.pull()
	if err != nil {
		return nil, err
	}
	var in struct {
		Body, Event string
		CommitID    string `json:"commit_id"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	verdict, known := map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}[in.Event]
	if !known {
		return nil, unprocessable("Unprocessable Entity: %q is not an event", in.Event)
	}
	if verdict != "COMMENTED" && c.token.User == p.User {
		return nil, &apiError{Status: http.StatusUnprocessableEntity, Message: "Review Can not approve your own pull request"}
	}
	if in.CommitID == "" {
		in.CommitID = p.HeadSHA
	}
	r := review{Number: p.Number, User: c.token.User, State: verdict, Body: in.Body, CommitID: in.CommitID, Submitted: c.s.now()}
	c.s.change(func(st *state) {
		r.ID = st.next()
		found := c.repo.pull(p.Number)
		found.Reviews = append(found.Reviews, r)
	})
	c.s.emit(c.reviewEvent(p, r, "submitted"))
	return ok(c.reviewJSON(r))
}

func (c *call) reviewJSON(r review) map[string]any {
	page := c.page("/pull/%d#pullrequestreview-%d", r.Number, r.ID)
	return map[string]any{
		"id": r.ID, "node_id": nodeID("PullRequestReview", strconv.FormatInt(r.ID, 10)), "user": c.s.userJSON(r.User),
		"body": r.Body, "state": r.State,
		"html_url": page, "pull_request_url": c.api("/pulls/%d", r.Number), "submitted_at": stamp(r.Submitted),
		"commit_id": r.CommitID, "author_association": "MEMBER",
		"_links": map[string]any{
			"html": map[string]any{"href": page}, "pull_request": map[string]any{"href": c.api("/pulls/%d", r.Number)},
		},
	}
}

func requestReviewers(c *call) (*answer, error) {
	p, err := c.pull()
	if err != nil {
		return nil, err
	}
	var in struct {
		Reviewers []string
		Teams     []string `json:"team_reviewers"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	for _, u := range in.Reviewers {
		if strings.EqualFold(u, p.User) {
			return nil, unprocessable("Review cannot be requested from pull request author.")
		}
	}
	if len(in.Teams) > 0 && !c.token.readsTeams() {
		// https://github.com/peter-evans/create-pull-request/issues/155
		return nil, unprocessable("Could not resolve to a node with the global id of '%s'.", nodeID("Team", in.Teams[0]))
	}
	c.s.change(func(*state) {
		found := c.repo.pull(p.Number)
		found.Reviewers, found.Teams = union(found.Reviewers, in.Reviewers), union(found.Teams, in.Teams)
		p = *found
	})
	return created(c.pullJSON(p, false))
}

func union(list, more []string) []string {
	for _, m := range more {
		has := false
		for _, l := range list {
			has = has || l == m
		}
		if !has {
			list = append(list, m)
		}
	}
	return list
}

func (c *call) teamJSON(slug string) map[string]any {
	api := c.s.APIURL() + "/teams/" + slug
	return map[string]any{
		"id": numberID("team " + slug), "node_id": nodeID("Team", slug), "name": slug, "slug": slug, "description": nil,
		"permission": "pull", "parent": nil,
		"url": api, "html_url": c.s.URL() + "/orgs/" + c.repo.Owner + "/teams/" + slug, "members_url": api + "/members{/member}",
		"repositories_url": api + "/repos",
		"type":             "organization",
	}
}

func listComments(c *call) (*answer, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	var matching []comment
	c.s.mu.Lock()
	for _, m := range c.repo.Comments {
		if m.Number == n {
			matching = append(matching, *m)
		}
	}
	c.s.mu.Unlock()
	list := []map[string]any{}
	for _, m := range paginate(c, matching) {
		list = append(list, c.commentJSON(m))
	}
	return ok(list)
}

func createComment(c *call) (*answer, error) {
	n, err := c.thread()
	if err != nil {
		return nil, err
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkComment(in.Body); err != nil {
		return nil, err
	}
	m := &comment{Number: n, User: c.token.User, Body: in.Body, Created: c.s.now(), Updated: c.s.now()}
	c.s.change(func(st *state) {
		m.ID = st.next()
		c.repo.Comments = append(c.repo.Comments, m)
	})
	c.s.emit(c.commentEvent(*m, "created"))
	return created(c.commentJSON(*m))
}

func updateComment(c *call) (*answer, error) {
	id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
	if err != nil {
		return nil, notFound()
	}
	var in struct{ Body string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkComment(in.Body); err != nil {
		return nil, err
	}
	var copied comment
	err = notFound()
	c.s.change(func(*state) {
		for _, m := range c.repo.Comments {
			if m.ID == id {
				m.Body, m.Updated, err = in.Body, c.s.now(), nil
				m.Edited, m.Editor = m.Updated, c.token.User
				copied = *m
			}
		}
	})
	if err != nil {
		return nil, err
	}
	c.s.emit(c.commentEvent(copied, "edited"))
	return ok(c.commentJSON(copied))
}

func checkComment(body string) error {
	if strings.TrimSpace(body) == "" {
		return invalid("IssueComment", "body", "missing_field", "")
	}
	if len(body) > 262144 { // measured: bytes, and the message says 65536
		return invalid("IssueComment", "body", "custom", "body is too long (maximum is 65536 characters)")
	}
	return nil
}

func (c *call) commentJSON(m comment) map[string]any {
	return map[string]any{
		"id": m.ID, "node_id": nodeID("IssueComment", strconv.FormatInt(m.ID, 10)), "url": c.api("/issues/comments/%d", m.ID),
		"html_url": c.page("/pull/%d#issuecomment-%d", m.Number, m.ID), "issue_url": c.api("/issues/%d", m.Number), "body": m.Body,
		"user": c.s.userJSON(m.User), "created_at": stamp(m.Created), "updated_at": stamp(m.Updated),
		"author_association": c.association(m.User),
	}
}

func listLabels(c *call) (*answer, error) {
	labels, err := c.changeLabels(nil, "")
	if err != nil {
		return nil, err
	}
	return ok(paginate(c, c.labelsJSON(labels)))
}

func addLabels(c *call) (*answer, error) {
	var names []string // a bare list, as the library sends it; {"labels": []} is allowed too
	if err := c.decode(&names); err != nil {
		return nil, err
	}
	labels, err := c.changeLabels(names, "")
	if err != nil {
		return nil, err
	}
	return ok(c.labelsJSON(labels))
}

// removeLabel answers with the labels that are left.
// https://docs.github.com/en/rest/issues/labels#remove-a-label-from-an-issue
func removeLabel(c *call) (*answer, error) {
	labels, err := c.changeLabels(nil, c.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return ok(c.labelsJSON(labels))
}

// changeLabels adds labels to an issue or pull request, takes one away that must be
// there, and gives all it has.
func (c *call) changeLabels(more []string, less string) (labels []string, err error) {
	n, err := c.thread()
	if err != nil {
		return nil, err
	}
	c.s.change(func(*state) {
		var of *[]string
		if i := c.repo.issue(n); i != nil {
			of = &i.Labels
		} else {
			of = &c.repo.pull(n).Labels
		}
		*of = union(*of, more)
		if i := slices.Index(*of, less); i >= 0 {
			*of = slices.Delete(slices.Clone(*of), i, i+1)
		} else if less != "" {
			err = notFound()
		}
		labels = slices.Clone(*of)
	})
	return labels, err
}

func (c *call) labelsJSON(names []string) []map[string]any {
	list := []map[string]any{}
	for _, n := range names {
		list = append(list, map[string]any{
			"id": numberID("label " + n), "node_id": nodeID("Label", n), "url": c.api("/labels/%s", n), "name": n,
			"description": nil, "color": "ededed", "default": false,
		})
	}
	return list
}

func createStatus(c *call, in struct {
	State, Context, Description string
	TargetURL                   string `json:"target_url"`
}) (*answer, error) {
	sha := c.PathValue("sha")
	if !git.IsObjectID(sha) || c.resolve(sha) != sha {
		return nil, unprocessable("No commit found for SHA: %s", sha)
	}
	switch in.State {
	case "error", "failure", "pending", "success":
	default:
		return nil, invalid("Status", "state", "inclusion", "state is not included in the list")
	}
	if utf8.RuneCountInString(in.Description) > maxDescription {
		return nil, invalid(
			"Status", "description", "custom", fmt.Sprintf("description is too long (maximum is %d characters)", maxDescription),
		)
	}
	if in.Context == "" {
		in.Context = "default"
	}
	st := &status{
		SHA: sha, Context: in.Context, State: in.State, Description: in.Description, TargetURL: in.TargetURL, Creator: c.token.User,
		Created: c.s.now(),
	}
	c.s.change(func(s *state) {
		st.ID = s.next()
		c.repo.Statuses = append(c.repo.Statuses, st)
	})
	return created(c.statusJSON(*st, true))
}

// statuses of a commit, newest first; latest keeps one a context. The caller
// holds the lock.
func (r *repository) statuses(sha string, latest bool) []status {
	var list []status
	seen := map[string]bool{}
	for i := len(r.Statuses) - 1; i >= 0; i-- {
		st := r.Statuses[i]
		if st.SHA == sha && !(latest && seen[st.Context]) {
			seen[st.Context] = true
			list = append(list, *st)
		}
	}
	return list
}

// missingStatus is the first required context without success, or empty. A
// context that is pinned to an App is read from that App's statuses alone.
// https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset (required_status_checks, integration_id)
func (r *repository) missingStatus(sha string) string {
	for _, needed := range r.Required {
		name, app, pinned := strings.Cut(needed, "@")
		state := ""
		for _, st := range r.statuses(sha, false) { // newest first
			if st.Context == name && (!pinned || st.Creator == app+"[bot]") {
				state = st.State
				break
			}
		}
		if state != "success" {
			return name
		}
	}
	return ""
}

func listStatuses(c *call, sha string) (*answer, error) {
	c.s.mu.Lock()
	all := c.repo.statuses(sha, false)
	c.s.mu.Unlock()
	list := []map[string]any{}
	for _, st := range paginate(c, all) {
		list = append(list, c.statusJSON(st, true))
	}
	return ok(list)
}

func combinedStatus(c *call, sha string) (*answer, error) {
	c.s.mu.Lock()
	all := c.repo.statuses(sha, true)
	c.s.mu.Unlock()
	combined := "success"
	if len(all) == 0 {
		combined = "pending"
	}
	for _, st := range all {
		switch {
		case st.State == "failure" || st.State == "error":
			combined = "failure"
		case st.State == "pending" && combined == "success":
			combined = "pending"
		}
	}
	list := []map[string]any{}
	for _, st := range paginate(c, all) {
		list = append(list, c.statusJSON(st, false))
	}
	return ok(map[string]any{
		"state": combined, "statuses": list, "sha": sha, "total_count": len(all), "repository": c.s.minimalRepositoryJSON(c.repo),
		"commit_url": c.api("/commits/%s", sha), "url": c.api("/commits/%s/status", sha),
	})
}

func (c *call) statusJSON(st status, full bool) map[string]any {
	m := map[string]any{
		"id": st.ID, "node_id": nodeID("Status", strconv.FormatInt(st.ID, 10)), "url": c.api("/statuses/%s", st.SHA),
		"avatar_url": c.s.URL() + "/" + st.Creator + ".png",
		"state":      st.State, "context": st.Context, "description": orNil(st.Description), "target_url": orNil(st.TargetURL),
		"created_at": stamp(st.Created), "updated_at": stamp(st.Created),
	}
	if full {
		m["creator"] = c.s.userJSON(st.Creator)
	}
	return m
}
