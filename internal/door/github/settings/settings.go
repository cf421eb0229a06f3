// Package settings reads and sets what people set on GitHub's pages: rules,
// environments, secrets, variables, teams, and what workflows may do.
package settings

import (
	"context"
	"fmt"
	"net/url"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// Client is a client of GitHub that reads and sets settings too.
type Client struct{ *github.Client }

// Of is a client with the identity of another.
func Of(c *github.Client) Client { return Client{c} }

// Plan reads what an organisation pays for: free, team or enterprise. It is
// empty if the token may not see it, or if the owner is no organisation.
// https://docs.github.com/en/rest/orgs/orgs#get-an-organization
func (c Client) Plan(ctx context.Context, owner string) (string, error) {
	var got struct{ Plan struct{ Name string } }
	err := c.Get(ctx, "read the plan of "+owner, "orgs/"+url.PathEscape(owner), &got)
	if github.IsNotFound(err) {
		return "", nil
	}
	return got.Plan.Name, err
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
func (c Client) Rules(ctx context.Context, repo github.Repository, branch string) ([]Rule, error) {
	op := fmt.Sprintf("list the rules of %s in %s", branch, repo)
	return github.List[Rule](ctx, c.Client, op, repo.Path("rules/branches/"+url.PathEscape(branch)), "")
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
func (c Client) Ruleset(ctx context.Context, repo github.Repository, id int64) (Ruleset, error) {
	var got Ruleset
	return got, c.Get(ctx, fmt.Sprintf("read ruleset %d of %s", id, repo), repo.Path(fmt.Sprintf("rulesets/%d", id)), &got)
}

// EnvironmentLimit says which branches may use an environment.
type EnvironmentLimit struct {
	Protected bool     // every branch that has protection
	Branches  []string // patterns of the branches, and after "tag " of the tags, that may; nil if every branch may
}

// Environment reads which branches may use an environment.
// https://docs.github.com/en/rest/deployments/environments#get-an-environment
// https://docs.github.com/en/rest/deployments/branch-policies#list-deployment-branch-policies
func (c Client) Environment(ctx context.Context, repo github.Repository, name string) (EnvironmentLimit, error) {
	op := fmt.Sprintf("read environment %s of %s", name, repo)
	path := repo.Path("environments/" + url.PathEscape(name))
	var got struct {
		Policy *struct {
			Protected bool `json:"protected_branches"`
		} `json:"deployment_branch_policy"`
	}
	if err := c.Get(ctx, op, path, &got); err != nil || got.Policy == nil {
		return EnvironmentLimit{}, err
	}
	policies, err := github.List[struct{ Name, Type string }](ctx, c.Client, op, path+"/deployment-branch-policies", "branch_policies")
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
func (c Client) Secrets(ctx context.Context, repo github.Repository, place Place) ([]string, error) {
	found, err := github.List[struct{ Name string }](ctx, c.Client, fmt.Sprintf("list the secrets of %s", repo),
		repo.Path(string(place)+"secrets"), "secrets")
	var names []string
	for _, s := range found {
		names = append(names, s.Name)
	}
	return names, err
}

// Variables lists the variables at a place.
// https://docs.github.com/en/rest/actions/variables
func (c Client) Variables(ctx context.Context, repo github.Repository, place Place) (map[string]string, error) {
	found, err := github.List[struct{ Name, Value string }](ctx, c.Client, fmt.Sprintf("list the variables of %s", repo),
		repo.Path(string(place)+"variables"), "variables")
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
func (c Client) CodeOwnerErrors(ctx context.Context, repo github.Repository) ([]OwnersError, error) {
	var got struct{ Errors []OwnersError }
	err := c.Get(ctx, fmt.Sprintf("read the errors of CODEOWNERS in %s", repo), repo.Path("codeowners/errors"), &got)
	return got.Errors, err
}

// WorkflowAccess reads who may use the workflows of a private repository: none,
// user, organization or enterprise.
// https://docs.github.com/en/rest/actions/permissions#get-the-level-of-access-for-workflows-outside-of-the-repository
func (c Client) WorkflowAccess(ctx context.Context, repo github.Repository) (string, error) {
	var got struct {
		Level string `json:"access_level"`
	}
	err := c.Get(ctx, fmt.Sprintf("read who may use the workflows of %s", repo), repo.Path("actions/permissions/access"), &got)
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
func (c Client) ActionsPolicy(ctx context.Context, repo github.Repository) (ActionsPolicy, error) {
	var got ActionsPolicy
	doing := fmt.Sprintf("read which actions %s may use", repo)
	err := c.Get(ctx, doing, repo.Path("actions/permissions"), &got)
	if err == nil && got.Enabled && got.Allowed == "selected" {
		err = c.Get(ctx, doing, repo.Path("actions/permissions/selected-actions"), &got.Selected)
	}
	return got, err
}

// WorkflowStates are the states of a repository's workflows, by file: active,
// disabled_manually, disabled_inactivity and so on.
// https://docs.github.com/en/rest/actions/workflows#list-repository-workflows
func (c Client) WorkflowStates(ctx context.Context, repo github.Repository) (map[string]string, error) {
	found, err := github.List[struct{ Path, State string }](ctx, c.Client, fmt.Sprintf("list the workflows of %s", repo),
		repo.Path("actions/workflows"), "workflows")
	states := map[string]string{}
	for _, w := range found {
		states[w.Path] = w.State
	}
	return states, err
}
