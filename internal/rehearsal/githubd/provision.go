package githubd

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/crypto/nacl/box"
)

// This file is what an owner of an organisation sets by the API.

// sealing is the pair of keys to which secrets are encrypted on their way.
// https://docs.github.com/en/rest/guides/encrypting-secrets-for-the-rest-api
type sealing struct{ public, private *[32]byte }

func newSealing() (sealing, error) {
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return sealing{}, fmt.Errorf("make the key for secrets: %w", err)
	}
	return sealing{public, private}, nil
}

const sealingID = "568250167242549743"

func publicKey(c *call) (*answer, error) {
	return ok(map[string]any{"key_id": sealingID, "key": base64.StdEncoding.EncodeToString(c.s.sealing.public[:])})
}

// sealedSecret is a secret as it is sent.
type sealedSecret struct {
	Value      string  `json:"encrypted_value"`
	KeyID      string  `json:"key_id"`
	Visibility string  `json:"visibility"`
	Selected   []int64 `json:"selected_repository_ids"`
}

func (c *call) open(in sealedSecret) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(in.Value)
	plain, opened := box.OpenAnonymous(nil, sealed, c.s.sealing.public, c.s.sealing.private)
	if err != nil || !opened || in.KeyID != sealingID {
		return "", unprocessable("Bad request - the secret could not be decrypted with the given key_id")
	}
	return string(plain), nil
}

// setSecret sets a secret where of finds the others.
// https://docs.github.com/en/rest/actions/secrets#create-or-update-an-environment-secret
func setSecret(of settingsOf) handler {
	return with(func(c *call, in sealedSecret) (*answer, error) {
		value, err := c.open(in)
		if err != nil {
			return nil, err
		}
		secrets, _, err := of(c)
		if err != nil {
			return nil, err
		}
		_, there := secrets[c.PathValue("secret")]
		c.s.change(func(*state) { secrets[c.PathValue("secret")] = value })
		if there {
			return noContent()
		}
		return created(map[string]any{})
	})
}

type variable struct {
	Name, Value string
	Visibility  string
	Selected    []int64 `json:"selected_repository_ids"`
}

// https://docs.github.com/en/rest/actions/variables#create-an-environment-variable
func createVariable(of settingsOf) handler {
	return with(func(c *call, in variable) (*answer, error) {
		_, vars, err := of(c)
		if err != nil {
			return nil, err
		}
		if _, there := vars[in.Name]; there {
			return nil, &apiError{Status: http.StatusConflict, Message: "Already exists - Variable already exists"}
		}
		c.s.change(func(*state) { vars[in.Name] = in.Value })
		return created(map[string]any{})
	})
}

// https://docs.github.com/en/rest/actions/variables#update-an-environment-variable
func updateVariable(of settingsOf) handler {
	return with(func(c *call, in variable) (*answer, error) {
		_, vars, err := of(c)
		if err != nil {
			return nil, err
		}
		name := c.PathValue("variable")
		if _, there := vars[name]; !there {
			return nil, notFound()
		}
		c.s.change(func(*state) { vars[name] = in.Value })
		return noContent()
	})
}

// https://docs.github.com/en/rest/actions/permissions#get-default-workflow-permissions-for-a-repository
func jobRights(c *call) (*answer, error) {
	rights := c.repo.JobRights
	if rights == "" {
		rights = "write" // an organisation made before February 2023
	}
	return ok(map[string]any{"default_workflow_permissions": rights, "can_approve_pull_request_reviews": !c.repo.NoJobPulls})
}

func setJobRights(c *call, in struct {
	Default string `json:"default_workflow_permissions"`
	Approve *bool  `json:"can_approve_pull_request_reviews"`
}) (*answer, error) {
	c.s.change(func(*state) {
		c.repo.JobRights = in.Default
		if in.Approve != nil {
			c.repo.NoJobPulls = !*in.Approve
		}
	})
	return noContent()
}

func setWorkflowAccess(c *call, in struct {
	Level string `json:"access_level"`
}) (*answer, error) {
	c.s.change(func(*state) { c.repo.WorkflowAccess = in.Level })
	return noContent()
}

