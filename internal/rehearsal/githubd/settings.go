package githubd

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// organisation is what people set for all repositories of an owner.
type organisation struct {
	Plan          string            // free, team or enterprise
	Secrets, Vars map[string]string // shared with every repository, or with those of Selected
	Selected      map[string][]int64
	Artifacts     []ArtifactRecord
}

// upgrade is GitHub's own answer where a plan lacks what was asked for.
const upgrade = "Upgrade to GitHub Pro or make this repository public to enable this feature."

// SetPlan says what an organisation pays for. The plan "free" has no rulesets
// for private repositories. An organisation of which nothing is said has "team".
// https://docs.github.com/en/get-started/learning-about-github/githubs-plans
func (s *Server) SetPlan(org, plan string) {
	s.inOrganisation(org, func(o *organisation) { o.Plan = plan })
}

// SetOrganisationSecret shares a secret with all repositories of an organisation.
func (s *Server) SetOrganisationSecret(org, name, value string) {
	s.inOrganisation(org, func(o *organisation) { o.Secrets[name] = value })
}

// SetOrganisationVariable shares a variable with all repositories of an organisation.
func (s *Server) SetOrganisationVariable(org, name, value string) {
	s.inOrganisation(org, func(o *organisation) { o.Vars[name] = value })
}

func (s *Server) inOrganisation(org string, f func(*organisation)) {
	s.change(func(st *state) {
		if st.Organisations == nil {
			st.Organisations = map[string]*organisation{}
		}
		key := strings.ToLower(org)
		if st.Organisations[key] == nil {
			st.Organisations[key] = &organisation{Plan: "team", Secrets: map[string]string{}, Vars: map[string]string{}}
		}
		f(st.Organisations[key])
	})
}

func (s *Server) organisation(org string) organisation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.state.Organisations[strings.ToLower(org)]; o != nil {
		return organisation{Plan: o.Plan, Secrets: maps.Clone(o.Secrets), Vars: maps.Clone(o.Vars), Selected: maps.Clone(o.Selected),
			Artifacts: slices.Clone(o.Artifacts)}
	}
	return organisation{Plan: "team", Secrets: map[string]string{}, Vars: map[string]string{}}
}

// SetTeamAccess says what a team may do in a repository: pull, triage, push,
// maintain or admin. A team of which nothing is said has no access.
func (s *Server) SetTeamAccess(name, slug, permission string) error {
	return s.inRepository(name, func(r *repository) {
		if r.TeamAccess == nil {
			r.TeamAccess = map[string]string{}
		}
		r.TeamAccess[strings.ToLower(slug)] = permission
	})
}

// SetRequired says which status contexts merging needs, as Seed.Required.
func (s *Server) SetRequired(name string, contexts ...string) error {
	return s.inRepository(name, func(r *repository) { r.Required = contexts })
}

// SetWorkflowAccess says which repositories may use the workflows of a private
// one: none or organization.
func (s *Server) SetWorkflowAccess(name, level string) error {
	return s.inRepository(name, func(r *repository) { r.WorkflowAccess = level })
}

func (s *Server) inRepository(name string, f func(*repository)) error {
	repo := s.lookup(name)
	if repo == nil {
		return fmt.Errorf("repository %s does not exist", name)
	}
	s.change(func(*state) { f(repo) })
	return nil
}

// ofOrganisation serves an endpoint of an organisation to those who have the
// permission of it. A job's token has none.
func (s *Server) ofOrganisation(scope string, serve func(c *call, org string) (*answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, err := s.authenticate(r)
		allowed := err == nil && token != anonymous && (!token.Job || scope == artifactMetadata) && (token.Permissions == nil ||
			token.Permissions[scope] == "write" || token.Permissions[scope] != "" && r.Method == http.MethodGet)
		if err == nil && scope != "" && !allowed {
			err = &apiError{Status: http.StatusForbidden, Message: "Resource not accessible by integration",
				Header: http.Header{"X-Accepted-Github-Permissions": {strings.ReplaceAll(scope, "-", "_") + "=" + accessOf(r.Method)}}}
		}
		if err != nil {
			s.write(w, nil, err)
			return
		}
		result, err := serve(&call{Request: r, s: s, w: w, token: token}, r.PathValue("org"))
		s.write(w, result, err)
	}
}

