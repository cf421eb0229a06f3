package githubd

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// activity is a move of a branch or tag, and who made it.
type activity struct {
	ID                 int64
	Ref, Before, After string
	Actor              string
	At                 time.Time
}

// record notes who moved a ref.
func (s *Server) record(repo *repository, token *Token, ref, before, after string) {
	s.change(func(st *state) {
		repo.Activities = append(repo.Activities, activity{
			ID: st.next(), Ref: ref, Before: before, After: after, Actor: token.User, At: s.now(),
		})
	})
}

// noticeMove records a move that was made with git in the stand-in's own
// directory, by a test, at the latest when somebody asks: no ref of GitHub's
// moves without its knowledge.
func (s *Server) noticeMove(c *call, ref string) {
	if !strings.HasPrefix(ref, "refs/heads/") {
		return
	}
	now := s.head(c.Context(), c.dir, ref)
	if now == "" {
		return
	}
	last := ""
	s.mu.Lock()
	for _, a := range c.repo.Activities {
		if a.Ref == ref {
			last = a.After
		}
	}
	s.mu.Unlock()
	if last != "" && last != now && last != zeroOID {
		s.record(c.repo, &Token{User: "ghost"}, ref, last, now)
	}
}

// https://docs.github.com/en/rest/repos/repos#list-repository-activities
func listActivity(c *call) (*answer, error) {
	ref := c.URL.Query().Get("ref")
	if ref != "" && !strings.HasPrefix(ref, "refs/") {
		ref = "refs/heads/" + ref
	}
	c.s.noticeMove(c, ref)
	var matching []activity
	c.s.mu.Lock()
	for i := len(c.repo.Activities) - 1; i >= 0; i-- {
		if a := c.repo.Activities[i]; ref == "" || a.Ref == ref {
			matching = append(matching, a)
		}
	}
	c.s.mu.Unlock()
	list := []map[string]any{}
	for _, a := range paginate(c, matching) {
		kind := "push"
		switch {
		case a.Before == zeroOID:
			kind = "branch_creation"
		case a.After == zeroOID:
			kind = "branch_deletion"
		}
		list = append(list, map[string]any{
			"id": a.ID, "node_id": nodeID("Activity", strconv.FormatInt(a.ID, 10)), "before": a.Before, "after": a.After, "ref": a.Ref,
			"timestamp": stamp(a.At), "activity_type": kind, "actor": c.s.userJSON(a.Actor),
		})
	}
	return ok(list)
}

// commitPulls lists the pull requests that brought a commit, or would.
// https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
func commitPulls(c *call, sha string) (*answer, error) {
	var matching []pull
	c.s.mu.Lock()
	pulls := append([]*pull{}, c.repo.Pulls...)
	for _, p := range pulls {
		matching = append(matching, *p)
	}
	c.s.mu.Unlock()
	list := []map[string]any{}
	for _, p := range matching {
		_, err := c.git("merge-base", "--is-ancestor", sha, p.HeadSHA)
		_, onBase := c.git("merge-base", "--is-ancestor", sha, "refs/heads/"+p.BaseRef)
		brought := p.Merged && c.s.within(c.Context(), c.dir, sha, p.MergeSHA) && !c.s.within(c.Context(), c.dir, sha, p.Onto)
		if brought || err == nil && onBase != nil {
			list = append(list, c.pullJSON(p, false))
		}
	}
	return ok(paginate(c, list))
}

// updateReview changes a review's text, as its author and those who may write
// can on GitHub; what it says of itself afterwards is only that.
func updateReview(c *call, in struct{ Body string }) (*answer, error) {
	return c.changeReview("edited", func(r *review) { r.Body, r.Edited, r.Editor = in.Body, c.s.now(), c.token.User })
}

func dismissReview(c *call, in struct{ Message, Event string }) (*answer, error) {
	if in.Message == "" {
		return nil, invalid("PullRequestReview", "message", "missing_field", "")
	}
	return c.changeReview("dismissed", func(r *review) { r.State = "DISMISSED" })
}

