package approval

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// API is the part of GitHub that approvals are read from.
type API interface {
	Reviews(ctx context.Context, repo github.Repository, n int) ([]github.Review, error)
	EditedReviews(ctx context.Context, repo github.Repository, n int) (map[int64]bool, error)
	Comments(ctx context.Context, repo github.Repository, n int) ([]github.IssueComment, error)
	Pushers(ctx context.Context, repo github.Repository, branch, sha string) ([]string, error)
}

// Collect reads everything that may be an approval of a pull request.
func Collect(ctx context.Context, api API, repo github.Repository, pr *github.PullRequest) (Pull, error) {
	p := Pull{Number: pr.Number, Author: pr.Author, Head: pr.HeadSHA}
	if !strings.EqualFold(pr.HeadRepo, repo.String()) {
		return p, outcome.Refusedf("pull request #%d comes from a fork: its plan is neither made nor applied here", pr.Number)
	}
	var err error
	if p.Pushers, err = api.Pushers(ctx, repo, pr.HeadRef, pr.HeadSHA); err != nil {
		return p, err
	}
	if len(p.Pushers) == 0 {
		return p, fmt.Errorf("find who pushed %s: GitHub has no record of it, and whoever did may not approve: push the branch again", short(pr.HeadSHA))
	}
	reviews, err := api.Reviews(ctx, repo, pr.Number)
	if err != nil {
		return p, err
	}
	var edited map[int64]bool
	if len(reviews) > 0 {
		if edited, err = api.EditedReviews(ctx, repo, pr.Number); err != nil {
			return p, err
		}
	}
	for _, r := range reviews {
		was, known := edited[r.ID]
		p.Votes = append(p.Votes, Vote{ID: r.ID, User: r.Author, At: r.Submitted, Kind: Review, State: r.State, CommitID: r.CommitID, Body: r.Body, Edited: was || !known, URL: r.URL})
	}
	comments, err := api.Comments(ctx, repo, pr.Number)
	if err != nil {
		return p, err
	}
	for _, c := range comments {
		p.Votes = append(p.Votes, Vote{ID: c.ID, User: c.Author, At: c.Created, Kind: Comment, Body: c.Body, Edited: c.Edited(), URL: c.URL})
	}
	return p, nil
}