// getOrganisation shows the plan to those who may see it, and the rest to all.
// https://docs.github.com/en/rest/orgs/orgs#get-an-organization
func getOrganisation(c *call, org string) (*answer, error) {
	c.repo = &repository{Owner: org}
	m := c.organisationJSON()
	if c.token != anonymous && !c.token.Job && (c.token.Permissions == nil || c.token.Permissions["organization-plan"] != "") {
		m["plan"] = map[string]any{"name": c.s.organisation(org).Plan, "space": 976562499, "private_repos": 999999}
	}
	return ok(m)
}

// https://docs.github.com/en/rest/orgs/orgs#list-app-installations-for-an-organization
func listInstallations(c *call, org string) (*answer, error) {
	c.s.mu.Lock()
	apps := slices.Clone(c.s.state.Apps)
	c.s.mu.Unlock()
	list := []map[string]any{}
	for _, app := range apps {
		for _, name := range app.Repositories {
			if owner, _, _ := strings.Cut(name, "/"); strings.EqualFold(owner, org) {
				list = append(list, c.s.installationJSON(app, &repository{Owner: owner, Created: c.s.now()}))
				break
			}
		}
	}
	total := len(list)
	return ok(map[string]any{"total_count": total, "installations": paginate(c, list)})
}

// withoutRulesets is GitHub's refusal where the plan has no rulesets.
func (c *call) withoutRulesets() error {
	if c.repo.Private && c.s.organisation(c.repo.Owner).Plan == "free" {
		return &apiError{Status: http.StatusForbidden, Message: upgrade}
	}
	return nil
}

// strict reports whether what is merged has to be built on the head of its base, as
// the documented ruleset has it where waybill/check judges.
// https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/available-rules-for-rulesets#require-status-checks-to-pass-before-merging
func (r *repository) strict() bool {
	return slices.ContainsFunc(r.Required, func(status string) bool { return strings.HasPrefix(status, "waybill/check") })
}

// rules are those of the repository's one ruleset, whose number is the
// repository's.
func (c *call) rules() []map[string]any {
	var rules []map[string]any
	if c.repo.Protected {
		rules = append(rules, map[string]any{"type": "deletion"}, map[string]any{"type": "non_fast_forward"}, map[string]any{
			"type": "pull_request", "parameters": map[string]any{
				"required_approving_review_count": 1, "dismiss_stale_reviews_on_push": true, "require_code_owner_review": true,
				"require_last_push_approval": true, "required_review_thread_resolution": false,
			},
		})
	}
	checks := []map[string]any{}
	for _, required := range c.repo.Required {
		context, slug, pinned := strings.Cut(required, "@")
		check := map[string]any{"context": context}
		if pinned {
			check["integration_id"] = c.s.appNumber(slug)
		}
		checks = append(checks, check)
	}
	if len(checks) > 0 {
		rules = append(rules, map[string]any{"type": "required_status_checks", "parameters": map[string]any{
			"strict_required_status_checks_policy": c.repo.strict(), "required_status_checks": checks,
		}})
	}
	return rules
}

func (s *Server) appNumber(slug string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, app := range s.state.Apps {
		if app.Slug == slug {
			return app.ID
		}
	}
	return 0
}

// https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch
func branchRules(c *call) (*answer, error) {
	if err := c.withoutRulesets(); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	if c.PathValue("branch") == c.repo.DefaultBranch {
		for _, rule := range c.rules() {
			rule["ruleset_source_type"], rule["ruleset_source"], rule["ruleset_id"] = "Repository", c.repo.fullName(), c.repo.ID
			list = append(list, rule)
		}
	}
	return ok(paginate(c, list))
}

