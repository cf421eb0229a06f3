package oidc_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
)

func start(t *testing.T) *oidc.Issuer {
	t.Helper()
	issuer, err := oidc.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuer.Stop)
	return issuer
}

// A job asks as GitHub's own runner would, and what it gets verifies with the
// library that Fulcio verifies with.
func TestTokenOfAJob(t *testing.T) {
	t.Parallel()
	issuer := start(t)
	url, token := issuer.Grant(oidc.Claims{
		Repository: "acme/demo-api", SHA: "1111", Ref: "refs/heads/main", RunID: "7", RunAttempt: "2",
		WorkflowRef:    "acme/demo-api/.github/workflows/ci.yml@refs/heads/main",
		JobWorkflowRef: "acme/config/.github/workflows/deliver.yml@refs/heads/main", JobWorkflowSHA: "2222",
	})
	env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token}
	raw, err := runner.New(func(name string) string { return env[name] }, io.Discard).IDToken(t.Context(), "sigstore")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := gooidc.NewProvider(t.Context(), issuer.URL())
	if err != nil {
		t.Fatal(err)
	}
	verified, err := provider.Verifier(&gooidc.Config{ClientID: "sigstore"}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := verified.Claims(&got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"sub": "repo:acme/demo-api:ref:refs/heads/main", "repository": "acme/demo-api", "repository_owner": "acme",
		"sha": "1111", "ref": "refs/heads/main", "run_id": "7", "run_attempt": "2", "event_name": "push", "workflow_sha": "1111",
		"job_workflow_ref": "acme/config/.github/workflows/deliver.yml@refs/heads/main", "job_workflow_sha": "2222",
		"workflow_ref": "acme/demo-api/.github/workflows/ci.yml@refs/heads/main", "runner_environment": "github-hosted",
	}
	for name, value := range want {
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("claim %s: %s", name, diff)
		}
	}
	if _, err := provider.Verifier(&gooidc.Config{ClientID: "somebody-else"}).Verify(t.Context(), raw); err == nil {
		t.Error("a token for sigstore verifies for somebody else")
	}
}

func TestRequestTokenIsOfOneJob(t *testing.T) {
	t.Parallel()
	issuer := start(t)
	url, token := issuer.Grant(oidc.Claims{Repository: "acme/a", Ref: "refs/heads/main"})
	ask := func(authorization string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"&audience=x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	if code, body := ask("Bearer " + token); code != http.StatusOK || !strings.Contains(body, `"value":`) {
		t.Errorf("granted: %d %s", code, body)
	}
	for _, authorization := range []string{"", token, "Bearer ", "Bearer other"} {
		if code, _ := ask(authorization); code != http.StatusUnauthorized {
			t.Errorf("%q: got %d, want 401", authorization, code)
		}
	}
	issuer.Revoke(token)
	if code, _ := ask("Bearer " + token); code != http.StatusUnauthorized {
		t.Errorf("revoked: got %d, want 401", code)
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	base := oidc.Claims{Repository: "acme/a", RepositoryID: "9", RepositoryOwnerID: "8", Ref: "refs/tags/v1"}
	environment, immutable, pull := base, base, base
	environment.Environment = "prod:eu"
	immutable.ImmutableSubject = true
	pull.EventName = "pull_request"
	for want, claims := range map[string]oidc.Claims{
		"repo:acme/a:ref:refs/tags/v1":      base,
		"repo:acme/a:environment:prod%3Aeu": environment,
		"repo:acme@8/a@9:ref:refs/tags/v1":  immutable,
		"repo:acme/a:pull_request":          pull,
	} {
		if got := claims.Subject(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
