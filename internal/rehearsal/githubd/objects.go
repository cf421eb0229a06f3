package githubd

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"strings"
	"time"
)

// The objects that many answers hold, with the fields that GitHub's description
// of its API requires of them. https://github.com/github/rest-api-description

func nodeID(kind, id string) string {
	sum := sha256.Sum256([]byte(kind + " " + id))
	return kind[:1] + "_" + hex.EncodeToString(sum[:9])
}

func repositoryNode(r *repository) string { return nodeID("Repository", r.fullName()) }

func numberID(name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int64(h.Sum32())
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stampOrNil is null for the zero time.
func stampOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func (s *Server) userJSON(login string) map[string]any {
	api, kind := s.APIURL()+"/users/"+login, "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	return map[string]any{
		"login": login, "id": numberID(login), "node_id": nodeID("User", login), "type": kind, "site_admin": false,
		"avatar_url": s.URL() + "/" + login + ".png", "gravatar_id": "", "url": api, "html_url": s.URL() + "/" + login,
		"followers_url": api + "/followers", "following_url": api + "/following{/other_user}", "gists_url": api + "/gists{/gist_id}",
		"starred_url": api + "/starred{/owner}{/repo}", "subscriptions_url": api + "/subscriptions", "organizations_url": api + "/orgs",
		"repos_url": api + "/repos", "events_url": api + "/events{/privacy}", "received_events_url": api + "/received_events",
	}
}

// minimalRepositoryJSON is a repository inside another answer.
func (s *Server) minimalRepositoryJSON(r *repository) map[string]any {
	api, page := s.APIURL()+"/repos/"+r.fullName(), s.URL()+"/"+r.fullName()
	m := map[string]any{
		"id": r.ID, "node_id": repositoryNode(r), "name": r.Name, "full_name": r.fullName(), "owner": s.userJSON(r.Owner),
		"private": r.Private, "html_url": page, "description": nil, "fork": false, "url": api,
	}
	for _, link := range []string{
		"archive_url:/{archive_format}{/ref}", "assignees_url:/assignees{/user}", "blobs_url:/git/blobs{/sha}",
		"branches_url:/branches{/branch}",
		"collaborators_url:/collaborators{/collaborator}", "comments_url:/comments{/number}", "commits_url:/commits{/sha}",
		"compare_url:/compare/{base}...{head}", "contents_url:/contents/{+path}", "contributors_url:/contributors",
		"deployments_url:/deployments",
		"downloads_url:/downloads", "events_url:/events", "forks_url:/forks", "git_commits_url:/git/commits{/sha}",
		"git_refs_url:/git/refs{/sha}",
		"git_tags_url:/git/tags{/sha}", "hooks_url:/hooks", "issue_comment_url:/issues/comments{/number}",
		"issue_events_url:/issues/events{/number}",
		"issues_url:/issues{/number}", "keys_url:/keys{/key_id}", "labels_url:/labels{/name}", "languages_url:/languages",
		"merges_url:/merges",
		"milestones_url:/milestones{/number}", "notifications_url:/notifications{?since,all,participating}", "pulls_url:/pulls{/number}",
		"releases_url:/releases{/id}", "stargazers_url:/stargazers", "statuses_url:/statuses/{sha}", "subscribers_url:/subscribers",
		"subscription_url:/subscription", "tags_url:/tags", "teams_url:/teams", "trees_url:/git/trees{/sha}",
	} {
		name, path, _ := strings.Cut(link, ":")
		m[name] = api + path
	}
	return m
}

func (s *Server) repositoryJSON(r *repository) map[string]any {
	m := s.minimalRepositoryJSON(r)
	page := s.URL() + "/" + r.fullName()
	visibility := "public"
	if r.Private {
		visibility = "private"
	}
	for k, v := range map[string]any{
		"clone_url": page + ".git", "git_url": page + ".git", "ssh_url": page + ".git", "svn_url": page, "mirror_url": nil,
		"homepage": nil, "language": nil,
		"forks_count": 0, "forks": 0, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": 0, "open_issues_count": 0,
		"open_issues":    0,
		"default_branch": r.DefaultBranch, "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false,
		"has_downloads":   false,
		"has_discussions": false, "archived": false, "disabled": false, "visibility": visibility, "license": nil,
		"network_count": 0, "subscribers_count": 0,
		"pushed_at": stamp(r.Created), "created_at": stamp(r.Created), "updated_at": stamp(r.Created),
		"allow_rebase_merge": false, "allow_squash_merge": true, "allow_merge_commit": true, "delete_branch_on_merge": false,
	} {
		m[k] = v
	}
	return m
}

func (c *call) gitCommitJSON(i *commitInfo) map[string]any {
	parents := []map[string]any{}
	for _, p := range i.Parents {
		parents = append(parents, map[string]any{"sha": p, "url": c.api("/git/commits/%s", p), "html_url": c.page("/commit/%s", p)})
	}
	return map[string]any{
		"sha": i.SHA, "node_id": nodeID("Commit", i.SHA), "url": c.api("/git/commits/%s", i.SHA), "html_url": c.page("/commit/%s", i.SHA),
		"author":    map[string]any{"name": i.AuthorName, "email": i.AuthorEmail, "date": stamp(i.AuthorTime)},
		"committer": map[string]any{"name": i.CommitterName, "email": i.Committer, "date": stamp(i.CommitterTime)},
		"message":   i.Message, "tree": map[string]any{"sha": i.Tree, "url": c.api("/git/trees/%s", i.Tree)}, "parents": parents,
		"verification": map[string]any{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil},
	}
}

func (c *call) commitJSON(sha string) (map[string]any, error) {
	info, err := c.commitInfo(sha)
	if err != nil {
		return nil, err
	}
	return c.listedCommitJSON(info), nil
}

func (c *call) listedCommitJSON(i *commitInfo) map[string]any {
	inner := c.gitCommitJSON(i)
	parents := inner["parents"]
	for _, field := range []string{"sha", "node_id", "html_url", "parents"} {
		delete(inner, field)
	}
	inner["comment_count"] = 0
	return map[string]any{
		"sha": i.SHA, "node_id": nodeID("Commit", i.SHA), "url": c.api("/commits/%s", i.SHA), "html_url": c.page("/commit/%s", i.SHA),
		"comments_url": c.api("/commits/%s/comments", i.SHA), "commit": inner, "parents": parents,
		"author": c.knownUser(i.AuthorEmail), "committer": c.knownUser(i.Committer),
	}
}

// knownUser is the user with the address, or null as for strangers.
func (c *call) knownUser(email string) any {
	login, known := strings.CutSuffix(email, "@users.noreply.github.com")
	switch {
	case email == "noreply@github.com":
		return c.s.userJSON("web-flow")
	case !known:
		return nil
	}
	return c.s.userJSON(login)
}

func (c *call) commitsJSON(list []*commitInfo) []map[string]any {
	out := []map[string]any{}
	for _, i := range list {
		out = append(out, c.listedCommitJSON(i))
	}
	return out
}

// NumberID is the numeric id that stands for a name.
func NumberID(name string) int64 { return numberID(name) }
