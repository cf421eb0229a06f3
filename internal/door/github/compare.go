package github

import (
	"context"
	"fmt"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/text"
)

// maxCompared bounds how many commits a comparison carries; AheadBy counts all.
const maxCompared = 1000

// Comparison says how head stands to base.
type Comparison struct {
	Status   string // ahead, behind, diverged, identical
	AheadBy  int
	BehindBy int
	// MergeBase is the newest commit that both descend from.
	MergeBase string
	Commits   []Commit // those of head that base lacks, oldest first, at most 1000
	// Files are those that differ between MergeBase and head, also by the names that
	// they had. GitHub lists no more than 300: MoreFiles says that there may be others.
	Files     []string
	MoreFiles bool
}

// maxComparedFiles is how many files GitHub lists, on the first page.
// https://docs.github.com/en/rest/commits/commits#compare-two-commits
const maxComparedFiles = 300

// Commit is a commit as GitHub lists it.
type Commit struct {
	SHA         string
	Message     string
	Author      string // login, or the name where GitHub knows no user
	AuthorName  string
	AuthorEmail string
	URL         string
	Time        time.Time // of the committer
	Parents     []string
}

// Compare compares two commits, branches or tags of the repository.
func (c *Client) Compare(ctx context.Context, repo Repository, base, head string) (*Comparison, error) {
	result := &Comparison{}
	_, err := all(func(page gogithub.ListOptions) ([]struct{}, *gogithub.Response, error) {
		got, resp, err := c.api.Repositories.CompareCommits(ctx, repo.Owner, repo.Name, base, head, &page)
		if err != nil {
			return nil, resp, err
		}
		result.Status, result.AheadBy, result.BehindBy = got.GetStatus(), got.GetAheadBy(), got.GetBehindBy()
		result.MergeBase = got.GetMergeBaseCommit().GetSHA()
		for _, commit := range got.Commits {
			result.Commits = append(result.Commits, listed(commit))
		}
		for _, f := range got.Files {
			result.Files = append(result.Files, f.GetFilename())
			if f.PreviousFilename != nil {
				result.Files = append(result.Files, f.GetPreviousFilename())
			}
		}
		result.MoreFiles = result.MoreFiles || len(got.Files) >= maxComparedFiles
		if len(result.Commits) >= maxCompared {
			resp.NextPage = 0
		}
		return nil, resp, nil
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("compare %s...%s in %s", text.Commit(base), text.Commit(head), repo), err)
	}
	return result, nil
}

// Commits lists at most limit commits that are reachable from rev and touch
// path (empty is all), newest first.
func (c *Client) Commits(ctx context.Context, repo Repository, rev, path string, limit int) ([]Commit, error) {
	o := &gogithub.CommitsListOptions{SHA: rev, Path: path}
	var list []Commit
	_, err := all(func(page gogithub.ListOptions) ([]struct{}, *gogithub.Response, error) {
		o.ListOptions = page
		if limit > 0 && limit < perPage {
			o.PerPage = limit
		}
		got, resp, err := c.api.Repositories.ListCommits(ctx, repo.Owner, repo.Name, o)
		if err != nil {
			return nil, resp, err
		}
		for _, commit := range got {
			list = append(list, listed(commit))
		}
		if limit > 0 && len(list) >= limit {
			list = list[:limit]
			resp.NextPage = 0
		}
		return nil, resp, nil
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the commits of %s@%s for %s", repo, text.Commit(rev), path), err)
	}
	return list, nil
}

func listed(c *gogithub.RepositoryCommit) Commit {
	author := c.GetAuthor().GetLogin()
	if author == "" {
		author = c.GetCommit().GetAuthor().GetName()
	}
	var parents []string
	for _, p := range c.Parents {
		parents = append(parents, p.GetSHA())
	}
	return Commit{
		Parents: parents, SHA: c.GetSHA(), Message: c.GetCommit().GetMessage(), Author: author, URL: c.GetHTMLURL(),
		AuthorName: c.GetCommit().GetAuthor().GetName(), AuthorEmail: c.GetCommit().GetAuthor().GetEmail(),
		Time: c.GetCommit().GetCommitter().GetDate().Time,
	}
}
