package clouds

import (
	"context"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	gcr "github.com/google/go-containerregistry/pkg/v1/google"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google/externalaccount"

	"github.com/waybill-dev/waybill/internal/door/cloud"
)

// google gives an access token as a password.
// https://cloud.google.com/artifact-registry/docs/docker/authentication#token
func (k *Keychain) google(ctx context.Context, host string) (login, error) {
	g := k.identity.Google
	if g == nil {
		return k.googleEnvironment(ctx, host)
	}
	source, err := externalaccount.NewTokenSource(context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, k.client),
		externalaccount.Config{
			Audience: g.Resource(), SubjectTokenType: cloud.GoogleTokenType, TokenURL: cloud.GoogleTokenURL,
			ServiceAccountImpersonationURL: g.Impersonation(), SubjectTokenSupplier: k,
			Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"},
		})
	if err != nil {
		return login{}, err
	}
	token, err := source.Token()
	if err != nil {
		return login{}, err
	}
	return login{authn.AuthConfig{Username: "oauth2accesstoken", Password: token.AccessToken}, token.Expiry}, nil
}

// SubjectToken gives the job's token to Google's library.
func (k *Keychain) SubjectToken(ctx context.Context, _ externalaccount.SupplierOptions) (string, error) {
	return k.token(ctx, k.identity.Google.TokenAudience())
}

// googleEnvironment takes the application default credentials, otherwise those
// of gcloud.
func (k *Keychain) googleEnvironment(ctx context.Context, host string) (login, error) {
	auth, err := authn.Resolve(ctx, gcr.Keychain, resource(host))
	if err != nil {
		return login{}, err
	}
	config, err := authn.Authorization(ctx, auth)
	if err != nil || config == nil {
		return login{}, err
	}
	return login{*config, time.Now().Add(2 * margin)}, nil // the library keeps the token
}

// resource is a registry as keychains are asked for it.
type resource string

func (r resource) String() string      { return string(r) }
func (r resource) RegistryStr() string { return string(r) }
