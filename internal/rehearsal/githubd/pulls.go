package githubd

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// maxBody is the most characters that GitHub takes for a pull request's body.
const maxBody = 65536

type pull struct {
	ID                 int64
	Number             int
	Title, Body, State string
	Draft, Merged      bool
	HeadRef, HeadSHA   string
	Fork               string // OWNER/NAME that the head is of, where it is another
	BaseRef, BaseSHA   string
	MergeSHA           string // the merge commit, once merged; before that the test merge
	Onto               string // what it was merged onto, once merged
	Mergeable          bool
	User, MergedBy     string
	Reviewers, Teams   []string
	Labels             []string
	Reviews            []review
	Created, Updated   time.Time
	Closed, MergedAt   time.Time
}

type review struct {
	ID                int64
	User, State, Body string
	CommitID          string
	Submitted         time.Time
	Edited            time.Time // zero when it never was
	Editor            string
	Number            int
}

func (r *repository) pull(n int) *pull {
	for _, p := range r.Pulls {
		if p.Number == n {
			return p
		}
	}
	return nil
}

func listPulls(c *call) (*answer, error) {
	q := c.URL.Query()
	state := q.Get("state")
	if state == "" {
		state = "open"
	}
	var list []map[string]any
	c.s.mu.Lock()
	pulls := append([]*pull{}, c.repo.Pulls...)
	var matching []pull
	for i := len(pulls) - 1; i >= 0; i-- {
		p := pulls[i]
		if (state == "all" || p.State == state) && (q.Get("base") == "" || q.Get("base") == p.BaseRef) &&
			(q.Get("head") == "" || strings.EqualFold(q.Get("head"), c.repo.Owner+":"+p.HeadRef)) {
			matching = append(matching, *p)
		}
	}
	c.s.mu.Unlock()
	for _, p := range paginate(c, matching) {
		list = append(list, c.pullJSON(p, false))
	}
	if list == nil {
		list = []map[string]any{}
	}
	return ok(list)
}

func getPull(c *call) (*answer, error) {
	p, err := c.pull()
	if err != nil {
		return nil, err
	}
	return ok(c.pullJSON(p, true))
}