func (c *call) changeReview(action string, f func(*review)) (*answer, error) {
	n, err := c.number()
	if err != nil {
		return nil, err
	}
	id, _ := strconv.ParseInt(c.PathValue("id"), 10, 64)
	var copied review
	var of pull
	err = notFound()
	c.s.change(func(*state) {
		p := c.repo.pull(n)
		if p == nil {
			return
		}
		for i := range p.Reviews {
			if p.Reviews[i].ID == id {
				f(&p.Reviews[i])
				copied, of, err = p.Reviews[i], *p, nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	c.s.emit(c.reviewEvent(of, copied, action))
	return ok(c.reviewJSON(copied))
}

// SetTeam makes a team, ORG/SLUG, of users.
func (s *Server) SetTeam(team string, users ...string) {
	s.change(func(st *state) {
		if st.Teams == nil {
			st.Teams = map[string][]string{}
		}
		st.Teams[strings.ToLower(team)] = users
	})
}

// readsTeams reports whether the token may know the organisation's teams.
func (t *Token) readsTeams() bool {
	allowed := t.Permissions["members"]
	return t != anonymous && !t.Job && (t.Permissions == nil || allowed == "read" || allowed == "write")
}

// team serves GET /orgs/{org}/teams/{slug}[/memberships/{user}]. A job's token
// can never see a team; others need the permission members: read.
// https://docs.github.com/en/rest/teams/members#get-team-membership-for-a-user
func (s *Server) team(w http.ResponseWriter, r *http.Request) {
	token, err := s.authenticate(r)
	if err != nil {
		s.write(w, nil, err)
		return
	}
	if !token.readsTeams() {
		s.write(w, nil, &apiError{Status: http.StatusForbidden, Message: "Resource not accessible by integration",
			Header: http.Header{"X-Accepted-Github-Permissions": {"members=read"}}})
		return
	}
	org, slug, user := r.PathValue("org"), r.PathValue("slug"), r.PathValue("user")
	s.mu.Lock()
	users, exists := s.state.Teams[strings.ToLower(org+"/"+slug)]
	s.mu.Unlock()
	if !exists {
		s.write(w, nil, notFound())
		return
	}
	c := &call{Request: r, s: s, w: w, token: token, repo: &repository{Owner: org}}
	if user == "" {
		result, err := ok(c.fullTeamJSON(slug, len(users)))
		s.write(w, result, err)
		return
	}
	for _, u := range users {
		if strings.EqualFold(u, user) {
			result, err := ok(map[string]any{"url": s.APIURL() + r.URL.Path, "role": "member", "state": "active"})
			s.write(w, result, err)
			return
		}
	}
	s.write(w, nil, notFound())
}

// fullTeamJSON is a team as its own endpoint gives it.
func (c *call) fullTeamJSON(slug string, members int) map[string]any {
	full, org := c.teamJSON(slug), c.organisationJSON()
	full["created_at"], full["updated_at"], full["members_count"], full["repos_count"], full["organization"] = began, began, members, 0, org
	return full
}

const began = "2026-01-01T00:00:00Z"

// organisationJSON is the owner of c.repo.
func (c *call) organisationJSON() map[string]any {
	org := c.s.userJSON(c.repo.Owner)
	api := c.s.APIURL() + "/orgs/" + c.repo.Owner
	org["type"] = "Organization"
	for key, value := range map[string]any{
		"url": api, "hooks_url": api + "/hooks", "issues_url": api + "/issues", "members_url": api + "/members{/member}",
		"public_members_url": api + "/public_members{/member}",
		"description":        nil, "has_organization_projects": false, "has_repository_projects": false, "public_repos": 0,
		"public_gists": 0, "followers": 0, "following": 0,
		"created_at": began, "updated_at": began, "archived_at": nil,
	} {
		org[key] = value
	}
	return org
}
