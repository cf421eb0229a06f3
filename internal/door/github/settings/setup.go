package settings

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/url"

	"golang.org/x/crypto/nacl/box"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// IsOrganisation reports whether an owner is an organisation, and not a user.
// https://docs.github.com/en/rest/users/users#get-a-user
func (c Client) IsOrganisation(ctx context.Context, owner string) (bool, error) {
	var got struct{ Type string }
	err := c.Get(ctx, "read who "+owner+" is", "users/"+url.PathEscape(owner), &got)
	return got.Type == "Organization", err
}

// CreateRepository makes an empty repository of an organisation.
// https://docs.github.com/en/rest/repos/repos#create-an-organization-repository
func (c Client) CreateRepository(ctx context.Context, repo github.Repository, private bool) error {
	return c.Send(ctx, "create repository "+repo.String(), "POST orgs/"+repo.Owner+"/repos",
		map[string]any{"name": repo.Name, "private": private}, nil)
}

// JobRights is what the token of a job may do where its workflow says nothing.
type JobRights struct {
	Default string `json:"default_workflow_permissions"` // read or write
	Approve bool   `json:"can_approve_pull_request_reviews"`
}

// JobRights reads what the tokens of a repository's jobs may do.
// https://docs.github.com/en/rest/actions/permissions#get-default-workflow-permissions-for-a-repository
func (c Client) JobRights(ctx context.Context, repo github.Repository) (JobRights, error) {
	var got JobRights
	return got, c.Get(ctx, "read what jobs of "+repo.String()+" may do", repo.Path("actions/permissions/workflow"), &got)
}

// SetJobRights sets what the tokens of a repository's jobs may do.
// https://docs.github.com/en/rest/actions/permissions#set-default-workflow-permissions-for-a-repository
func (c Client) SetJobRights(ctx context.Context, repo github.Repository, rights JobRights) error {
	return c.Send(ctx, "set what jobs of "+repo.String()+" may do", "PUT "+repo.Path("actions/permissions/workflow"), rights, nil)
}

// SetWorkflowAccess says who may use the workflows of a private repository; see
// WorkflowAccess.
// https://docs.github.com/en/rest/actions/permissions#set-the-level-of-access-for-workflows-outside-of-the-repository
func (c Client) SetWorkflowAccess(ctx context.Context, repo github.Repository, level string) error {
	return c.Send(ctx, "set who may use the workflows of "+repo.String(), "PUT "+repo.Path("actions/permissions/access"),
		map[string]string{"access_level": level}, nil)
}

// Team finds the number of a team.
// https://docs.github.com/en/rest/teams/teams#get-a-team-by-name
func (c Client) Team(ctx context.Context, org, slug string) (int64, error) {
	var got struct{ ID int64 }
	return got.ID, c.Get(ctx, "read team "+org+"/"+slug, "orgs/"+org+"/teams/"+url.PathEscape(slug), &got)
}

// CreateTeam makes a team that every member of the organisation can see; nobody
// is asked to review in the name of a secret one.
// https://docs.github.com/en/rest/teams/teams#create-a-team
func (c Client) CreateTeam(ctx context.Context, org, name string) error {
	return c.Send(ctx, "create team "+org+"/"+name, "POST orgs/"+org+"/teams",
		map[string]string{"name": name, "privacy": "closed"}, nil)
}

// LetTeamPush gives a team the right to push.
// https://docs.github.com/en/rest/teams/teams#add-or-update-team-repository-permissions
func (c Client) LetTeamPush(ctx context.Context, team string, repo github.Repository) error {
	return c.Send(ctx, fmt.Sprintf("let team %s push to %s", team, repo), "PUT "+github.TeamPath(team, repo),
		map[string]string{"permission": "push"}, nil)
}

// LimitEnvironment makes an environment that one branch may use. If team is not
// 0, one of its members has to let each job in, and not the one who started it.
// https://docs.github.com/en/rest/deployments/environments#create-or-update-an-environment
// https://docs.github.com/en/rest/deployments/branch-policies#create-a-deployment-branch-policy
func (c Client) LimitEnvironment(ctx context.Context, repo github.Repository, name, branch string, team int64) error {
	op := fmt.Sprintf("make environment %s of %s", name, repo)
	path := repo.Path("environments/" + url.PathEscape(name))
	body := map[string]any{"deployment_branch_policy": map[string]bool{"protected_branches": false, "custom_branch_policies": true}}
	if team != 0 {
		body["prevent_self_review"] = true
		body["reviewers"] = []map[string]any{{"type": "Team", "id": team}}
	}
	if err := c.Send(ctx, op, "PUT "+path, body, nil); err != nil {
		return err
	}
	return c.Send(ctx, op, "POST "+path+"/deployment-branch-policies", map[string]string{"name": branch}, nil)
}