// getRuleset names who may pass the ruleset to those alone who may change it.
// https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset
func getRuleset(c *call) (*answer, error) {
	if err := c.withoutRulesets(); err != nil {
		return nil, err
	}
	rules := c.rules()
	if c.PathValue("id") != fmt.Sprint(c.repo.ID) || len(rules) == 0 {
		return nil, notFound()
	}
	m := c.rulesetJSON()
	m["rules"] = rules
	if c.token.may(c.repo, "administration", "write") {
		actors := []map[string]any{}
		for _, slug := range c.repo.Bypass {
			actors = append(actors, map[string]any{"actor_id": c.s.appNumber(slug), "actor_type": "Integration", "bypass_mode": "always"})
		}
		m["bypass_actors"] = actors
	}
	return ok(m)
}

// rulesetJSON is the repository's one ruleset, as lists show it.
func (c *call) rulesetJSON() map[string]any {
	name := c.repo.Ruleset
	if name == "" {
		name = c.repo.DefaultBranch
	}
	return map[string]any{
		"id": c.repo.ID, "name": name, "target": "branch", "source_type": "Repository", "source": c.repo.fullName(),
		"enforcement": "active",
		"node_id":     nodeID("RepositoryRuleset", c.repo.fullName()), "created_at": stamp(c.repo.Created),
		"updated_at": stamp(c.repo.Created),
		"conditions": map[string]any{"ref_name": map[string]any{"include": []string{"~DEFAULT_BRANCH"},
			"exclude": []string{}}},
		"_links":                  map[string]any{"self": map[string]any{"href": c.api("/rulesets/%d", c.repo.ID)}},
		"current_user_can_bypass": "never",
	}
}

func (c *call) environment() (*environment, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if e := c.repo.Environments[c.PathValue("name")]; e != nil {
		return e, nil
	}
	return nil, notFound()
}

// https://docs.github.com/en/rest/deployments/environments#get-an-environment
func getEnvironment(c *call) (*answer, error) {
	e, err := c.environment()
	if err != nil {
		return nil, err
	}
	name := c.PathValue("name")
	m := map[string]any{
		"id": c.repo.ID, "node_id": nodeID("Environment", name), "name": name, "url": c.api("/environments/%s", name),
		"html_url":   c.page("/deployments/activity_log?environments_filter=%s", name),
		"created_at": stamp(c.repo.Created), "updated_at": stamp(c.repo.Created), "protection_rules": []any{},
		"deployment_branch_policy": nil,
	}
	if e.Limited || len(e.Branches) > 0 {
		m["deployment_branch_policy"] = map[string]any{"protected_branches": false, "custom_branch_policies": true}
		m["protection_rules"] = []map[string]any{{"id": c.repo.ID, "node_id": nodeID("Gate", name), "type": "branch_policy"}}
	}
	return ok(m)
}

// https://docs.github.com/en/rest/deployments/branch-policies#list-deployment-branch-policies
func listBranchPolicies(c *call) (*answer, error) {
	e, err := c.environment()
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for i, pattern := range e.Branches {
		name, tag := strings.CutPrefix(pattern, "tag:")
		list = append(list, map[string]any{"id": i + 1, "node_id": nodeID("DeploymentBranchPolicy", pattern), "name": name,
			"type": map[bool]string{true: "tag", false: "branch"}[tag]})
	}
	return ok(map[string]any{"total_count": len(list), "branch_policies": paginate(c, list)})
}

// settingsOf are the secrets and variables at one place: an environment, the
// repository, or what its organisation shares with it.
type settingsOf func(c *call) (secrets, vars map[string]string, err error)

func ofEnvironment(c *call) (secrets, vars map[string]string, err error) {
	e, err := c.environment()
	if err != nil {
		return nil, nil, err
	}
	return e.Secrets, e.Vars, nil
}

func ofRepository(c *call) (secrets, vars map[string]string, err error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, m := range []*map[string]string{&c.repo.Secrets, &c.repo.Vars} {
		if *m == nil {
			*m = map[string]string{}
		}
	}
	return c.repo.Secrets, c.repo.Vars, nil
}

