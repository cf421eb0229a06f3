package githubd

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// fillSettings lets every list of settings hold something.
func (f *fixture) fillSettings() {
	f.t.Helper()
	for _, err := range []error{
		f.SetEnvironment("acme/x", "waybill", "main"), f.SetEnvironmentSecret("acme/x", "waybill", "KEY", "k"),
		f.SetEnvironmentVariable("acme/x", "waybill", "ID", "i"),
		f.SetSecret("acme/x", "S", "s"), f.SetVariable("acme/x", "V", "v"), f.SetWorkflowAccess("acme/x", "organization"),
	} {
		if err != nil {
			f.t.Fatal(err)
		}
	}
	f.SetOrganisationSecret("acme", "OS", "s")
	f.SetOrganisationVariable("acme", "OV", "v")
}

// Settings of an organisation answer as GitHub describes them.
func TestOrganisationFollowsTheDescription(t *testing.T) {
	t.Parallel()
	f, official := newFixture(t), readDescription(t)
	if _, _, err := f.CreateApp(App{Slug: "mover", Permissions: map[string]string{"contents": "write"},
		Repositories: []string{"acme/x"}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/orgs/acme", "/orgs/acme/installations"} {
		status, body, _ := f.send(f.token, http.MethodGet, "/api/v3"+path, "")
		for _, wrong := range official.wrong(http.MethodGet, path, status, "", body) {
			t.Errorf("%s: %s", path, wrong)
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
		"/api/v3/orgs/acme/installations": "organization_administration=read",
	} {
		status, body, header := f.send(reader, http.MethodGet, path, "")
		if got := header.Get("X-Accepted-Github-Permissions"); status != 403 || got != permission {
			t.Errorf("%s: %d %v needs %q, want %q", path, status, body, got, permission)
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
