package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Attestations are the Sigstore bundles about a digest, sha256:HEX, in GitHub's store
// of a repository. Nothing is verified. What the store keeps elsewhere (bundle_url) is
// left out.
// https://docs.github.com/en/rest/repos/attestations#list-attestations
func (c *Client) Attestations(ctx context.Context, repo Repository, digest string) ([]json.RawMessage, error) {
	op := fmt.Sprintf("list the attestations of %s", repo)
	next := fmt.Sprintf("repos/%s/%s/attestations/%s?per_page=%d", repo.Owner, repo.Name, url.PathEscape(digest), perPage)
	var bundles []json.RawMessage
	for next != "" {
		req, err := c.api.NewRequest(http.MethodGet, next, nil)
		if err != nil {
			return nil, wrap(op, err)
		}
		var page struct {
			Attestations []struct {
				Bundle json.RawMessage `json:"bundle"`
			} `json:"attestations"`
		}
		resp, err := c.api.Do(ctx, req, &page)
		if err != nil {
			wrapped := wrap(op, err)
			if IsNotFound(wrapped) { // there is none about this digest, or the right is missing, as Attest says then
				return nil, nil
			}
			return nil, wrapped
		}
		for _, a := range page.Attestations {
			if len(a.Bundle) > 0 && string(a.Bundle) != "null" {
				bundles = append(bundles, a.Bundle)
			}
		}
		next = nextLink(resp.Header.Get("Link"))
	}
	return bundles, nil
}

// Attest puts a Sigstore bundle into GitHub's store of a repository's attestations.
// https://docs.github.com/en/rest/repos/attestations#create-an-attestation
func (c *Client) Attest(ctx context.Context, repo Repository, bundle json.RawMessage) error {
	op := fmt.Sprintf("create an attestation of %s", repo)
	path := fmt.Sprintf("repos/%s/%s/attestations", repo.Owner, repo.Name)
	req, err := c.api.NewRequest(http.MethodPost, path, map[string]any{"bundle": bundle})
	if err == nil {
		_, err = c.api.Do(ctx, req, nil)
	}
	if err != nil {
		return wrap(op, err)
	}
	return nil
}