// https://docs.github.com/en/rest/deployments/environments#create-or-update-an-environment
func putEnvironment(c *call, in struct {
	Policy *struct {
		Protected bool `json:"protected_branches"`
		Custom    bool `json:"custom_branch_policies"`
	} `json:"deployment_branch_policy"`
}) (*answer, error) {
	if in.Policy != nil && in.Policy.Protected == in.Policy.Custom {
		return nil, unprocessable("protected_branches and custom_branch_policies cannot have the same value")
	}
	if err := c.s.inEnvironment(c.repo.fullName(), c.PathValue("name"), func(e *environment) { e.Limited = in.Policy != nil }); err != nil {
		return nil, err
	}
	return getEnvironment(c)
}

// https://docs.github.com/en/rest/deployments/branch-policies#create-a-deployment-branch-policy
func createBranchPolicy(c *call, in struct{ Name string }) (*answer, error) {
	e, err := c.environment()
	if err != nil {
		return nil, err
	}
	if !e.Limited && len(e.Branches) == 0 {
		return nil, notFound()
	}
	c.s.change(func(*state) { e.Branches = append(e.Branches, in.Name) })
	return ok(map[string]any{
		"id": len(e.Branches), "node_id": nodeID("DeploymentBranchPolicy", in.Name), "name": in.Name, "type": "branch",
	})
}

func deleteEnvironment(c *call) (*answer, error) {
	if _, err := c.environment(); err != nil {
		return nil, err
	}
	c.s.change(func(*state) { delete(c.repo.Environments, c.PathValue("name")) })
	return noContent()
}

// listRulesets lists the repository's one ruleset.
// https://docs.github.com/en/rest/repos/rules#get-all-repository-rulesets
func listRulesets(c *call) (*answer, error) {
	if err := c.withoutRulesets(); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	if len(c.rules()) > 0 {
		list = append(list, c.rulesetJSON())
	}
	return ok(paginate(c, list))
}

// createRuleset knows the rules that the guide asks for, and refuses others: it
// would have to keep them.
// https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset
func createRuleset(c *call, in struct {
	Name, Enforcement string
	Bypass            []struct {
		Actor int64  `json:"actor_id"`
		Type  string `json:"actor_type"`
	} `json:"bypass_actors"`
	Rules []struct {
		Type       string
		Parameters struct {
			Checks []struct {
				Context string
				App     int64 `json:"integration_id"`
			} `json:"required_status_checks"`
		}
	}
}) (*answer, error) {
	if err := c.withoutRulesets(); err != nil {
		return nil, err
	}
	if len(c.rules()) > 0 || in.Enforcement != "active" {
		return nil, unprocessable("the sandbox keeps one active ruleset a repository")
	}
	var required, bypass []string
	protected := false
	for _, actor := range in.Bypass {
		slug := c.s.appSlug(actor.Actor)
		if actor.Type != "Integration" || slug == "" {
			return nil, unprocessable("Actor %d integration must be part of the ruleset source or owner organization", actor.Actor)
		}
		bypass = append(bypass, slug)
	}
	for _, rule := range in.Rules {
		switch rule.Type {
		case "pull_request":
			protected = true
		case "required_status_checks":
			for _, check := range rule.Parameters.Checks {
				name := check.Context
				if check.App != 0 {
					name += "@" + c.s.appSlug(check.App)
				}
				required = append(required, name)
			}
		case "deletion", "non_fast_forward":
		default:
			return nil, unprocessable("the sandbox knows no rule %s", rule.Type)
		}
	}
	c.s.change(func(*state) {
		c.repo.Ruleset, c.repo.Protected, c.repo.Required, c.repo.Bypass = in.Name, protected, required, bypass
	})
	return created(c.rulesetJSON())
}

func deleteRuleset(c *call) (*answer, error) {
	if c.PathValue("id") != fmt.Sprint(c.repo.ID) || len(c.rules()) == 0 {
		return nil, notFound()
	}
	c.s.change(func(*state) { c.repo.Ruleset, c.repo.Protected, c.repo.Required, c.repo.Bypass = "", false, nil, nil })
	return noContent()
}

