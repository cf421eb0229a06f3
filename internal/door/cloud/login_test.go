package cloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
)

const (
	role     = "arn:aws:iam::123456789012:role/ci/read"
	provider = "projects/123/locations/global/workloadIdentityPools/github/providers/acme"
	guid     = "00000000-1111-2222-3333-444444444444"
)

func issuer(t *testing.T) (*oidc.Issuer, *runner.Runner) {
	t.Helper()
	i, err := oidc.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
	url, token := i.Grant(oidc.Claims{Repository: "acme/infra", Ref: "refs/heads/main", Environment: "infra"})
	env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token}
	return i, runner.New(func(name string) string { return env[name] }, io.Discard)
}

// verified holds a token against the issuer's keys, as a cloud does.
func verified(t *testing.T, i *oidc.Issuer, token, audience string) {
	t.Helper()
	p, err := gooidc.NewProvider(t.Context(), i.URL())
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Verifier(&gooidc.Config{ClientID: audience}).Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("the token does not verify for %s: %v", audience, err)
	}
	if got.Subject != "repo:acme/infra:environment:infra" {
		t.Errorf("the token is of %s", got.Subject)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func variables(s *cloud.Session) map[string]string {
	m := make(map[string]string)
	for _, v := range s.Variables() {
		m[v.Name] = v.Value
	}
	return m
}

// Each cloud gets a token that it would take, in a file of the owner's alone.
func TestOpen(t *testing.T) {
	t.Parallel()
	i, job := issuer(t)
	dir := t.TempDir()
	s, err := cloud.Open(t.Context(), job, cloud.Request{
		AWS:    &cloud.AWS{Role: role, Region: "eu-central-1", Session: "waybill-7"},
		Google: &cloud.Google{Provider: provider, ServiceAccount: "ci@acme.iam.gserviceaccount.com", Project: "acme"},
		Azure:  &cloud.Azure{Client: guid, Tenant: guid, Subscription: guid},
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	aws, google, azure := filepath.Join(dir, "aws-token"), filepath.Join(dir, "google-token"), filepath.Join(dir, "azure-token")
	credentials := filepath.Join(dir, "google-credentials.json")
	want := map[string]string{
		"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": aws, "AWS_ROLE_SESSION_NAME": "waybill-7",
		"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
		"GOOGLE_APPLICATION_CREDENTIALS": credentials, "GOOGLE_PROJECT": "acme", "GOOGLE_CLOUD_PROJECT": "acme",
		"ARM_USE_OIDC": "true", "ARM_CLIENT_ID": guid, "ARM_TENANT_ID": guid, "ARM_SUBSCRIPTION_ID": guid,
		"ARM_OIDC_TOKEN_FILE_PATH":   azure,
		"AZURE_FEDERATED_TOKEN_FILE": azure, "AZURE_CLIENT_ID": guid, "AZURE_TENANT_ID": guid,
	}
	if diff := cmp.Diff(want, variables(s)); diff != "" {
		t.Error(diff)
	}
	verified(t, i, read(t, aws), "sts.amazonaws.com")
	verified(t, i, read(t, google), "https://iam.googleapis.com/"+provider)
	verified(t, i, read(t, azure), "api://AzureADTokenExchange")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%v %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	var form map[string]any
	if err := json.Unmarshal([]byte(read(t, credentials)), &form); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"type": "external_account", "audience": "//iam.googleapis.com/" + provider,
		"subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
		"token_url":          "https://sts.googleapis.com/v1/token", "universe_domain": "googleapis.com",
		"credential_source":                 map[string]any{"file": google, "format": map[string]any{"type": "text"}},
		"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/ci@acme.iam.gserviceaccount.com:generateAccessToken",
	}, form); diff != "" {
		t.Error(diff)
	}
	if left := time.Until(s.Expires()); left < 4*time.Minute || left > 6*time.Minute {
		t.Errorf("the tokens expire in %v", left)
	}
}

// What would win over the role is taken out of the environment.
func TestInto(t *testing.T) {
	t.Parallel()
	_, job := issuer(t)
	s, err := cloud.Open(t.Context(), job, cloud.Request{AWS: &cloud.AWS{Role: role, Region: "eu-central-1", Session: "me"}}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	got := s.Into([]string{
		"PATH=/bin", "AWS_ACCESS_KEY_ID=AKIA", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=y", "AWS_PROFILE=p",
		"AWS_REGION=us-east-1", "TF_VAR_a=1",
	})
	if !slices.Contains(got, "PATH=/bin") || !slices.Contains(got, "TF_VAR_a=1") ||
		!slices.Contains(got, "AWS_REGION=eu-central-1") || len(got) != 7 {
		t.Errorf("%q", got)
	}
	for _, e := range got {
		if strings.HasPrefix(e, "AWS_ACCESS") || strings.HasPrefix(e, "AWS_PROFILE") || e == "AWS_REGION=us-east-1" {
			t.Errorf("%s stays", e)
		}
	}
}

// tokens numbers what it gives, and fails when told to.
type tokens struct {
	asked chan string // audience
	give  chan error
	n     int
}

func (f *tokens) IDToken(_ context.Context, audience string) (string, error) {
	f.asked <- audience
	if err := <-f.give; err != nil {
		return "", err
	}
	f.n++
	return fmt.Sprintf("token-%d", f.n), nil
}

// A program that runs for longer than a token finds a new one in the file; what
// fails is tried again soon, and the old one stays.
func TestKeep(t *testing.T) {
	t.Parallel()
	f := &tokens{asked: make(chan string), give: make(chan error, 1)}
	f.give <- nil
	dir := filepath.Join(t.TempDir(), "login")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	go func() { <-f.asked }()
	s, err := cloud.Open(t.Context(), f, cloud.Request{AWS: &cloud.AWS{Role: role, Region: "eu-central-1", Session: "me"}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	waits, tick := make(chan time.Duration), make(chan time.Time)
	s.After = func(d time.Duration) <-chan time.Time { waits <- d; return tick }
	stop := s.Keep(t.Context())
	file := filepath.Join(dir, "aws-token")
	if d := <-waits; d < 2*time.Minute || d > 3*time.Minute {
		t.Errorf("the first wait is %v", d)
	}
	for _, step := range []struct {
		err       error
		token     string
		low, high time.Duration
	}{
		{nil, "token-2", 2 * time.Minute, 3 * time.Minute}, {errors.New("GitHub is out"), "token-2", time.Second, time.Minute},
		{nil, "token-3", 2 * time.Minute, 3 * time.Minute},
	} {
		tick <- time.Time{}
		if audience := <-f.asked; audience != "sts.amazonaws.com" {
			t.Errorf("asked for %s", audience)
		}
		f.give <- step.err
		if d := <-waits; d < step.low || d > step.high {
			t.Errorf("after %s: the wait is %v", step.token, d)
		}
		if got := read(t, file); got != step.token {
			t.Errorf("the file has %s, want %s", got, step.token)
		}
		if got := s.Err(); !errors.Is(got, step.err) {
			t.Errorf("the error is %v", got)
		}
	}
	stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the token is still there: %v", err)
	}
}

// azurerm is given an address that answers as GitHub's does, to itself alone and
// for Azure alone.
func TestAzureAsks(t *testing.T) {
	t.Parallel()
	i, job := issuer(t)
	s, err := cloud.Open(t.Context(), job, cloud.Request{Azure: &cloud.Azure{Client: guid, Tenant: guid, Refreshing: true}}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v := variables(s)
	if v["ARM_OIDC_TOKEN_FILE_PATH"] != "" {
		t.Error("the file would win over the address")
	}
	ask := func(bearer, audience string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v["ARM_OIDC_REQUEST_URL"]+"&audience="+audience, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+bearer)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var body struct{ Value string }
		_ = json.NewDecoder(answer.Body).Decode(&body)
		return answer.StatusCode, body.Value
	}
	code, token := ask(v["ARM_OIDC_REQUEST_TOKEN"], "api://AzureADTokenExchange")
	if code != http.StatusOK {
		t.Fatalf("it answers %d", code)
	}
	verified(t, i, token, "api://AzureADTokenExchange")
	if code, token := ask("guess", "api://AzureADTokenExchange"); code != http.StatusUnauthorized || token != "" {
		t.Errorf("somebody else gets %d %s", code, token)
	}
	if code, token := ask(v["ARM_OIDC_REQUEST_TOKEN"], "sts.amazonaws.com"); code != http.StatusForbidden || token != "" {
		t.Errorf("for another cloud it gives %d %s", code, token)
	}
	stop := s.Keep(t.Context())
	stop()
	if answer, err := http.Get(v["ARM_OIDC_REQUEST_URL"]); err == nil { //nolint:noctx // it is closed
		answer.Body.Close()
		t.Error("it still answers")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	aws := cloud.AWS{Role: role, Region: "eu-central-1", Session: "me"}
	for want, r := range map[string]cloud.Request{
		`"arn:aws:iam::1:role/x" is not a role`: {AWS: &cloud.AWS{Role: "arn:aws:iam::1:role/x", Region: aws.Region, Session: aws.Session}},
		`the region is missing`:                 {AWS: &cloud.AWS{Role: role, Session: aws.Session}},
		"is not a region":                       {AWS: &cloud.AWS{Role: role, Region: "eu-central-1\nX=1", Session: aws.Session}},
		"is not a session name":                 {AWS: &cloud.AWS{Role: role, Region: aws.Region, Session: "a b"}},
		"is not a workload identity provider":   {Google: &cloud.Google{Provider: "github"}},
		"is not a service account":              {Google: &cloud.Google{Provider: provider, ServiceAccount: "me@x/../y"}},
		"is not a client id":                    {Azure: &cloud.Azure{Client: "me", Tenant: guid}},
		"the tenant id is missing":              {Azure: &cloud.Azure{Client: guid}},
	} {
		_, err := cloud.Open(t.Context(), nil, r, t.TempDir())
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := cloud.Open(t.Context(), nil, cloud.Request{}, t.TempDir()); !errors.Is(err, cloud.ErrNothing) {
		t.Errorf("nothing: %v", err)
	}
	if err := (cloud.Request{AWS: &cloud.AWS{
		Role: "arn:aws-cn:iam::123456789012:role/x", Region: "cn-north-1", Session: "me",
	}}).Validate(); err != nil {
		t.Error(err)
	}
}
