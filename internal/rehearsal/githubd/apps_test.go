package githubd

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// What is outside of a repository's endpoints answers as GitHub describes it
// too: the Apps, and the teams.
func TestAppsAndTeamsFollowTheDescription(t *testing.T) {
	t.Parallel()
	f, official := newFixture(t), readDescription(t)
	id, key, err := f.CreateApp(App{Slug: "mover", Permissions: map[string]string{"contents": "write"}, Repositories: []string{"acme/x"}})
	if err != nil {
		t.Fatal(err)
	}
	shown := show(t, id, key, 9*time.Minute)
	status, body, _ := f.send(shown, http.MethodGet, "/api/v3/repos/acme/x/installation", "")
	for _, wrong := range official.wrong(http.MethodGet, "/repos/acme/x/installation", status, "", body) {
		t.Errorf("installation: %s", wrong)
	}
	installation, _ := body.(map[string]any)
	path := fmt.Sprintf("/app/installations/%.0f/access_tokens", installation["id"])
	request := `{"repositories":["x"],"permissions":{"contents":"read"}}`
	status, body, _ = f.send(shown, http.MethodPost, "/api/v3"+path, request)
	for _, wrong := range official.wrong(http.MethodPost, path, status, request, body) {
		t.Errorf("access token: %s", wrong)
	}
	f.SetTeam("acme/platform", "bob")
	for _, path := range []string{"/orgs/acme/teams/platform", "/orgs/acme/teams/platform/memberships/bob"} {
		status, body, _ = f.send(f.token, http.MethodGet, "/api/v3"+path, "")
		for _, wrong := range official.wrong(http.MethodGet, path, status, "", body) {
			t.Errorf("%s: %s", path, wrong)
		}
	}
}

// An App is known by its key, for ten minutes at most, and gets no more than it
// was given.
func TestAppsAreHeldToWhatTheyAre(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, key, err := f.CreateApp(App{Slug: "mover", Permissions: map[string]string{"contents": "read"}, Repositories: []string{"acme/x"}})
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := f.CreateApp(App{Slug: "other", Repositories: []string{"acme/x"}})
	if err != nil {
		t.Fatal(err)
	}
	good := show(t, id, key, 9*time.Minute)
	_, body, _ := f.send(good, http.MethodGet, "/api/v3/repos/acme/x/installation", "")
	installation, _ := body.(map[string]any)
	tokens := fmt.Sprintf("/api/v3/app/installations/%.0f/access_tokens", installation["id"])
	for name, test := range map[string]struct {
		token, method, path, body string
		status                    int
		says                      string
	}{
		"an unknown App": {
			show(t, "Iv23nobody", key, 9*time.Minute), "GET", "/api/v3/repos/acme/x/installation", "", 404, "Integration not found",
		},
		"another App's key": {
			show(t, id, other, 9*time.Minute), "GET", "/api/v3/repos/acme/x/installation", "", 401, "could not be decoded",
		},
		"too long a life":      {show(t, id, key, time.Hour), "GET", "/api/v3/repos/acme/x/installation", "", 401, "too far in the future"},
		"expired":              {show(t, id, key, -time.Minute), "GET", "/api/v3/repos/acme/x/installation", "", 401, "'exp'"},
		"not installed":        {good, "GET", "/api/v3/repos/acme/y/installation", "", 404, "Not Found"},
		"another installation": {good, "POST", "/api/v3/app/installations/999/access_tokens", "{}", 404, "Not Found"},
		"a repository beyond":  {good, "POST", tokens, `{"repositories":["y"]}`, 422, "does not exist or is not accessible"},
		"a permission beyond":  {good, "POST", tokens, `{"permissions":{"contents":"write"}}`, 422, "not granted to this installation"},
		"a job token":          {f.token, "POST", tokens, "{}", 401, "could not be decoded"},
	} {
		status, body, _ := f.send(test.token, test.method, test.path, test.body)
		if m, _ := body.(map[string]any); status != test.status || !strings.Contains(fmt.Sprint(m["message"]), test.says) {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
}

// What a ruleset forbids is forbidden by every way there is to move a branch.
func TestRulesHoldForEveryWay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := f.Protect("acme/x"); err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string][3]string{
		"PATCH":  {http.MethodPatch, "git/refs/heads/main", `{"sha":"` + f.topic + `"}`},
		"DELETE": {http.MethodDelete, "git/refs/heads/main", ""},
	} {
		status, body, _ := f.send(f.token, request[0], request[1], request[2])
		if m, _ := body.(map[string]any); status != 422 || !strings.Contains(fmt.Sprint(m["message"]), "rule violations") {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	address := strings.Replace(f.URL(), "://", "://x:"+f.token+"@", 1) + "/acme/x.git"
	if _, err := gitPush(t, f, address, f.topic+":refs/heads/main"); err == nil || !strings.Contains(err.Error(), "hidden ref") {
		t.Errorf("git push: %v", err)
	}
	if _, err := gitPush(t, f, address, f.topic+":refs/heads/elsewhere"); err != nil {
		t.Errorf("another branch: %v", err)
	}
	if f.git("rev-parse", "main") != f.main {
		t.Error("main moved")
	}
}

func show(t *testing.T, id, key string, life time.Duration) string {
	t.Helper()
	private, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer: id, IssuedAt: jwt.NewNumericDate(now.Add(-2 * time.Minute)), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}).SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func gitPush(t *testing.T, f *fixture, address, what string) (string, error) {
	t.Helper()
	return git.RunEnv(t.Context(), f.GitDir("acme/x"), []string{"GIT_TERMINAL_PROMPT=0"}, "push", "--quiet", address, what)
}

// An App that is registered from a manifest answers as GitHub describes it, and
// its code holds once.
func TestRegisteredAppFollowsTheDescription(t *testing.T) {
	t.Parallel()
	f, official := newFixture(t), readDescription(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	manifest := `{"name":"acme mover","url":"https://acme.example","redirect_url":"http://127.0.0.1:1/done",
		"default_permissions":{"contents":"write"}}`
	sent, err := client.PostForm(f.URL()+"/organizations/acme/settings/apps/new?state=s", url.Values{"manifest": {manifest}})
	if err != nil {
		t.Fatal(err)
	}
	defer sent.Body.Close()
	back, err := sent.Location()
	if err != nil || back.Query().Get("state") != "s" {
		t.Fatalf("%d, %v, %v", sent.StatusCode, back, err)
	}
	path := "/app-manifests/" + back.Query().Get("code") + "/conversions"
	status, body, _ := f.send("", http.MethodPost, "/api/v3"+path, "")
	for _, wrong := range official.wrong(http.MethodPost, path, status, "", body) {
		t.Errorf("%d: %s", status, wrong)
	}
	if status, _, _ := f.send("", http.MethodPost, "/api/v3"+path, ""); status != http.StatusNotFound {
		t.Errorf("the code again: %d", status)
	}
}
