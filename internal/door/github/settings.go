package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Plan reads what an organisation pays for: free, team or enterprise. It is
// empty if the token may not see it, or if the owner is no organisation.
// https://docs.github.com/en/rest/orgs/orgs#get-an-organization
func (c *Client) Plan(ctx context.Context, owner string) (string, error) {
	var got struct{ Plan struct{ Name string } }
	err := c.read(ctx, "read the plan of "+owner, "orgs/"+url.PathEscape(owner), &got)
	if IsNotFound(err) {
		return "", nil
	}
	return got.Plan.Name, err
}

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
func (c *Client) Installations(ctx context.Context, org string) ([]Installation, error) {
	return list[Installation](ctx, c, "list the Apps of "+org, "orgs/"+url.PathEscape(org)+"/installations", "installations")
}

// AppInstallation finds the App on one repository, as the App itself.
// https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app
func AppInstallation(ctx context.Context, o Options, app App, repo Repository) (Installation, error) {
	shown, err := app.show(o.now())
	if err != nil {
		return Installation{}, err
	}
	o.Token = shown
	client, err := New(o)
	if err != nil {
		return Installation{}, err
	}
	var got Installation
	err = client.read(ctx, fmt.Sprintf("find the installation of the App %s on %s", app.ID, repo), at(repo, "installation"), &got)
	if IsStatus(err, http.StatusUnauthorized) {
		return got, app.unknown(err)
	}
	return got, err
}

// RequiredCheck is a status that merging needs.
type RequiredCheck struct {
	Context string `json:"context"`
	App     int64  `json:"integration_id"` // the App that must report it; 0 for anybody
}

// Rule is one rule of the rulesets that hold for a branch.
type Rule struct {
	Type       string `json:"type"`
	Ruleset    int64  `json:"ruleset_id"`
	SourceType string `json:"ruleset_source_type"` // Repository or Organization
	Parameters struct {
		Checks     []RequiredCheck `json:"required_status_checks"`
		CodeOwners bool            `json:"require_code_owner_review"`
		LastPush   bool            `json:"require_last_push_approval"`
		UpToDate   bool            `json:"strict_required_status_checks_policy"`
	} `json:"parameters"`
}

// Rules lists the rules that hold for a branch.
// https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch
func (c *Client) Rules(ctx context.Context, repo Repository, branch string) ([]Rule, error) {
	return list[Rule](ctx, c, fmt.Sprintf("list the rules of %s in %s", branch, repo), at(repo, "rules/branches/"+url.PathEscape(branch)),
		"")
}

// Bypass is somebody who may pass a ruleset.
type Bypass struct {
	Actor int64  `json:"actor_id"` // number of the App, team, role or user
	Type  string `json:"actor_type"`
	Mode  string `json:"bypass_mode"` // always, exempt, or pull_request
}

// Ruleset is the name of a ruleset and who may pass it.
type Ruleset struct {
	Name   string    `json:"name"`
	Bypass *[]Bypass `json:"bypass_actors"` // nil if the token may not see it
}

// Ruleset reads a ruleset. GitHub shows who may pass it to those alone who may
// change it.
// https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset
func (c *Client) Ruleset(ctx context.Context, repo Repository, id int64) (Ruleset, error) {
	var got Ruleset
	return got, c.read(ctx, fmt.Sprintf("read ruleset %d of %s", id, repo), at(repo, fmt.Sprintf("rulesets/%d", id)), &got)
}

// EnvironmentLimit says which branches may use an environment.
type EnvironmentLimit struct {
	Protected bool     // every branch that has protection
	Branches  []string // patterns of the branches, and after "tag " of the tags, that may; nil if every branch may
}

// Environment reads which branches may use an environment.
// https://docs.github.com/en/rest/deployments/environments#get-an-environment
// https://docs.github.com/en/rest/deployments/branch-policies#list-deployment-branch-policies
func (c *Client) Environment(ctx context.Context, repo Repository, name string) (EnvironmentLimit, error) {
	op := fmt.Sprintf("read environment %s of %s", name, repo)
	path := at(repo, "environments/"+url.PathEscape(name))
	var got struct {
		Policy *struct {
			Protected bool `json:"protected_branches"`
		} `json:"deployment_branch_policy"`
	}
	if err := c.read(ctx, op, path, &got); err != nil || got.Policy == nil {
		return EnvironmentLimit{}, err
	}
	policies, err := list[struct{ Name, Type string }](ctx, c, op, path+"/deployment-branch-policies", "branch_policies")
	limit := EnvironmentLimit{Protected: got.Policy.Protected, Branches: []string{}}
	for _, p := range policies {
		if p.Type == "tag" { // a tag of a branch's name is not the branch
			p.Name = "tag " + p.Name
		}
		limit.Branches = append(limit.Branches, p.Name)
	}
	return limit, err
}

// Place is where secrets and variables are: OfRepository, OfOrganisation, or the
// name of an environment after InEnvironment.
type Place string

// The places beside environments.
const (
	OfRepository   Place = "actions/"
	OfOrganisation Place = "actions/organization-" // what the organisation shares with the repository
)

