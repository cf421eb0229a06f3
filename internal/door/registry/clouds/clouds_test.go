package clouds_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/door/registry/clouds"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const (
	role     = "arn:aws:iam::123456789012:role/push"
	provider = "projects/123/locations/global/workloadIdentityPools/github/providers/acme"
	account  = "ci@acme.iam.gserviceaccount.com"
	client   = "00000000-1111-2222-3333-444444444444"
	tenant   = "55555555-1111-2222-3333-444444444444"

	private = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
	public  = "public.ecr.aws"
	google  = "europe-docker.pkg.dev"
	azure   = "acme.azurecr.io"
)

// world stands for the clouds: it answers for their hosts, in-process, and keeps
// which were asked. It follows these documents:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
// https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
type world struct {
	t       *testing.T
	mu      sync.Mutex
	asked   []string // HOST ACTION
	refuses string   // a host that answers 403
	exists  bool     // whether the repository is there already
	life    time.Duration
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	action := r.URL.Path
	if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		action = target
	}
	w.mu.Lock()
	w.asked = append(w.asked, r.URL.Host+" "+action)
	w.mu.Unlock()
	w.answer(recorder, r, action)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

func (w *world) answer(out *httptest.ResponseRecorder, r *http.Request, action string) {
	form := r.Form
	if r.URL.Host == w.refuses {
		out.WriteHeader(http.StatusForbidden)
		fmt.Fprint(out, `{"error":"access_denied","error_description":"the trust policy says no"}`)
		return
	}
	until := float64(time.Now().Add(w.life).Unix())
	secret := base64.StdEncoding.EncodeToString([]byte("AWS:password-of-ecr"))
	switch r.URL.Host + " " + action {
	case "sts.eu-west-1.amazonaws.com /", "sts.us-east-1.amazonaws.com /":
		w.is(form, "WebIdentityToken", "token for sts.amazonaws.com")
		w.is(form, "RoleArn", role)
		w.is(form, "RoleSessionName", "waybill-7")
		out.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(out, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>`+
			`<AccessKeyId>ASIA</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>session</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case "api.ecr.eu-west-1.amazonaws.com GetAuthorizationToken":
		w.signed(r, "/eu-west-1/ecr/")
		w.json(out, map[string]any{"authorizationData": []any{map[string]any{"authorizationToken": secret, "expiresAt": until}}})
	case "api.ecr-public.us-east-1.amazonaws.com GetAuthorizationToken":
		w.signed(r, "/us-east-1/ecr-public/")
		w.json(out, map[string]any{"authorizationData": map[string]any{"authorizationToken": secret, "expiresAt": until}})
	case "api.ecr.eu-west-1.amazonaws.com CreateRepository", "api.ecr-public.us-east-1.amazonaws.com CreateRepository":
		var body struct{ RepositoryName string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.RepositoryName != "shop/api" {
			w.t.Errorf("makes %q, %v", body.RepositoryName, err)
		}
		if w.exists {
			out.WriteHeader(http.StatusBadRequest)
			w.json(out, map[string]any{"__type": "RepositoryAlreadyExistsException", "message": "it is there"})
			return
		}
		w.json(out, map[string]any{"repository": map[string]any{}})
	case "sts.googleapis.com /v1/token":
		w.is(form, "subject_token", "token for https://iam.googleapis.com/"+provider)
		w.is(form, "audience", "//iam.googleapis.com/"+provider)
		w.json(out, map[string]any{"access_token": "federated", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
			"token_type": "Bearer", "expires_in": 3600})
	case "iamcredentials.googleapis.com /v1/projects/-/serviceAccounts/" + account + ":generateAccessToken":
		w.header(r, "Bearer federated")
		w.json(out, map[string]any{"accessToken": "token-of-google", "expireTime": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	case "login.microsoftonline.com /" + tenant + "/oauth2/token":
		w.is(form, "client_assertion", "token for api://AzureADTokenExchange")
		w.is(form, "client_id", client)
		w.json(out, map[string]any{"access_token": "entra", "expires_in": "3600",
			"expires_on": fmt.Sprint(time.Now().Add(time.Hour).Unix()),
			"not_before": "0", "resource": "https://management.azure.com/", "token_type": "Bearer"})
	case azure + " /oauth2/exchange":
		w.is(form, "access_token", "entra")
		w.is(form, "service", azure)
		w.is(form, "tenant", tenant)
		w.json(out, map[string]any{"refresh_token": "token-of-azure"})
	default:
		w.t.Errorf("asks %s %s", r.URL, action)
		out.WriteHeader(http.StatusTeapot)
	}
}

func (w *world) json(out http.ResponseWriter, value any) { _ = json.NewEncoder(out).Encode(value) }

func (w *world) is(form url.Values, name, want string) {
	if got := form.Get(name); got != want {
		w.t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func (w *world) header(r *http.Request, want string) {
	if got := r.Header.Get("Authorization"); got != want {
		w.t.Errorf("%s gets the authorization %q, want %q", r.URL, got, want)
	}
}

func (w *world) signed(r *http.Request, scope string) {
	if got := r.Header.Get("Authorization"); !strings.Contains(got, "Credential=ASIA/") || !strings.Contains(got, scope) ||
		r.Header.Get("X-Amz-Security-Token") != "session" {
		w.t.Errorf("%s is signed by %q", r.URL, got)
	}
}

// job gives OIDC tokens that name their audience.
type job struct{ err error }

func (j job) IDToken(_ context.Context, audience string) (string, error) {
	return "token for " + audience, j.err
}

type host string

func (h host) String() string      { return string(h) }
func (h host) RegistryStr() string { return string(h) }

func open(w *world, registry, identity string) *clouds.Keychain {
	return clouds.New(clouds.Options{Registry: registry, Identity: identity, Tokens: job{}, Session: "waybill-7", Transport: w,
		Getenv: func(string) string { return "" }})
}

func login(t *testing.T, k *clouds.Keychain, registry string) (string, error) {
	t.Helper()
	auth, err := k.ResolveContext(t.Context(), host(registry))
	if err != nil {
		return "", err
	}
	config, err := authn.Authorization(t.Context(), auth)
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(config.Username+" "+config.Password, " "), nil
}

// The job's identity is exchanged with the registry's cloud, once, and with no
// other.
func TestIdentities(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		registry, identity, login string
		asked                     []string
	}{
		{private, role, "AWS password-of-ecr", []string{
			"sts.eu-west-1.amazonaws.com /", "api.ecr.eu-west-1.amazonaws.com GetAuthorizationToken",
		}},
		{public, role, "AWS password-of-ecr", []string{
			"sts.us-east-1.amazonaws.com /", "api.ecr-public.us-east-1.amazonaws.com GetAuthorizationToken",
		}},
		{google, provider + "," + account, "oauth2accesstoken token-of-google", []string{
			"sts.googleapis.com /v1/token", "iamcredentials.googleapis.com /v1/projects/-/serviceAccounts/" + account + ":generateAccessToken",
		}},
		{"eu.gcr.io", provider, "oauth2accesstoken federated", []string{"sts.googleapis.com /v1/token"}},
		{azure, client + "," + tenant, "00000000-0000-0000-0000-000000000000 token-of-azure", []string{
			"login.microsoftonline.com /" + tenant + "/oauth2/token", azure + " /oauth2/exchange",
		}},
		{"ghcr.io", role, "", nil},
		{"ghcr.io", provider, "", nil},
		{"registry.acme.example", client + "," + tenant, "", nil},
	} {
		w := &world{t: t, life: time.Hour}
		k := open(w, test.registry, test.identity)
		for range 2 {
			if got, err := login(t, k, test.registry); err != nil || got != test.login {
				t.Errorf("%s: %q, %v, want %q", test.registry, got, err, test.login)
			}
		}
		if !slices.Equal(w.asked, test.asked) {
			t.Errorf("%s: asks %q, want %q", test.registry, w.asked, test.asked)
		}
	}
}

// A login that is about to expire is asked for anew.
func TestLoginsExpire(t *testing.T) {
	t.Parallel()
	w := &world{t: t, life: time.Minute}
	k := open(w, private, role)
	if _, err := login(t, k, private); err != nil {
		t.Fatal(err)
	}
	before := len(w.asked)
	if _, err := login(t, k, private); err != nil || len(w.asked) == before {
		t.Errorf("%v, and asks %q", err, w.asked)
	}
}

// Hosts that look like those of a cloud are asked for nothing and get nothing.
func TestOf(t *testing.T) {
	t.Parallel()
	for registry, want := range map[string]clouds.Cloud{
		private: clouds.AWS, public: clouds.AWS, "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com": clouds.AWS,
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn": clouds.AWS, "123456789012.dkr-ecr.eu-west-1.on.aws": clouds.AWS,
		google: clouds.Google, "gcr.io": clouds.Google, "us.gcr.io": clouds.Google,
		azure: clouds.Azure, "acme.azurecr.cn": clouds.Azure, "acme-a1b2.azurecr.us": clouds.Azure,

		"ghcr.io": "", "index.docker.io": "", "quay.io": "", "127.0.0.1:5000": "", "": "", "mcr.microsoft.com": "",
		private + ".evil.example": "", "evil." + private: "", private + ":8443": "", "1" + private: "", "public.ecr.aws.evil.example": "",
		"evil-public.ecr.aws": "", "europe-docker.pkg.dev.evil.example": "", "evil.pkg.dev": "", "xgcr.io": "", "a.b.gcr.io": "",
		google + ":8443": "", "acme.azurecr.io.evil.example": "", "acme.azurecr.io:8443": "", "azurecr.io": "", "a.b.azurecr.io": "",
		"acme.azurecr.me": "", "metadata.google.com": "",
	} {
		if got := clouds.Of(registry); got != want {
			t.Errorf("%s is of %q, want %q", registry, got, want)
		}
	}
}

// Trouble with an identity is said with its cause, and no anonymous try follows.
func TestIdentitiesThatAreRefused(t *testing.T) {
	t.Parallel()
	for registry, test := range map[string]struct{ identity, refuses string }{
		private: {role, "sts.eu-west-1.amazonaws.com"}, google: {provider, "sts.googleapis.com"},
		azure: {client + "," + tenant, "login.microsoftonline.com"},
	} {
		w := &world{t: t, refuses: test.refuses}
		_, err := login(t, open(w, registry, test.identity), registry)
		if err == nil || outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "take the identity "+test.identity+" in ") {
			t.Errorf("%s: %v", registry, err)
		}
		none := errors.New("no identity here")
		k := clouds.New(clouds.Options{Registry: registry, Identity: test.identity, Tokens: job{none}, Session: "waybill-7", Transport: w})
		if _, err := login(t, k, registry); err == nil || !strings.Contains(err.Error(), none.Error()) {
			t.Errorf("%s, a job without an identity: %v", registry, err)
		}
	}
}

func TestIdentitiesThatAreNone(t *testing.T) {
	t.Parallel()
	for identity, want := range map[string]string{
		"push":                  "is no identity",
		"arn:aws:iam::1:role/x": "is not a role", "projects/x": "is not a workload identity provider",
		provider + ",me": "is not a service account", client: "is no identity",
		"a,b": "is not a client id", client + ",b": "is not a tenant id",
	} {
		w := &world{t: t}
		_, err := login(t, open(w, private, identity), private)
		if outcome.Code(err) != outcome.Usage || !strings.Contains(fmt.Sprint(err), want) || len(w.asked) > 0 {
			t.Errorf("%s: %v, asks %q", identity, err, w.asked)
		}
	}
}

// The identity pushes to the image's registry; everybody reads public images.
func TestPublicBasesNeedNoLogin(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	if got, err := login(t, open(w, private, role), public); err != nil || got != "" || len(w.asked) > 0 {
		t.Errorf("%q, %v, asks %q", got, err, w.asked)
	}
	if got, err := login(t, open(w, "ghcr.io", ""), azure); err != nil || got != "" || len(w.asked) > 0 {
		t.Errorf("nobody named in the environment: %q, %v, asks %q", got, err, w.asked)
	}
}

func TestCreateRepository(t *testing.T) {
	t.Parallel()
	for repository, api := range map[string]string{
		private + "/shop/api": "api.ecr.eu-west-1.amazonaws.com", public + "/a1b2/shop/api": "api.ecr-public.us-east-1.amazonaws.com",
	} {
		parsed, err := name.NewRepository(repository)
		if err != nil {
			t.Fatal(err)
		}
		for _, exists := range []bool{false, true} {
			w := &world{t: t, exists: exists}
			if err := open(w, parsed.RegistryStr(), role).CreateRepository(t.Context(), parsed); err != nil {
				t.Errorf("%s, exists %t: %v", repository, exists, err)
			}
			if !slices.Contains(w.asked, api+" CreateRepository") {
				t.Errorf("%s: asks %q", repository, w.asked)
			}
		}
		w := &world{t: t, refuses: api}
		err = open(w, parsed.RegistryStr(), role).CreateRepository(t.Context(), parsed)
		if err == nil || !strings.Contains(err.Error(), "needs the permission ecr:CreateRepository") {
			t.Errorf("%s: %v", repository, err)
		}
	}
}
