package github

import (
	"context"
	"fmt"

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
