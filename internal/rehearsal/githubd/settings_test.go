package githubd

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/box"
)

// fillSettings lets every list of settings hold something.
func (f *fixture) fillSettings() {
	f.t.Helper()
	for _, err := range []error{
		f.SetEnvironment("acme/x", "waybill", "main"), f.SetEnvironmentSecret("acme/x", "waybill", "KEY", "k"),
		f.SetEnvironmentVariable("acme/x", "waybill", "ID", "i"),
		f.SetSecret("acme/x", "S", "s"), f.SetVariable("acme/x", "V", "v"), f.SetWorkflowAccess("acme/x", "organization"),
		f.SetActionsPolicy("acme/x", ActionsPolicy{Allowed: "selected", OfGitHub: true, Patterns: []string{"waybill-dev/waybill/**@*"}}),
	} {
		if err != nil {
			f.t.Fatal(err)
		}
	}
	f.SetOrganisationSecret("acme", "OS", "s")
	f.SetOrganisationVariable("acme", "OV", "v")
}

// sealed is the body that sets a secret.
func (f *fixture) sealed(value string) string {
	f.t.Helper()
	data, err := box.SealAnonymous(nil, []byte(value), f.sealing.public, rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q}`, base64.StdEncoding.EncodeToString(data), sealingID)
}

// Settings of an organisation answer as GitHub describes them.
func TestOrganisationFollowsTheDescription(t *testing.T) {
	t.Parallel()
	f, official := newFixture(t), readDescription(t)
	if _, _, err := f.CreateApp(App{Slug: "mover", Permissions: map[string]string{"contents": "write"},
		Repositories: []string{"acme/x"}}); err != nil {
		t.Fatal(err)
	}
	f.SetTeam("acme/platform", "bob")
	id := f.lookup("acme/x").ID
	selected := fmt.Sprintf(`,"visibility":"selected","selected_repository_ids":[%d]}`, id)
	asked := map[string]bool{}
	for _, r := range []struct{ route, path, body string }{
		{"GET /orgs/{org}", "/orgs/acme", ""}, {"GET /orgs/{org}/installations", "/orgs/acme/installations", ""},
		{"", "/users/acme", ""}, {"POST /orgs/{org}/repos", "/orgs/acme/repos", `{"name":"new","private":true}`},
		{"POST /orgs/{org}/teams", "/orgs/acme/teams", `{"name":"sre","privacy":"closed"}`},
		{"PUT /orgs/{org}/teams/{slug}/repos/{owner}/{repo}", "/orgs/acme/teams/sre/repos/acme/x", `{"permission":"push"}`},
		{"GET /orgs/{org}/teams/{slug}/repos/{owner}/{repo}", "/orgs/acme/teams/sre/repos/acme/x", ""},
		{"POST /orgs/{org}/artifacts/metadata/deployment-record", "/orgs/acme/artifacts/metadata/deployment-record",
			`{"name":"a","digest":"sha256:` + strings.Repeat("a", 64) + `","status":"deployed","logical_environment":"prod","deployment_name":"a"}`},
		{"POST /orgs/{org}/artifacts/metadata/storage-record", "/orgs/acme/artifacts/metadata/storage-record",
			`{"name":"a","digest":"sha256:` + strings.Repeat("a", 64) + `","registry_url":"https://ghcr.io/","repository":"acme/a"}`},
		{"GET /orgs/{org}/actions/secrets/public-key", "/orgs/acme/actions/secrets/public-key", ""},
		{"PUT /orgs/{org}/actions/secrets/{name}", "/orgs/acme/actions/secrets/S", strings.TrimSuffix(f.sealed("s"), "}") + selected},
		{"PUT /orgs/{org}/actions/secrets/{name}/repositories/{id}", fmt.Sprintf("/orgs/acme/actions/secrets/S/repositories/%d", id), ""},
		{"GET /orgs/{org}/actions/secrets/{name}", "/orgs/acme/actions/secrets/S", ""},
		{"DELETE /orgs/{org}/actions/secrets/{name}", "/orgs/acme/actions/secrets/S", ""},
		{"POST /orgs/{org}/actions/variables", "/orgs/acme/actions/variables", `{"name":"V","value":"v"` + selected},
		{
			"PUT /orgs/{org}/actions/variables/{name}/repositories/{id}",
			fmt.Sprintf("/orgs/acme/actions/variables/V/repositories/%d", id), "",
		},
		{"GET /orgs/{org}/actions/variables/{name}", "/orgs/acme/actions/variables/V", ""},
		{"DELETE /orgs/{org}/actions/variables/{name}", "/orgs/acme/actions/variables/V", ""},
	} {
		asked[r.route] = true
		method, _, _ := strings.Cut(r.route, " ")
		if method == "" {
			method = http.MethodGet
		}
		status, body, _ := f.send(f.token, method, "/api/v3"+r.path, r.body)
		for _, wrong := range official.wrong(method, r.path, status, r.body, body) {
			t.Errorf("%s %s: %d %s", method, r.path, status, wrong)
		}
	}
	for route := range inOrganisations {
		if !asked[route] {
			t.Errorf("%s is served and not held against anything", route)
		}
	}
}

// Each setting is shown to whoever has the permission that GitHub's
// documentation names for it, and the refusal names that permission.
func TestSettingsNeedTheirPermission(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.fillSettings()
	reader := f.CreateToken(Token{Job: true, Repositories: []string{"acme/x"}, Permissions: map[string]string{"contents": "read"}})
	for path, permission := range map[string]string{
		"environments/waybill": "actions=read", "environments/waybill/secrets": "environments=read", "actions/secrets": "secrets=read",
		"actions/variables": "actions_variables=read", "actions/permissions/access": "administration=read",
		"actions/permissions":             "administration=read",
		"/api/v3/orgs/acme/installations": "organization_administration=read",
	} {
		status, body, header := f.send(reader, http.MethodGet, path, "")
		if got := header.Get("X-Accepted-Github-Permissions"); status != 403 || got != permission {
			t.Errorf("%s: %d %v needs %q, want %q", path, status, body, got, permission)
		}
	}
	// What is public is read by everybody, but for the settings.
	if err := f.inRepository("acme/x", func(r *repository) { r.Private = false }); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"environments/waybill": 200, "environments/waybill/secrets": 403, "actions/secrets": 403, "actions/variables": 403,
		"actions/permissions": 403,
	} {
		if status, body, _ := f.send(reader, http.MethodGet, path, ""); status != want {
			t.Errorf("of a public repository, %s: %d %v", path, status, body)
		}
	}
	_, body, _ := f.send(reader, http.MethodGet, fmt.Sprintf("rulesets/%d", f.lookup("acme/x").ID), "")
	if _, shown := body.(map[string]any)["bypass_actors"]; shown {
		t.Error("who may pass the ruleset is shown to somebody who may not change it")
	}
	if _, body, _ := f.send(reader, http.MethodGet, "/api/v3/orgs/acme", ""); body.(map[string]any)["plan"] != nil {
		t.Error("the plan is shown to a job")
	}
}

// The plan free has no rulesets for private repositories.
func TestPlanWithoutRulesets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.SetPlan("acme", "free")
	status, body, _ := f.send(f.token, http.MethodGet, "rules/branches/main", "")
	if m, _ := body.(map[string]any); status != 403 || !strings.Contains(fmt.Sprint(m["message"]), "Upgrade to GitHub") {
		t.Errorf("%d %v", status, body)
	}
}

// A team counts as an owner if it exists and may write.
func TestCodeOwnerErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	count := func() int {
		t.Helper()
		_, body, _ := f.send(f.token, http.MethodGet, "codeowners/errors", "")
		return len(body.(map[string]any)["errors"].([]any))
	}
	if got := count(); got != 1 {
		t.Errorf("a team that does not exist: %d errors", got)
	}
	f.SetTeam("acme/nobody", "bob")
	if got := count(); got != 1 {
		t.Errorf("a team without access: %d errors", got)
	}
	if err := f.SetTeamAccess("acme/x", "nobody", "push"); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("a team that may write: %d errors", got)
	}
}