// pull is a copy of the pull request that the path names.
func (c *call) pull() (pull, error) {
	n, err := c.number()
	if err != nil {
		return pull{}, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if p := c.repo.pull(n); p != nil {
		return *p, nil
	}
	return pull{}, notFound()
}

func createPull(c *call, in struct {
	Title, Body, Head, Base string
	Draft                   bool
}) (*answer, error) {
	// The setting is called "Allow GitHub Actions to create and approve pull requests".
	// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/enabling-features-for-your-repository/managing-github-actions-settings-for-a-repository#preventing-github-actions-from-creating-or-approving-pull-requests
	if c.token.Job && c.repo.NoJobPulls {
		return nil, &apiError{Status: http.StatusForbidden, Message: "GitHub Actions is not permitted to create or approve pull requests."}
	}
	if in.Title == "" {
		return nil, invalid("PullRequest", "title", "missing_field", "")
	}
	if err := checkText("PullRequest", in.Title, in.Body); err != nil {
		return nil, err
	}
	branch, head, fork := c.s.headOf(c.Context(), c.repo, in.Head)
	in.Head = branch
	base := c.s.head(c.Context(), c.dir, "refs/heads/"+in.Base)
	if base == "" {
		return nil, invalid("PullRequest", "base", "invalid", "")
	}
	if head == "" {
		return nil, invalid("PullRequest", "head", "invalid", "")
	}
	if _, err := c.git("merge-base", "--is-ancestor", head, base); err == nil {
		return nil, invalid("PullRequest", "head", "custom", fmt.Sprintf("No commits between %s and %s", in.Base, in.Head))
	}
	lock := c.s.refLock(c.repo)
	lock.Lock()
	defer lock.Unlock()
	now := c.s.now()
	p := &pull{
		Title: in.Title, Body: in.Body, State: "open", Draft: in.Draft, HeadRef: in.Head, HeadSHA: head, BaseRef: in.Base,
		BaseSHA: base, User: c.token.User, Created: now, Updated: now,
	}
	if fork != nil {
		p.Fork = fork.fullName()
	}
	var err error
	c.s.change(func(st *state) {
		for _, other := range c.repo.Pulls {
			if other.State == "open" && other.Fork == p.Fork && other.HeadRef == in.Head && other.BaseRef == in.Base {
				err = invalid("PullRequest", "", "custom", fmt.Sprintf("A pull request already exists for %s:%s.", c.repo.Owner, in.Head))
				return
			}
		}
		c.repo.Number++
		p.ID, p.Number = st.next(), c.repo.Number
		c.repo.Pulls = append(c.repo.Pulls, p)
	})
	if err != nil {
		return nil, err
	}
	copied := c.s.refreshPull(c.Context(), c.repo, p, ofItself)
	c.s.emit(c.s.pullEvent(c.repo, copied, "opened", c.token))
	return created(c.pullJSON(copied, true))
}

func checkBody(resource, body string) error {
	if utf8.RuneCountInString(body) > maxBody {
		return invalid(resource, "body", "custom", fmt.Sprintf("body is too long (maximum is %d characters)", maxBody))
	}
	return nil
}

// pullEdit is what a request changes of a pull request; nil leaves a field.
type pullEdit struct{ Title, Body, State, Base *string }

func updatePull(c *call) (*answer, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	var in pullEdit
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	p, err := c.editPull(n, in)
	if err != nil {
		return nil, err
	}
	return ok(c.pullJSON(p, true))
}

// Retarget changes the base of a pull request, as its author may on its page.
func (s *Server) Retarget(ctx context.Context, name string, n int, base string) error {
	repo := s.lookup(name)
	if repo == nil {
		return fmt.Errorf("retarget pull request %s#%d: no such repository", name, n)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, s.APIURL(), nil)
	if err != nil {
		return err
	}
	c := &call{Request: request, s: s, repo: repo, dir: s.gitDir(repo), token: &Token{User: repo.pull(n).User}}
	_, err = c.editPull(n, pullEdit{Base: &base})
	return err
}

func (c *call) editPull(n int, in pullEdit) (pull, error) {
	var none string
	if err := checkText("PullRequest", *cmp.Or(in.Title, &none), *cmp.Or(in.Body, &none)); err != nil {
		return pull{}, err
	}
	if in.State != nil && *in.State != "open" && *in.State != "closed" {
		return pull{}, invalid("PullRequest", "state", "invalid", "")
	}
	if in.Base != nil && c.s.head(c.Context(), c.dir, "refs/heads/"+*in.Base) == "" {
		return pull{}, invalid("PullRequest", "base", "invalid", "")
	}
	var copied pull
	var found *pull
	var action string
	var changes map[string]any
	err := notFound()
	c.s.change(func(*state) {
		if found = c.repo.pull(n); found == nil {
			return
		}
		changes = found.edit(in)
		action, err = found.setState(in.State, c.s.now())
		found.Updated = c.s.now()
		copied = *found
	})
	if err != nil {
		return pull{}, err
	}
	if changes["base"] != nil {
		copied = c.s.refreshPull(c.Context(), c.repo, found, ofItself)
	}
	if action != "" {
		c.s.emit(c.s.pullEvent(c.repo, copied, action, c.token))
	}
	if len(changes) > 0 {
		// https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
		edited := c.s.pullEvent(c.repo, copied, "edited", c.token)
		edited.Payload["changes"] = changes
		c.s.emit(edited)
	}
	return copied, nil
}

// edit changes title, body and base, and gives what they were, as the webhook
// names it.
func (p *pull) edit(in pullEdit) map[string]any {
	changes := map[string]any{}
	for name, field := range map[string]struct{ now, wanted *string }{"title": {&p.Title, in.Title}, "body": {&p.Body, in.Body}} {
		if field.wanted != nil && *field.wanted != *field.now {
			changes[name] = map[string]any{"from": *field.now}
			*field.now = *field.wanted
		}
	}
	if in.Base != nil && *in.Base != p.BaseRef {
		changes["base"] = map[string]any{"ref": map[string]any{"from": p.BaseRef}, "sha": map[string]any{"from": p.BaseSHA}}
		p.BaseRef = *in.Base
	}
	return changes
}

// setState opens or closes, and gives the action of the event; empty for none.
func (p *pull) setState(wanted *string, now time.Time) (action string, err error) {
	if wanted == nil || *wanted == p.State {
		return "", nil
	}
	if p.Merged {
		return "", invalid("PullRequest", "state", "invalid", "")
	}
	if p.State = *wanted; p.State == "closed" {
		p.Closed = now
		return "closed", nil
	}
	p.Closed = time.Time{}
	return "reopened", nil
}

// change is what a pull request is brought up to date for.
type change int

const (
	ofItself change = iota // it is new, or its head or base was changed
	ofBranch               // the branch that it goes into moved
)

// refreshPull makes the refs that GitHub keeps for a pull request: its head,
// and the merge of head into base where there is no conflict. What is said to be the base
// is where the base branch was when the head was pushed last, or the base changed: GitHub
// leaves it where it is when the branch moves.
// https://github.com/github/docs/issues/431
func (s *Server) refreshPull(ctx context.Context, repo *repository, p *pull, because change) pull {
	dir := s.gitDir(repo)
	s.mu.Lock()
	n, head, baseRef, user := p.Number, p.HeadSHA, p.BaseRef, p.User
	s.mu.Unlock()
	base := s.head(ctx, dir, "refs/heads/"+baseRef)
	_, _ = git.RunEnv(ctx, dir, s.o.Env, "update-ref", fmt.Sprintf("refs/pull/%d/head", n), head)
	merge := s.mergeCommit(ctx, dir, joint{base, head, fmt.Sprintf("Merge %s into %s", head, base), user})
	if merge != "" {
		_, _ = git.RunEnv(ctx, dir, s.o.Env, "update-ref", fmt.Sprintf("refs/pull/%d/merge", n), merge)
	}
	var copied pull
	s.change(func(*state) {
		if !p.Merged {
			p.MergeSHA, p.Mergeable = merge, merge != ""
			if because == ofItself {
				p.BaseSHA = base
			}
		}
		copied = *p
	})
	return copied
}

// pullsFollow brings the open pull requests from and into a branch up to date.
func (s *Server) pullsFollow(ctx context.Context, repo *repository, token *Token, branch, after string) []Event {
	var heads, bases []*pull
	s.change(func(*state) {
		for _, p := range repo.Pulls {
			switch {
			case p.State != "open":
			case p.Fork != "" && p.BaseRef != branch:
			case p.Fork == "" && p.HeadRef == branch && after == zeroOID:
				p.State, p.Closed, p.Updated = "closed", s.now(), s.now()
			case p.Fork == "" && p.HeadRef == branch:
				p.HeadSHA, p.Updated = after, s.now()
				heads = append(heads, p)
			case p.BaseRef == branch && after != zeroOID:
				bases = append(bases, p)
			}
		}
	})
	var events []Event
	for _, p := range heads {
		events = append(events, s.pullEvent(repo, s.refreshPull(ctx, repo, p, ofItself), "synchronize", token))
	}
	for _, p := range bases {
		s.refreshPull(ctx, repo, p, ofBranch)
	}
	return append(events, s.forkPullsFollow(ctx, repo, token, branch, after)...)
}

func (s *Server) pullEvent(repo *repository, p pull, action string, token *Token) Event {
	c := &call{s: s, repo: repo}
	return Event{
		Name: "pull_request", Repository: repo.fullName(), Action: action, Number: p.Number, BaseRef: p.BaseRef, HeadRef: p.HeadRef,
		Fork: p.Fork != "",
		Ref:  fmt.Sprintf("refs/pull/%d/merge", p.Number), SHA: p.MergeSHA, Actor: token.User, ByJob: token.Job,
		Payload: map[string]any{
			"action": action, "number": p.Number, "pull_request": c.pullJSON(p, true), "repository": s.repositoryJSON(repo),
			"sender": s.userJSON(token.User),
		},
	}
}

func (c *call) pullJSON(p pull, full bool) map[string]any {
	api, page := c.api("/pulls/%d", p.Number), c.page("/pull/%d", p.Number)
	side := func(repo *repository, ref, sha string) map[string]any {
		return map[string]any{
			"label": repo.Owner + ":" + ref, "ref": ref, "sha": sha, "user": c.s.userJSON(repo.Owner),
			"repo": c.s.repositoryJSON(repo),
		}
	}
	head := c.repo
	if p.Fork != "" {
		if head = c.s.lookup(p.Fork); head == nil {
			head = c.repo
		}
	}
	users, teams := []map[string]any{}, []map[string]any{}
	for _, u := range p.Reviewers {
		users = append(users, c.s.userJSON(u))
	}
	for _, t := range p.Teams {
		teams = append(teams, c.teamJSON(t))
	}
	link := func(href string) map[string]any { return map[string]any{"href": href} }
	m := map[string]any{
		"id": p.ID, "node_id": nodeID("PullRequest", page), "number": p.Number, "url": api, "html_url": page,
		"diff_url": page + ".diff", "patch_url": page + ".patch",
		"issue_url": c.api("/issues/%d", p.Number), "commits_url": api + "/commits", "review_comments_url": api + "/comments",
		"review_comment_url": c.api("/pulls/comments{/number}"),
		"comments_url":       c.api("/issues/%d/comments", p.Number), "statuses_url": c.api("/statuses/%s", p.HeadSHA),
		"state": p.State, "locked": false, "title": p.Title, "body": p.Body, "user": c.s.userJSON(p.User), "draft": p.Draft,
		"labels":    c.labelsJSON(p.Labels),
		"milestone": nil, "active_lock_reason": nil, "assignee": nil, "assignees": []any{}, "requested_reviewers": users,
		"requested_teams": teams,
		"created_at":      stamp(p.Created), "updated_at": stamp(p.Updated), "closed_at": stampOrNil(p.Closed),
		"merged_at":        stampOrNil(p.MergedAt),
		"merge_commit_sha": orNil(p.MergeSHA), "head": side(head, p.HeadRef, p.HeadSHA), "base": side(c.repo, p.BaseRef, p.BaseSHA),
		"author_association": "MEMBER", "auto_merge": nil,
		"_links": map[string]any{
			"self": link(api), "html": link(page), "issue": link(c.api("/issues/%d", p.Number)),
			"comments":        link(c.api("/issues/%d/comments", p.Number)),
			"review_comments": link(api + "/comments"), "review_comment": link(c.api("/pulls/comments{/number}")),
			"commits": link(api + "/commits"), "statuses": link(c.api("/statuses/%s", p.HeadSHA)),
		},
	}
	if full {
		maps.Copy(m, c.fullPullJSON(p))
	}
	return m
}

// fullPullJSON is what only a single pull request's answer has.
func (c *call) fullPullJSON(p pull) map[string]any {
	var by any
	if p.MergedBy != "" {
		by = c.s.userJSON(p.MergedBy)
	}
	state := "clean"
	if !p.Mergeable {
		state = "dirty"
	}
	return map[string]any{
		"merged": p.Merged, "mergeable": p.Mergeable, "mergeable_state": state, "merged_by": by, "comments": 0, "review_comments": 0,
		"maintainer_can_modify": false, "commits": 1, "additions": 0, "deletions": 0, "changed_files": 0, "rebaseable": false,
	}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