func (s *Server) appSlug(number int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, app := range s.state.Apps {
		if app.ID == number {
			return app.Slug
		}
	}
	return ""
}

// inOrganisations are the endpoints of an organisation, by METHOD PATTERN, with
// the permission that each needs.
var inOrganisations = map[string]struct {
	scope string
	serve func(c *call, org string) (*answer, error)
}{
	"GET /orgs/{org}":                                   {"", getOrganisation},
	"GET /orgs/{org}/installations":                     {"organization-administration", listInstallations},
	"POST /orgs/{org}/repos":                            {"administration", createRepository},
	"POST /orgs/{org}/teams":                            {"members", createTeam},
	"GET /orgs/{org}/teams/{slug}/repos/{owner}/{repo}": {"members", teamRepository},
	"PUT /orgs/{org}/teams/{slug}/repos/{owner}/{repo}": {"members", addTeamRepository},
	"GET /orgs/{org}/actions/secrets/public-key": {
		"organization-secrets", func(c *call, _ string) (*answer, error) { return publicKey(c) },
	},
	"POST /orgs/{org}/artifacts/metadata/deployment-record": {artifactMetadata, recordDeployment},
	"POST /orgs/{org}/artifacts/metadata/storage-record":    {artifactMetadata, recordStorage},

	"GET /orgs/{org}/actions/secrets/{name}":                     {"organization-secrets", getShared(true)},
	"PUT /orgs/{org}/actions/secrets/{name}":                     {"organization-secrets", setSharedSecret},
	"DELETE /orgs/{org}/actions/secrets/{name}":                  {"organization-secrets", deleteShared(true)},
	"PUT /orgs/{org}/actions/secrets/{name}/repositories/{id}":   {"organization-secrets", selectShared(true)},
	"POST /orgs/{org}/actions/variables":                         {"organization-actions-variables", createSharedVariable},
	"GET /orgs/{org}/actions/variables/{name}":                   {"organization-actions-variables", getShared(false)},
	"DELETE /orgs/{org}/actions/variables/{name}":                {"organization-actions-variables", deleteShared(false)},
	"PUT /orgs/{org}/actions/variables/{name}/repositories/{id}": {"organization-actions-variables", selectShared(false)},
}

