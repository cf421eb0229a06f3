package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Path is the path of the API to something below a repository.
func (r Repository) Path(below string) string {
	return "repos/" + r.Owner + "/" + r.Name + "/" + below
}

// Get reads one object of the API; op is what is being attempted.
func (c *Client) Get(ctx context.Context, op, path string, into any) error {
	_, err := c.page(ctx, op, path, into)
	return err
}

// List reads every page of a list, which stands below key, or is the answer
// itself if key is empty.
func List[T any](ctx context.Context, c *Client, op, path, key string) ([]T, error) {
	var items []T
	for page := 1; page != 0; {
		var answer json.RawMessage
		next, err := c.page(ctx, op, fmt.Sprintf("%s?per_page=%d&page=%d", path, perPage, page), &answer)
		if err != nil {
			return nil, err
		}
		below := map[string]json.RawMessage{"": answer}
		if key != "" {
			err = json.Unmarshal(answer, &below)
		}
		var found []T
		if err = outcome.Join(err, json.Unmarshal(below[key], &found)); err != nil {
			return nil, fmt.Errorf("%s: GitHub's answer is no list: %w", op, err)
		}
		items, page = append(items, found...), next
	}
	return items, nil
}

// page gets one page and gives the number of the next one, or 0.
func (c *Client) page(ctx context.Context, op, path string, into any) (next int, err error) {
	request, err := c.api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	response, err := c.api.Do(ctx, request, into)
	if err != nil {
		return 0, wrap(op, err)
	}
	return response.NextPage, nil
}

// Send sends one request that sets something, to METHOD PATH. Where its fate is unknown, a
// PUT, PATCH or DELETE is sent again, because setting a thing again changes nothing; a POST
// only if ctx says so (transport.MayRepeat).
func (c *Client) Send(ctx context.Context, op, route string, body, into any) error {
	method, path, _ := strings.Cut(route, " ")
	request, err := c.api.NewRequest(method, path, body)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if _, err := c.api.Do(ctx, request, into); err != nil {
		return wrap(op, err)
	}
	return nil
}
