// Package github is the only door to the GitHub API.
//
// Every method says what it was attempting when it fails, names the permission
// that a token lacks, waits out rate limits within bounds, and repeats a
// request only where repeating cannot do the thing twice (package transport). The
// token is sent to the API's host alone and appears in no error. Lists are read to
// their end.
//
// Beside what pull requests, commits and deployments need, packages of their own
// hold GitHub's settings, its Apps, and issues that are kept up to date.
//
// The package knows GitHub's objects, and nothing of environments, digests or
// promotions.
package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// The public service, where Options leaves the URLs empty.
const (
	DefaultAPIURL    = "https://api.github.com"
	DefaultServerURL = "https://github.com"
)

const perPage = 100

// Options says which GitHub, as whom.
type Options struct {
	Token      string // empty reads public repositories only
	APIURL     string // root of the REST API
	ServerURL  string // root of the pages, for links
	HTTPClient *http.Client
	// Sleep waits between attempts, and Now is the time. If nil, those of package time.
	Sleep func(ctx context.Context, d time.Duration) error
	Now   func() time.Time
}

// Client talks to one GitHub as one identity. It is safe for concurrent use.
type Client struct {
	api       *gogithub.Client
	plain     *http.Client // without the token, for the archive's own host
	graphql   string
	serverURL string
	anonymous bool
	nodes     nodeIDs
	sleep     func(ctx context.Context, d time.Duration) error // nil is package time's
}

// New makes a client; it sends nothing.
func New(o Options) (*Client, error) {
	if o.APIURL == "" {
		o.APIURL = DefaultAPIURL
	}
	if o.ServerURL == "" {
		o.ServerURL = DefaultServerURL
	}
	base, err := url.Parse(strings.TrimSuffix(o.APIURL, "/") + "/")
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, outcome.Usagef("GitHub API URL %q is not an http or https address (GITHUB_API_URL)", redact(o.APIURL))
	}
	inner := http.DefaultTransport
	var timeout time.Duration
	if o.HTTPClient != nil {
		timeout = o.HTTPClient.Timeout
		if o.HTTPClient.Transport != nil {
			inner = o.HTTPClient.Transport
		}
	}
	t := &transport.Transport{Inner: inner, Host: base.Host, Token: o.Token, Sleep: o.Sleep, Now: o.Now}
	if t.Now == nil {
		t.Now = time.Now
	}
	if timeout == 0 {
		timeout = 10 * time.Minute // over all attempts; each attempt has its own
	}
	httpClient := &http.Client{Transport: t, Timeout: timeout}
	api := gogithub.NewClient(httpClient)
	api.BaseURL = base
	api.UserAgent = "waybill"
	return &Client{
		api: api, plain: httpClient, graphql: graphqlURL(base), serverURL: strings.TrimSuffix(o.ServerURL, "/"), sleep: o.Sleep,
		anonymous: o.Token == "",
	}, nil
}

// NeedsToken refuses what cannot be done without a token. Without one, GitHub shows what
// is private as if it were not there.
func (c *Client) NeedsToken(what string) error {
	if c.anonymous {
		return outcome.Usagef("%s needs your token of GitHub, and none was given: %s", what, giveToken)
	}
	return nil
}

// graphqlURL is beside the REST root: /graphql on github.com, /api/graphql
// where REST is /api/v3.
// https://docs.github.com/en/enterprise-server/graphql/guides/forming-calls-with-graphql
func graphqlURL(base *url.URL) string {
	u := *base
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v3") + "/graphql"
	return u.String()
}

// ServerURL is the root of GitHub's pages, without a final slash.
func (c *Client) ServerURL() string { return c.serverURL }

// Repository names a repository on GitHub.
type Repository struct{ Owner, Name string }

// ParseRepository reads OWNER/NAME.
func ParseRepository(s string) (Repository, error) {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || !validName(owner) || !validName(name) {
		return Repository{}, outcome.Usagef("repository %q is not of the form OWNER/NAME", s)
	}
	return Repository{Owner: owner, Name: name}, nil
}

func validName(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > 100 {
		return false
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.') {
			return false
		}
	}
	return true
}

func (r Repository) String() string { return r.Owner + "/" + r.Name }

// RepositoryInfo is what GitHub says of a repository.
type RepositoryInfo struct {
	ID            int64
	DefaultBranch string
	Private       bool
	NodeID        string
	URL           string
}

// Repo reads a repository's settings.
func (c *Client) Repo(ctx context.Context, repo Repository) (*RepositoryInfo, error) {
	got, _, err := c.api.Repositories.Get(ctx, repo.Owner, repo.Name)
	if err != nil {
		return nil, wrap(fmt.Sprintf("read repository %s", repo), err)
	}
	c.nodes.put(repo, got.GetNodeID())
	return &RepositoryInfo{
		ID: got.GetID(), DefaultBranch: got.GetDefaultBranch(), Private: got.GetPrivate(), NodeID: got.GetNodeID(), URL: got.GetHTMLURL(),
	}, nil
}

// all reads every page of a list.
func all[T any](page func(o gogithub.ListOptions) ([]T, *gogithub.Response, error)) ([]T, error) {
	o := gogithub.ListOptions{PerPage: perPage}
	var list []T
	for {
		got, resp, err := page(o)
		if err != nil {
			return nil, err
		}
		list = append(list, got...)
		if resp.NextPage == 0 {
			return list, nil
		}
		o.Page = resp.NextPage
	}
}