func sharedByOrganisation(c *call) (secrets, vars map[string]string, err error) {
	secrets, vars = c.s.sharedWith(c.repo)
	return secrets, vars, nil
}

// sharedWith are the organisation's secrets and variables that a repository has.
func (s *Server) sharedWith(repo *repository) (secrets, vars map[string]string) {
	o := s.organisation(repo.Owner)
	for _, secret := range []bool{true, false} {
		maps.DeleteFunc(o.shared(secret), func(name, _ string) bool {
			selected := o.Selected[sharedKey(secret, name)]
			return selected != nil && !slices.Contains(selected, repo.ID)
		})
	}
	return o.Secrets, o.Vars
}

// listSecrets names secrets, without their values.
// https://docs.github.com/en/rest/actions/secrets#list-repository-secrets
func listSecrets(of settingsOf) handler {
	return func(c *call) (*answer, error) {
		secrets, _, err := of(c)
		return c.named("secrets", secrets, false, err)
	}
}

// https://docs.github.com/en/rest/actions/variables#list-repository-variables
func listVariables(of settingsOf) handler {
	return func(c *call) (*answer, error) {
		_, vars, err := of(c)
		return c.named("variables", vars, true, err)
	}
}

func (c *call) named(kind string, values map[string]string, show bool, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	values = maps.Clone(values)
	c.s.mu.Unlock()
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		m := map[string]any{"name": name, "created_at": stamp(c.repo.Created), "updated_at": stamp(c.repo.Created)}
		if show {
			m["value"] = values[name]
		}
		list = append(list, m)
	}
	return ok(map[string]any{"total_count": len(list), kind: paginate(c, list)})
}

// ownersFiles are where GitHub looks for CODEOWNERS, in its order.
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
var ownersFiles = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

// codeOwnerErrors names the teams of CODEOWNERS that do not exist or may not
// write. Of GitHub's other findings it knows none.
// https://docs.github.com/en/rest/repos/repos#list-codeowners-errors
func codeOwnerErrors(c *call) (*answer, error) {
	for _, path := range ownersFiles {
		text, err := c.git("show", c.repo.DefaultBranch+":"+path)
		if err != nil {
			continue
		}
		found := []map[string]any{}
		for i, line := range strings.Split(text, "\n") {
			rule, _, _ := strings.Cut(line, "#")
			for _, owner := range strings.Fields(rule) {
				if org, slug, team := strings.Cut(strings.TrimPrefix(owner, "@"), "/"); team && strings.HasPrefix(owner,
					"@") && !c.ownerCounts(org, slug) {
					advice := fmt.Sprintf(
						"make sure the team %s exists, is publicly visible, and has write access to the repository", owner,
					)
					found = append(found, map[string]any{
						"line": i + 1, "column": strings.Index(line, owner) + 1, "kind": "Unknown owner", "source": line, "path": path,
						"suggestion": advice, "message": fmt.Sprintf("Unknown owner on line %d: %s", i+1, advice),
					})
				}
			}
		}
		return ok(map[string]any{"errors": found})
	}
	return nil, notFound()
}

func (c *call) ownerCounts(org, slug string) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	_, exists := c.s.state.Teams[strings.ToLower(org+"/"+slug)]
	return exists && slices.Contains([]string{"push", "maintain", "admin"}, c.repo.TeamAccess[strings.ToLower(slug)])
}

// SetWorkflowState says that a workflow is disabled_inactivity, as GitHub makes those
// with a schedule in a public repository where nothing happens for 60 days, or
// disabled_manually. It is what the list shows: the rehearsal runs the workflow all the
// same.
// https://docs.github.com/en/actions/how-tos/manage-workflow-runs/disable-and-enable-workflows
func (s *Server) SetWorkflowState(name, file, state string) error {
	return s.inRepository(name, func(r *repository) { r.Disabled = map[string]string{file: state} })
}

