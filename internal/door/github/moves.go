package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Move is a move of a branch, as GitHub saw it.
type Move struct {
	Before, After string // commits; all zeros where the branch was not there
	At            time.Time
}

// Moves lists the moves of a branch, newest first, as far as pages go. Needs
// contents: read.
// https://docs.github.com/en/rest/repos/repos#list-repository-activities
func (c *Client) Moves(ctx context.Context, repo Repository, branch string, pages int) ([]Move, error) {
	op := fmt.Sprintf("find when %s of %s moved", branch, repo)
	var moves []Move
	next := fmt.Sprintf("repos/%s/%s/activity?per_page=%d&ref=%s", repo.Owner, repo.Name, perPage, url.QueryEscape("refs/heads/"+branch))
	for range pages {
		req, err := c.api.NewRequest(http.MethodGet, next, nil)
		if err != nil {
			return nil, wrap(op, err)
		}
		var page []struct {
			Before    string    `json:"before"`
			After     string    `json:"after"`
			Timestamp time.Time `json:"timestamp"`
		}
		resp, err := c.api.Do(ctx, req, &page)
		if err != nil {
			return nil, wrap(op, err)
		}
		for _, m := range page {
			moves = append(moves, Move{Before: m.Before, After: m.After, At: m.Timestamp})
		}
		if next = nextLink(resp.Header.Get("Link")); next == "" {
			break
		}
	}
	return moves, nil
}