// InEnvironment is the place of an environment's secrets and variables.
func InEnvironment(name string) Place { return Place("environments/" + url.PathEscape(name) + "/") }

// Secrets lists the names of the secrets at a place.
// https://docs.github.com/en/rest/actions/secrets
func (c *Client) Secrets(ctx context.Context, repo Repository, place Place) ([]string, error) {
	found, err := list[struct{ Name string }](ctx, c, fmt.Sprintf("list the secrets of %s", repo), at(repo, string(place)+"secrets"),
		"secrets")
	var names []string
	for _, s := range found {
		names = append(names, s.Name)
	}
	return names, err
}

// Variables lists the variables at a place.
// https://docs.github.com/en/rest/actions/variables
func (c *Client) Variables(ctx context.Context, repo Repository, place Place) (map[string]string, error) {
	found, err := list[struct{ Name, Value string }](ctx, c, fmt.Sprintf("list the variables of %s", repo), at(repo,
		string(place)+"variables"), "variables")
	values := map[string]string{}
	for _, v := range found {
		values[v.Name] = v.Value
	}
	return values, err
}

// OwnersError is a line of CODEOWNERS that GitHub cannot follow.
type OwnersError struct {
	Line       int    `json:"line"`
	Kind       string `json:"kind"` // such as Unknown owner
	Source     string `json:"source"`
	Suggestion string `json:"suggestion"`
	Path       string `json:"path"`
}

// CodeOwnerErrors lists what is wrong with CODEOWNERS on the default branch: a
// team that does not exist or may not write, among other things.
// https://docs.github.com/en/rest/repos/repos#list-codeowners-errors
func (c *Client) CodeOwnerErrors(ctx context.Context, repo Repository) ([]OwnersError, error) {
	var got struct{ Errors []OwnersError }
	err := c.read(ctx, fmt.Sprintf("read the errors of CODEOWNERS in %s", repo), at(repo, "codeowners/errors"), &got)
	return got.Errors, err
}

// WorkflowAccess reads who may use the workflows of a private repository: none,
// user, organization or enterprise.
// https://docs.github.com/en/rest/actions/permissions#get-the-level-of-access-for-workflows-outside-of-the-repository
func (c *Client) WorkflowAccess(ctx context.Context, repo Repository) (string, error) {
	var got struct {
		Level string `json:"access_level"`
	}
	err := c.read(ctx, fmt.Sprintf("read who may use the workflows of %s", repo), at(repo, "actions/permissions/access"), &got)
	return got.Level, err
}

// ActionsPolicy says which actions the workflows of a repository may use.
type ActionsPolicy struct {
	Enabled  bool   `json:"enabled"`
	Allowed  string `json:"allowed_actions"`      // all, local_only or selected
	Pinned   bool   `json:"sha_pinning_required"` // whether each has to be named by a commit
	Selected        // where Allowed is selected
}

// Selected are the actions that may be used beside those of the owner.
type Selected struct {
	OfGitHub bool     `json:"github_owned_allowed"`
	Verified bool     `json:"verified_allowed"` // those of creators that GitHub has verified
	Patterns []string `json:"patterns_allowed"`
}

// ActionsPolicy reads which actions the workflows of a repository may use, by its own
// rules and those of its organisation.
// https://docs.github.com/en/rest/actions/permissions#get-github-actions-permissions-for-a-repository
// https://docs.github.com/en/rest/actions/permissions#get-allowed-actions-and-reusable-workflows-for-a-repository
func (c *Client) ActionsPolicy(ctx context.Context, repo Repository) (ActionsPolicy, error) {
	var got ActionsPolicy
	doing := fmt.Sprintf("read which actions %s may use", repo)
	err := c.read(ctx, doing, at(repo, "actions/permissions"), &got)
	if err == nil && got.Enabled && got.Allowed == "selected" {
		err = c.read(ctx, doing, at(repo, "actions/permissions/selected-actions"), &got.Selected)
	}
	return got, err
}

// WorkflowStates are the states of a repository's workflows, by file: active,
// disabled_manually, disabled_inactivity and so on.
// https://docs.github.com/en/rest/actions/workflows#list-repository-workflows
func (c *Client) WorkflowStates(ctx context.Context, repo Repository) (map[string]string, error) {
	found, err := list[struct{ Path, State string }](ctx, c, fmt.Sprintf("list the workflows of %s", repo), at(repo, "actions/workflows"),
		"workflows")
	states := map[string]string{}
	for _, w := range found {
		states[w.Path] = w.State
	}
	return states, err
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

func at(repo Repository, path string) string {
	return "repos/" + repo.Owner + "/" + repo.Name + "/" + path
}

// read gets one object.
func (c *Client) read(ctx context.Context, op, path string, into any) error {
	_, err := c.page(ctx, op, path, into)
	return err
}

// list gets every page of a list, which stands below key, or is the answer
// itself if key is empty.
func list[T any](ctx context.Context, c *Client, op, path, key string) ([]T, error) {
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
