package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
)

const testRole = "arn:aws:iam::123456789012:role/plan"

// fakeAWS is as much of STS and S3 as terraform's backend asks: a role that
// trusts the issuer, and an empty bucket.
type fakeAWS struct {
	t      *testing.T
	issuer string
	url    string

	mu       sync.Mutex
	sessions []string // subject, role and session name of each that was let in
	refused  []string
}

func newFakeAWS(t *testing.T, issuer string) *fakeAWS {
	t.Helper()
	f := &fakeAWS{t: t, issuer: issuer}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/xml")
	if r.Method == http.MethodPost && r.URL.Path == "/" {
		f.sts(w, r)
		return
	}
	if !strings.Contains(r.Header.Get("Authorization"), "Credential=ASIATEMPORARY/") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if r.URL.Query().Has("list-type") || r.URL.Path == "/states" || r.URL.Path == "/states/" {
		fmt.Fprint(w, `<ListBucketResult><Name>states</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>no</Message></Error>`)
	}
}

func (f *fakeAWS) sts(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "AssumeRoleWithWebIdentity" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	provider, err := gooidc.NewProvider(r.Context(), f.issuer)
	if err == nil {
		var token *gooidc.IDToken
		if token, err = provider.Verifier(&gooidc.Config{ClientID: "sts.amazonaws.com"}).Verify(
			r.Context(), r.PostForm.Get("WebIdentityToken"),
		); err == nil {
			f.sessions = append(f.sessions, token.Subject+" "+r.PostForm.Get("RoleArn")+" "+r.PostForm.Get("RoleSessionName"))
		}
	}
	if err != nil {
		f.refused = append(f.refused, err.Error())
		w.WriteHeader(http.StatusForbidden)
		return
	}
	fmt.Fprint(
		w,
		`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIATEMPORARY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
	)
}

func (f *fakeAWS) backend() string {
	return fmt.Sprintf(
		"terraform {\n  backend \"s3\" {\n    bucket                      = \"states\"\n    key                         = "+
			"\"prod\"\n    use_path_style              = true\n    skip_credentials_validation = true\n    "+
			"skip_requesting_account_id  = true\n    skip_metadata_api_check     = true\n    endpoints                   = { s3 = "+
			"%q, sts = %q }\n  }\n}\n\nresource \"terraform_data\" \"x\" {\n  input = \"x\"\n}\n",
		f.url, f.url,
	)
}

// grant lets the world's job ask for tokens.
func (w *policyWorld) grant(issuer *oidc.Issuer) {
	url, token := issuer.Grant(oidc.Claims{Repository: "acme/infra", Ref: "refs/pull/1/merge", EventName: "pull_request"})
	w.env["ACTIONS_ID_TOKEN_REQUEST_URL"], w.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"], w.env["GITHUB_RUN_ID"] = url, token, "77"
}

func startIssuer(t *testing.T) *oidc.Issuer {
	t.Helper()
	issuer, err := oidc.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuer.Stop)
	return issuer
}

// The real terraform reads its state with the role that plan was given, by a
// token of this job, and with no key of the environment.
func TestPlanTakesARole(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t)
	aws := newFakeAWS(t, issuer.URL())
	w := newPolicyWorld(t, "terraform")
	w.commit(map[string]string{"infra/prod/main.tf": aws.backend(), ".gitignore": "*.tfstate*\n"})
	w.env["AWS_ACCESS_KEY_ID"], w.env["AWS_SECRET_ACCESS_KEY"] = "AKIASTATIC", "static"
	args := []string{"plan", "--dir", "infra/prod", "--lock=false", "--aws-role", testRole, "--aws-region", "eu-central-1"}
	check := &infraWorld{t: t}
	code, _, words := w.run(args...)
	check.wants(
		"without an identity", code, 1, words,
		"log in to the cloud: this job has no OIDC identity: add `id-token: write` to the `permissions` of the job",
	)
	w.grant(issuer)
	code, out, words := w.run(args...)
	check.wants("plan", code, 0, words)
	check.wants("plan", code, 0, out, `1 to add`)
	if len(aws.sessions) == 0 || aws.sessions[0] != "repo:acme/infra:pull_request "+testRole+" waybill-77" || len(aws.refused) > 0 {
		t.Errorf("AWS let in %q, and refused %q", aws.sessions, aws.refused)
	}
	if strings.Contains(words+out, "eyJ") {
		t.Error("a token is in the log")
	}
	code, _, words = w.run("plan", "--dir", "infra/prod", "--aws-role", "plan", "--aws-region", "eu-central-1")
	check.wants("not a role", code, 2, words, `"plan" is not a role: want arn:aws:iam::`)
}

// The login step sets variables for the steps after it and leaves its files to
// them.
func TestLogin(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t)
	w := newPolicyWorld(t, "terraform")
	temp := t.TempDir()
	w.env["GITHUB_ACTIONS"], w.env["RUNNER_TEMP"] = "true", temp
	w.env["GITHUB_ENV"], w.env["GITHUB_OUTPUT"] = filepath.Join(temp, "env"), filepath.Join(temp, "output")
	check := &infraWorld{t: t}
	run := func(args ...string) (int, string) {
		code, _, words := w.raw(append([]string{"login"}, args...)...)
		return code, words
	}
	role := []string{"--aws-role", testRole, "--aws-region", "eu-central-1"}
	code, words := run()
	check.wants("no cloud", code, 2, words, "which cloud")
	code, words = run(role...)
	check.wants("without an identity", code, 1, words, "add `id-token: write`")
	if entries, err := filepath.Glob(filepath.Join(temp, "waybill-login-*")); err != nil || len(entries) > 0 {
		t.Errorf("it leaves %v", entries)
	}
	w.grant(issuer)
	w.env["AWS_PROFILE"] = "x"
	code, words = run(role...)
	check.wants("with a profile", code, 2, words, "AWS_PROFILE is set, and would win")
	delete(w.env, "AWS_PROFILE")
	w.env["AWS_ACCESS_KEY_ID"] = "AKIASTATIC"
	code, words = run(role...)
	check.wants("login", code, 0, words, `::add-mask::eyJ`, `logged in until 2\d{3}-`)
	text := read(t, w.env["GITHUB_ENV"])
	for _, want := range []string{
		"AWS_ROLE_ARN<<waybill_", "\n" + testRole + "\n", "AWS_ROLE_SESSION_NAME<<waybill_", "\nwaybill-77\n",
		"AWS_ACCESS_KEY_ID<<waybill_",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("GITHUB_ENV has no %q: %s", want, text)
		}
	}
	if strings.Contains(text, "eyJ") || strings.Contains(text, "AWS_SESSION_TOKEN") {
		t.Errorf("GITHUB_ENV holds what it should not: %s", text)
	}
	files, err := filepath.Glob(filepath.Join(temp, "waybill-login-*", "aws-token"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no token: %v", err)
	}
	if info, err := os.Stat(files[len(files)-1]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v %v", info, err)
	}
	if !strings.Contains(read(t, w.env["GITHUB_OUTPUT"]), "expires<<") {
		t.Error("there is no output")
	}
}

// terraform.environments names the role that plans the roots of an environment, and
// values of their variables. One job takes one role.
func TestPlanTakesTheRoleOfTheEnvironment(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t)
	aws := newFakeAWS(t, issuer.URL())
	w := newPolicyWorld(t, "terraform")
	root := func(key string) string {
		return strings.Replace(aws.backend(), `"prod"`, `"`+key+`"`, 1) +
			"\nvariable \"size\" {\n  type = number\n}\n\noutput \"size\" {\n  value = var.size\n}\n"
	}
	w.commit(map[string]string{
		"waybill.yaml": `apiVersion: waybill.dev/v1
terraform:
  environments:
    - {dir: infra/dev, name: dev, planRole: "arn:aws:iam::111111111111:role/plan-dev", variables: {size: "1", other: "2"}}
    - {dir: infra/prod, name: prod, planRole: "arn:aws:iam::222222222222:role/plan-prod", variables: {size: "9"}}
`,
		"infra/dev/main.tf": root("dev"), "infra/prod/main.tf": root("prod"), ".gitignore": "*.tfstate*\n",
	})
	w.grant(issuer)
	check := &infraWorld{t: t}
	common := []string{"plan", "--lock=false", "--aws-role", testRole, "--aws-region", "eu-central-1", "--store", t.TempDir()}
	code, _, words := w.run(common...)
	check.wants("two roles in one job", code, 3, words, "the roots have different plan roles in terraform.environments")
	for i, want := range []struct{ role, size string }{
		{"arn:aws:iam::111111111111:role/plan-dev", "1"}, {"arn:aws:iam::222222222222:role/plan-prod", "9"},
	} {
		aws.sessions = nil
		code, out, words := w.run(append(common, "--group", fmt.Sprintf("%d/2", i+1))...)
		check.wants("plan", code, 0, words)
		check.wants("plan", code, 0, out, `size is added\s+= `+want.size)
		for _, session := range aws.sessions {
			if session != "repo:acme/infra:pull_request "+want.role+" waybill-77" {
				t.Errorf("group %d took %s", i+1, session)
			}
		}
		if len(aws.sessions) == 0 {
			t.Errorf("group %d took no role", i+1)
		}
	}
	code, _, words = w.run(append(common, "--group", "3/3")...)
	check.wants("a group that is not there", code, 3, words, "there is no group 3/3: the roots make 2 groups now")
	code, out, words := w.run(append(common, "--join")...)
	check.wants("join", code, 0, words)
	check.wants("join", code, 0, out, "2 roots")
	w.driftTakesItsRole(check, aws)
}

// driftTakesItsRole looks for drift in each environment, with its plan role and variables.
func (w *policyWorld) driftTakesItsRole(check *infraWorld, aws *fakeAWS) {
	w.t.Helper()
	common := []string{"drift", "--issues=false", "--lock=false", "--aws-role", testRole, "--aws-region", "eu-central-1"}
	code, _, words := w.run(append(common, "--list")...)
	check.wants("drift --list", code, 0, words, `{"include":\[{"environment":"dev","roots":1},{"environment":"prod","roots":1}\]}`)
	for environment, role := range map[string]string{
		"dev": "arn:aws:iam::111111111111:role/plan-dev", "prod": "arn:aws:iam::222222222222:role/plan-prod",
	} {
		aws.sessions = nil
		code, out, words := w.run(append(common, "--environment", environment)...)
		check.wants("drift", code, 0, words)
		check.wants("drift", code, 0, out, "1 root", "infra/"+environment)
		if len(aws.sessions) == 0 {
			w.t.Errorf("drift of %s took no role", environment)
		}
		for _, session := range aws.sessions {
			if !strings.Contains(session, role) {
				w.t.Errorf("drift of %s took %s", environment, session)
			}
		}
	}
	code, _, words = w.run(append(common, "--environment", "staging")...)
	check.wants("no such environment", code, 2, words, "no root is of the environment staging, by terraform.environments")
}

// A role of terraform.environments is told by its form.
func TestRoleForms(t *testing.T) {
	t.Parallel()
	given := options.Cloud{AWSRole: "aws", GCPServiceAccount: "gcp", AzureClientID: "azure"}
	for role, want := range map[string]options.Cloud{
		"":                               given,
		"arn:aws:iam::1:role/plan":       {AWSRole: "arn:aws:iam::1:role/plan", GCPServiceAccount: "gcp", AzureClientID: "azure"},
		"p@acme.iam.gserviceaccount.com": {AWSRole: "aws", GCPServiceAccount: "p@acme.iam.gserviceaccount.com", AzureClientID: "azure"},
		"3f2504e0-4f89-11d3-9a0c-0305e82c3301": {
			AWSRole: "aws", GCPServiceAccount: "gcp", AzureClientID: "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
		},
		"p@acme.example": {AWSRole: "p@acme.example", GCPServiceAccount: "gcp", AzureClientID: "azure"},
	} {
		if got := connect.WithRole(given, role); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", role, got)
		}
	}
}
