package apps

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// Installation is a GitHub App on the repositories of an owner.
type Installation struct {
	ID          int64             `json:"id"`
	App         int64             `json:"app_id"` // number of the App, as rulesets name it
	ClientID    string            `json:"client_id"`
	Slug        string            `json:"app_slug"`
	Permissions map[string]string `json:"permissions"` // such as pull_requests: write
	URL         string            `json:"html_url"`
}

// Installations lists the Apps of an organisation.
// https://docs.github.com/en/rest/orgs/orgs#list-app-installations-for-an-organization
func Installations(ctx context.Context, c *github.Client, org string) ([]Installation, error) {
	return github.List[Installation](ctx, c, "list the Apps of "+org, "orgs/"+url.PathEscape(org)+"/installations", "installations")
}

// Find finds the App on one repository, as the App itself.
// https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app
func Find(ctx context.Context, o github.Options, app App, repo github.Repository) (Installation, error) {
	shown, err := app.show(now(o))
	if err != nil {
		return Installation{}, err
	}
	o.Token = shown
	client, err := github.New(o)
	if err != nil {
		return Installation{}, err
	}
	var got Installation
	err = client.Get(ctx, fmt.Sprintf("find the installation of the App %s on %s", app.ID, repo), repo.Path("installation"), &got)
	if github.IsStatus(err, http.StatusUnauthorized) {
		return got, app.unknown(err)
	}
	return got, err
}

// Narrowed are those of the permissions that the installation has. No token for
// another one can be had.
func (i Installation) Narrowed(permissions map[string]string) map[string]string {
	has := map[string]string{}
	for scope, access := range permissions {
		if granted := i.Permissions[strings.ReplaceAll(scope, "-", "_")]; granted == access || granted == "write" {
			has[scope] = access
		}
	}
	return has
}

// New is an App that was just registered. GitHub gives its key this once.
type New struct {
	ID       int64
	Slug     string
	ClientID string `json:"client_id"`
	Key      string `json:"pem"`
	URL      string `json:"html_url"`
}

// Registered exchanges the code that GitHub hands to the redirect address of
// a manifest. It holds for an hour, and once.
// https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
func Registered(ctx context.Context, c *github.Client, code string) (New, error) {
	var got New
	err := c.Send(ctx, "fetch the key of the new App", "POST app-manifests/"+url.PathEscape(code)+"/conversions", nil, &got)
	return got, err
}