// https://docs.github.com/en/rest/repos/repos#create-an-organization-repository
func createRepository(c *call, org string) (*answer, error) {
	var in struct {
		Name    string
		Private bool
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if c.s.lookup(org+"/"+in.Name) != nil {
		return nil, unprocessable("name already exists on this account")
	}
	if err := c.s.CreateRepository(c.Context(), Seed{Name: org + "/" + in.Name, Private: in.Private}); err != nil {
		return nil, err
	}
	return created(c.s.repositoryJSON(c.s.lookup(org + "/" + in.Name)))
}

// createTeam makes a team with the caller as its member.
// https://docs.github.com/en/rest/teams/teams#create-a-team
func createTeam(c *call, org string) (*answer, error) {
	var in struct{ Name string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	c.s.SetTeam(org+"/"+in.Name, c.token.User)
	c.repo = &repository{Owner: org}
	return created(c.fullTeamJSON(in.Name, 1))
}

// teamRepository has a body only for those who ask for it by media type.
// https://docs.github.com/en/rest/teams/teams#check-team-permissions-for-a-repository
func teamRepository(c *call, org string) (*answer, error) {
	repo := c.s.lookup(org + "/" + c.PathValue("repo"))
	if repo == nil || repo.TeamAccess[strings.ToLower(c.PathValue("slug"))] == "" {
		return nil, notFound()
	}
	if !strings.Contains(c.Header.Get("Accept"), "application/vnd.github.v3.repository+json") {
		return noContent()
	}
	m := c.s.repositoryJSON(repo)
	levels := []string{"pull", "triage", "push", "maintain", "admin"}
	has := slices.Index(levels, repo.TeamAccess[strings.ToLower(c.PathValue("slug"))])
	permissions := map[string]bool{}
	for i, level := range levels {
		permissions[level] = i <= has
	}
	m["permissions"] = permissions
	return ok(m)
}

// https://docs.github.com/en/rest/teams/teams#add-or-update-team-repository-permissions
func addTeamRepository(c *call, org string) (*answer, error) {
	var in struct{ Permission string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	_, exists := c.s.state.Teams[strings.ToLower(org+"/"+c.PathValue("slug"))]
	c.s.mu.Unlock()
	if !exists {
		return nil, notFound()
	}
	if err := c.s.SetTeamAccess(org+"/"+c.PathValue("repo"), c.PathValue("slug"), in.Permission); err != nil {
		return nil, notFound()
	}
	return noContent()
}

// shared are the secrets or variables of an organisation.
func (o organisation) shared(secret bool) map[string]string {
	if secret {
		return o.Secrets
	}
	return o.Vars
}

func sharedKey(secret bool, name string) string { return fmt.Sprint(secret, " ", name) }

// getShared shows no value of a secret.
// https://docs.github.com/en/rest/actions/secrets#get-an-organization-secret
func getShared(secret bool) func(c *call, org string) (*answer, error) {
	return func(c *call, org string) (*answer, error) {
		o, name := c.s.organisation(org), c.PathValue("name")
		value, there := o.shared(secret)[name]
		if !there {
			return nil, notFound()
		}
		m := map[string]any{"name": name, "created_at": began, "updated_at": began, "visibility": "all"}
		if o.Selected[sharedKey(secret, name)] != nil {
			kind := map[bool]string{true: "secrets", false: "variables"}[secret]
			m["visibility"] = "selected"
			m["selected_repositories_url"] = c.s.APIURL() + "/orgs/" + org + "/actions/" + kind + "/" + name + "/repositories"
		}
		if !secret {
			m["value"] = value
		}
		return ok(m)
	}
}

// share is a secret or variable that was set.
func (c *call) share(org string, in variable, secret bool) {
	c.s.inOrganisation(org, func(o *organisation) {
		o.shared(secret)[in.Name] = in.Value
		if o.Selected == nil {
			o.Selected = map[string][]int64{}
		}
		delete(o.Selected, sharedKey(secret, in.Name))
		if in.Visibility == "selected" {
			o.Selected[sharedKey(secret, in.Name)] = append([]int64{}, in.Selected...)
		}
	})
}

func setSharedSecret(c *call, org string) (*answer, error) {
	var in sealedSecret
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	value, err := c.open(in)
	if err != nil {
		return nil, err
	}
	_, there := c.s.organisation(org).Secrets[c.PathValue("name")]
	c.share(org, variable{c.PathValue("name"), value, in.Visibility, in.Selected}, true)
	if there {
		return noContent()
	}
	return created(map[string]any{})
}

func createSharedVariable(c *call, org string) (*answer, error) {
	var in variable
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if _, there := c.s.organisation(org).Vars[in.Name]; there {
		return nil, &apiError{Status: http.StatusConflict, Message: "Already exists - Variable already exists"}
	}
	c.share(org, in, false)
	return created(map[string]any{})
}

// selectShared answers 409 where the visibility is not "selected".
// https://docs.github.com/en/rest/actions/secrets#add-selected-repository-to-an-organization-secret
func selectShared(secret bool) func(c *call, org string) (*answer, error) {
	return func(c *call, org string) (*answer, error) {
		key := sharedKey(secret, c.PathValue("name"))
		if c.s.organisation(org).Selected[key] == nil {
			return nil, &apiError{Status: http.StatusConflict, Message: "Conflict when visibility type is not set to selected"}
		}
		var id int64
		if _, err := fmt.Sscan(c.PathValue("id"), &id); err != nil {
			return nil, notFound()
		}
		c.s.inOrganisation(org, func(o *organisation) { o.Selected[key] = append(o.Selected[key], id) })
		return noContent()
	}
}

func deleteShared(secret bool) func(c *call, org string) (*answer, error) {
	return func(c *call, org string) (*answer, error) {
		name := c.PathValue("name")
		if _, there := c.s.organisation(org).shared(secret)[name]; !there {
			return nil, notFound()
		}
		c.s.inOrganisation(org, func(o *organisation) {
			delete(o.shared(secret), name)
			delete(o.Selected, sharedKey(secret, name))
		})
		return noContent()
	}
}