// seal encrypts a secret to the public key that GitHub gives for its place.
// https://docs.github.com/en/rest/guides/encrypting-secrets-for-the-rest-api
func (c Client) seal(ctx context.Context, op, path, value string) (map[string]any, error) {
	var key struct {
		ID  string `json:"key_id"`
		Key string `json:"key"`
	}
	if err := c.Get(ctx, op, path+"/public-key", &key); err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(key.Key)
	if err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("%s: GitHub's public key is not 32 bytes in base64", op)
	}
	sealed, err := box.SealAnonymous(nil, []byte(value), (*[32]byte)(raw), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return map[string]any{"encrypted_value": base64.StdEncoding.EncodeToString(sealed), "key_id": key.ID}, nil
}

// SetSecret sets a secret of a repository or of an environment.
// https://docs.github.com/en/rest/actions/secrets#create-or-update-a-repository-secret
func (c Client) SetSecret(ctx context.Context, repo github.Repository, place Place, name, value string) error {
	op, path := fmt.Sprintf("set the secret %s of %s", name, repo), repo.Path(string(place)+"secrets")
	body, err := c.seal(ctx, op, path, value)
	if err != nil {
		return err
	}
	return c.Send(ctx, op, "PUT "+path+"/"+name, body, nil)
}

// SetVariable sets a variable of a repository or of an environment.
// https://docs.github.com/en/rest/actions/variables#create-a-repository-variable
func (c Client) SetVariable(ctx context.Context, repo github.Repository, place Place, name, value string) error {
	op, path := fmt.Sprintf("set the variable %s of %s", name, repo), repo.Path(string(place)+"variables")
	body := map[string]string{"name": name, "value": value}
	err := c.Send(ctx, op, "PATCH "+path+"/"+name, body, nil)
	if github.IsNotFound(err) {
		err = c.Send(ctx, op, "POST "+path, body, nil)
	}
	return err
}

// Shared is a secret or variable that an organisation shares with repositories.
type Shared struct {
	Secret bool
	Name   string
}

func (s Shared) at(org string) string {
	if s.Secret {
		return "orgs/" + org + "/actions/secrets"
	}
	return "orgs/" + org + "/actions/variables"
}

// Shared looks for a secret or variable of an organisation. A secret has no value
// that can be read.
// https://docs.github.com/en/rest/actions/variables#get-an-organization-variable
func (c Client) Shared(ctx context.Context, org string, s Shared) (value string, there bool, err error) {
	var got struct{ Value string }
	err = c.Get(ctx, "look for "+s.Name+" of "+org, s.at(org)+"/"+s.Name, &got)
	if github.IsNotFound(err) {
		return "", false, nil
	}
	return got.Value, err == nil, err
}

// Share makes or replaces a secret or variable of an organisation, for one
// repository.
// https://docs.github.com/en/rest/actions/secrets#create-or-update-an-organization-secret
// https://docs.github.com/en/rest/actions/variables#create-an-organization-variable
func (c Client) Share(ctx context.Context, s Shared, value string, with github.Repository) error {
	op := fmt.Sprintf("share %s with %s", s.Name, with)
	info, err := c.Repo(ctx, with)
	if err != nil {
		return err
	}
	body, route := map[string]any{"name": s.Name, "value": value}, "POST "+s.at(with.Owner)
	if s.Secret {
		if body, err = c.seal(ctx, op, s.at(with.Owner), value); err != nil {
			return err
		}
		route = "PUT " + s.at(with.Owner) + "/" + s.Name
	}
	body["visibility"], body["selected_repository_ids"] = "selected", []int64{info.ID}
	return c.Send(ctx, op, route, body, nil)
}

// ShareAlso lets one more repository have what an organisation shares.
// https://docs.github.com/en/rest/actions/secrets#add-selected-repository-to-an-organization-secret
func (c Client) ShareAlso(ctx context.Context, s Shared, with github.Repository) error {
	info, err := c.Repo(ctx, with)
	if err != nil {
		return err
	}
	return c.Send(ctx, fmt.Sprintf("share %s with %s", s.Name, with),
		fmt.Sprintf("PUT %s/%s/repositories/%d", s.at(with.Owner), s.Name, info.ID), nil, nil)
}

// Rulesets finds the numbers of a repository's own rulesets, by name.
// https://docs.github.com/en/rest/repos/rules#get-all-repository-rulesets
func (c Client) Rulesets(ctx context.Context, repo github.Repository) (map[string]int64, error) {
	found, err := github.List[struct {
		ID   int64
		Name string
	}](ctx, c.Client, "list the rulesets of "+repo.String(), repo.Path("rulesets"), "")
	byName := map[string]int64{}
	for _, r := range found {
		byName[r.Name] = r.ID
	}
	return byName, err
}

// CreateRuleset makes a ruleset, which is given as the API takes it.
// https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset
func (c Client) CreateRuleset(ctx context.Context, repo github.Repository, ruleset map[string]any) error {
	return c.Send(ctx, "make a ruleset of "+repo.String(), "POST "+repo.Path("rulesets"), ruleset, nil)
}

// Delete takes something away that has no content of its own, such as an
// environment or a ruleset. What is not there is no error.
func (c Client) Delete(ctx context.Context, what, path string) error {
	if err := c.Send(ctx, "delete "+what, "DELETE "+path, nil, nil); !github.IsNotFound(err) {
		return err
	}
	return nil
}
