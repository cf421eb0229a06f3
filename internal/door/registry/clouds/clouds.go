// Package clouds finds logins for the registries of AWS, Google and Azure.
//
// A login comes from the identity that a job's OIDC token is exchanged for, or
// from the environment in the way of each cloud's own tools. A cloud is asked
// only for hosts that are its registries, so a build for another registry never
// reaches a metadata service, and a login never leaves its cloud. Tokens stay in
// memory.
package clouds

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Cloud is who runs a registry.
type Cloud string

// The clouds.
const (
	AWS    Cloud = "AWS"
	Google Cloud = "Google"
	Azure  Cloud = "Azure"
)

// Login servers, whole: a name that only begins or ends like one is a stranger's.
// https://cloud.google.com/artifact-registry/docs/docker/authentication
// https://learn.microsoft.com/azure/container-registry/container-registry-concepts
var (
	googleHost = regexp.MustCompile(`^(?:(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)$`)
	azureHost  = regexp.MustCompile(`^[a-z0-9-]+\.azurecr\.(io|cn|us)$`)
)

// Of says whose registry a host is; empty for a registry of none of them.
func Of(host string) Cloud {
	switch {
	case strings.Contains(host, ":"): // none of them answers on another port
	case googleHost.MatchString(host):
		return Google
	case azureHost.MatchString(host):
		return Azure
	default:
		if _, err := api.ExtractRegistry(host); err == nil {
			return AWS
		}
	}
	return ""
}

// Options of a Keychain.
type Options struct {
	// Registry is the host of the image's registry.
	Registry string
	// Identity is what the job's OIDC identity is exchanged for; see Parse. If
	// empty, the environment gives the login.
	Identity string
	// Tokens gives the job's OIDC token.
	Tokens cloud.Tokens
	// Session is the name in the cloud's audit log, where it takes one.
	Session string
	// Getenv reads the environment.
	Getenv func(string) string
	// Transport carries the requests to the clouds; http.DefaultTransport if nil.
	Transport http.RoundTripper
}

// Keychain is an authn.Keychain of the clouds. It is safe for concurrent use.
type Keychain struct {
	o        Options
	client   *http.Client
	identity cloud.Request
	of       Cloud // of the identity
	invalid  error // why the identity is none

	mu     sync.Mutex
	logins map[string]login
}

// login is good until a time.
type login struct {
	config authn.AuthConfig
	until  time.Time
}

const (
	patience = 30 * time.Second // for one request to a cloud
	margin   = 5 * time.Minute  // before a login expires
)

// New makes a keychain. An identity that is none is reported when it is needed.
func New(o Options) *Keychain {
	k := &Keychain{o: o, logins: make(map[string]login), client: &http.Client{Transport: o.Transport, Timeout: patience}}
	k.identity, k.of, k.invalid = Parse(o.Identity)
	if k.identity.AWS != nil {
		k.identity.AWS.Session = o.Session
	}
	return k
}

// Parse reads the form of an identity: the ARN of an AWS role; a Google workload
// identity provider, with a service account behind a comma where one is needed;
// or an Azure client id and tenant id with a comma between.
func Parse(text string) (r cloud.Request, of Cloud, err error) {
	first, second, _ := strings.Cut(strings.TrimSpace(text), ",")
	switch {
	case text == "":
		return r, "", nil
	case strings.HasPrefix(first, "arn:"):
		// The region is the registry's.
		r, of = cloud.Request{AWS: &cloud.AWS{Role: strings.TrimSpace(text), Region: publicRegion, Session: "waybill"}}, AWS
	case strings.HasPrefix(first, "projects/"):
		r, of = cloud.Request{Google: &cloud.Google{Provider: first, ServiceAccount: second}}, Google
	case second != "":
		r, of = cloud.Request{Azure: &cloud.Azure{Client: first, Tenant: second}}, Azure
	default:
		return r, "", outcome.Usagef("--registry-identity %q is no identity: give the ARN of an AWS role, "+
			"a Google workload identity provider (projects/…/providers/NAME[,ACCOUNT]), or CLIENT_ID,TENANT_ID of Azure", text)
	}
	if err := r.Validate(); err != nil {
		return r, "", outcome.Usagef("--registry-identity: %w", err)
	}
	return r, of, nil
}

// Resolve is ResolveContext with a context that never ends.
func (k *Keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

// ResolveContext finds the login for a registry: none if it belongs to no cloud.
func (k *Keychain) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	host := r.RegistryStr()
	of := Of(host)
	if of == "" {
		return authn.Anonymous, nil
	}
	if k.invalid != nil {
		return nil, k.invalid
	}
	if host == publicECR && host != k.o.Registry {
		return authn.Anonymous, nil // everybody may read it, and few roles may ask for a token
	}
	config, err := k.login(ctx, host, of)
	switch {
	case err == nil && config == (authn.AuthConfig{}):
		return authn.Anonymous, nil
	case err == nil:
		return authenticator{k, host, of}, nil
	case k.of == of:
		return nil, fmt.Errorf("take the identity %s in %s: %w", k.o.Identity, of, err)
	case of == AWS && host != publicECR: // nobody reads a private ECR without a login
		return nil, fmt.Errorf("log in to %s by the credentials of AWS in the environment: %w (give --registry-identity "+
			"with the role to take in a job, or log in with docker login)", host, err)
	}
	return authn.Anonymous, nil
}

// authenticator asks again when a login has expired, in a push that takes hours.
type authenticator struct {
	k    *Keychain
	host string
	of   Cloud
}

func (a authenticator) Authorization() (*authn.AuthConfig, error) {
	return a.AuthorizationContext(context.Background())
}

func (a authenticator) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	config, err := a.k.login(ctx, a.host, a.of)
	return &config, err
}

// login gives the login for a host, from memory while it is good.
func (k *Keychain) login(ctx context.Context, host string, of Cloud) (authn.AuthConfig, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l, known := k.logins[host]; known && time.Until(l.until) > margin {
		return l.config, nil
	}
	ask := map[Cloud]func(context.Context, string) (login, error){AWS: k.aws, Google: k.google, Azure: k.azure}[of]
	l, err := ask(ctx, host)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	k.logins[host] = l
	return l.config, nil
}

// token is the job's OIDC token for a cloud.
func (k *Keychain) token(ctx context.Context, audience string) (string, error) {
	return k.o.Tokens.IDToken(ctx, audience)
}
