package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	gogithub "github.com/google/go-github/v60/github"
)

// CanWrite reports whether the user may write to the repository, however they got
// that right. A user who is no more may not.
// https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
func (c *Client) CanWrite(ctx context.Context, repo Repository, user string) (bool, error) {
	if user == "" {
		return false, nil
	}
	got, _, err := c.api.Repositories.GetPermissionLevel(ctx, repo.Owner, repo.Name, user)
	if err != nil {
		wrapped := wrap(fmt.Sprintf("ask whether %s may write to %s", user, repo), err)
		if IsNotFound(wrapped) {
			return false, nil
		}
		return false, wrapped
	}
	// The old field knows maintain as write, and triage as read.
	return got.GetPermission() == "admin" || got.GetPermission() == "write", nil
}

// maxPullFiles is where GitHub's list of a pull request's files ends.
const maxPullFiles = 3000

// PullFiles lists the files that a pull request changes, under their old names
// too. More than GitHub lists is an error: nobody would see the rest.
// https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files
func (c *Client) PullFiles(ctx context.Context, repo Repository, n int) ([]string, error) {
	op := fmt.Sprintf("list the files of pull request %s#%d", repo, n)
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.CommitFile, *gogithub.Response, error) {
		return c.api.PullRequests.ListFiles(ctx, repo.Owner, repo.Name, n, &page)
	})
	if err != nil {
		return nil, wrap(op, err)
	}
	if len(got) >= maxPullFiles {
		return nil, fmt.Errorf(
			"%s: GitHub lists no more than %d of them, so that not all are known: split the pull request", op, maxPullFiles,
		)
	}
	var files []string
	for _, f := range got {
		files = append(files, f.GetFilename())
		if old := f.GetPreviousFilename(); old != "" && old != f.GetFilename() {
			files = append(files, old)
		}
	}
	return files, nil
}

// TeamMayPush reports whether a team may push to a repository.
// https://docs.github.com/en/rest/teams/teams#check-team-permissions-for-a-repository
func (c *Client) TeamMayPush(ctx context.Context, team string, repo Repository) (bool, error) {
	op := fmt.Sprintf("read what team %s may do in %s", team, repo)
	request, err := c.api.NewRequest(http.MethodGet, TeamPath(team, repo), nil)
	if err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	// Without this media type the answer has no body.
	request.Header.Set("Accept", "application/vnd.github.v3.repository+json")
	var got struct{ Permissions struct{ Push bool } }
	if _, err := c.api.Do(ctx, request, &got); err != nil {
		if err = wrap(op, err); IsNotFound(err) {
			return false, nil
		}
		return false, err
	}
	return got.Permissions.Push, nil
}

// TeamPath is the path of the API to what a team of the owner may do in a repository.
func TeamPath(team string, repo Repository) string {
	return "orgs/" + repo.Owner + "/teams/" + url.PathEscape(team) + "/repos/" + repo.String()
}