// https://docs.github.com/en/rest/actions/workflows#list-repository-workflows
func listWorkflows(c *call) (*answer, error) {
	names, err := c.git("ls-tree", "--name-only", "refs/heads/"+c.repo.DefaultBranch, ".github/workflows/")
	if err != nil {
		return nil, err
	}
	var files []string
	for name := range strings.FieldsSeq(names) {
		if ext := path.Ext(name); ext == ".yml" || ext == ".yaml" {
			files = append(files, name)
		}
	}
	list := []map[string]any{}
	for i, name := range paginate(c, files) {
		page := c.s.URL() + "/" + c.repo.fullName()
		list = append(list, map[string]any{
			"id": i + 1, "node_id": fmt.Sprintf("W_%d", i+1), "name": path.Base(name), "path": name,
			"state": cmp.Or(c.repo.Disabled[path.Base(name)], "active"), "created_at": began, "updated_at": began,
			"url":       c.s.APIURL() + "/repos/" + c.repo.fullName() + "/actions/workflows/" + fmt.Sprint(i+1),
			"html_url":  page + "/blob/" + c.repo.DefaultBranch + "/" + name,
			"badge_url": page + "/workflows/" + path.Base(name) + "/badge.svg",
		})
	}
	return ok(map[string]any{"total_count": len(files), "workflows": list})
}

// ActionsPolicy says which actions a repository may use. Nothing said allows all of
// them. It is what the settings show: the workflows that the rehearsal runs are not
// held to it.
type ActionsPolicy struct {
	Disabled, Pinned    bool
	Allowed             string // all, local_only or selected; empty means all
	OfGitHub, ByCreator bool   // of selected: GitHub's own, and those of verified creators
	Patterns            []string
}

// SetActionsPolicy says which actions a repository may use.
func (s *Server) SetActionsPolicy(name string, policy ActionsPolicy) error {
	return s.inRepository(name, func(r *repository) { r.Actions = policy })
}

// https://docs.github.com/en/rest/actions/permissions#get-github-actions-permissions-for-a-repository
func actionsPolicy(c *call) (*answer, error) {
	p := c.repo.Actions
	shown := map[string]any{"enabled": !p.Disabled, "sha_pinning_required": p.Pinned}
	if !p.Disabled {
		shown["allowed_actions"] = cmp.Or(p.Allowed, "all")
	}
	return ok(shown)
}

// https://docs.github.com/en/rest/actions/permissions#get-allowed-actions-and-reusable-workflows-for-a-repository
func selectedActions(c *call) (*answer, error) {
	p := c.repo.Actions
	if p.Disabled || p.Allowed != "selected" {
		return nil, &apiError{Status: http.StatusConflict, Message: "Conflict"}
	}
	return ok(map[string]any{
		"github_owned_allowed": p.OfGitHub, "verified_allowed": p.ByCreator, "patterns_allowed": append([]string{}, p.Patterns...),
	})
}

// https://docs.github.com/en/rest/actions/permissions#get-the-level-of-access-for-workflows-outside-of-the-repository
func workflowAccess(c *call) (*answer, error) {
	level := c.repo.WorkflowAccess
	if level == "" {
		level = "none"
	}
	return ok(map[string]any{"access_level": level})
}

// installationJSON is the App on the repositories of one owner.
func (s *Server) installationJSON(app *App, repo *repository) map[string]any {
	return map[string]any{
		"id": app.ID, "app_id": app.ID, "client_id": app.ClientID, "app_slug": app.Slug, "target_type": "Organization",
		"target_id": repo.ID, "repository_selection": "selected",
		"account": s.userJSON(repo.Owner), "permissions": underscored(app.Permissions), "events": []string{},
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", s.APIURL(), app.ID),
		"repositories_url":  s.APIURL() + "/installation/repositories",
		"html_url":          fmt.Sprintf("%s/organizations/%s/settings/installations/%d", s.URL(), repo.Owner, app.ID),
		"created_at":        repo.Created.Format(time.RFC3339), "updated_at": repo.Created.Format(time.RFC3339), "single_file_name": nil,
		"suspended_by": nil, "suspended_at": nil,
	}
}
