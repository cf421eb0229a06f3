package clouds

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/services/preview/containerregistry/runtime/2019-08-15-preview/containerregistry"
	"github.com/Azure/go-autorest/autorest"
	"github.com/Azure/go-autorest/autorest/adal"
	"github.com/Azure/go-autorest/autorest/azure"
	"github.com/chrismellard/docker-credential-acr-env/pkg/token"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/waybill-dev/waybill/internal/door/cloud"
)

// The refresh token of a registry is a password for this user. It is good for
// three hours.
// https://learn.microsoft.com/azure/container-registry/container-registry-authentication#az-acr-login-with---expose-token
const (
	azureUser = "00000000-0000-0000-0000-000000000000"
	azureLife = 3 * time.Hour
)

// azure exchanges a token of Entra ID for one of the registry.
func (k *Keychain) azure(ctx context.Context, host string) (login, error) {
	principal, tenant, err := k.principal(ctx, host)
	if err != nil || principal == nil {
		return login{}, err
	}
	principal.MaxMSIRefreshAttempts = 1
	if err := principal.EnsureFreshWithContext(ctx); err != nil {
		return login{}, err
	}
	exchange := containerregistry.NewRefreshTokensClient("https://" + host)
	exchange.Sender, exchange.RetryAttempts = k.client, 1
	exchange.Authorizer = autorest.NewBearerAuthorizer(principal)
	answer, err := exchange.GetFromExchange(ctx, "access_token", host, tenant, "", principal.Token().AccessToken)
	if err != nil {
		return login{}, err
	}
	if answer.RefreshToken == nil {
		return login{}, errors.New("the registry's answer holds no token")
	}
	return login{authn.AuthConfig{Username: azureUser, Password: *answer.RefreshToken}, time.Now().Add(azureLife)}, nil
}

// principal is who asks: the identity, otherwise whom the environment names. nil
// if it names nobody: a machine outside Azure would wait for an answer of its
// metadata service.
func (k *Keychain) principal(ctx context.Context, host string) (*adal.ServicePrincipalToken, string, error) {
	a := k.identity.Azure
	if a == nil {
		if k.o.Getenv == nil || k.o.Getenv("AZURE_CLIENT_ID") == "" {
			return nil, "", nil
		}
		principal, _, err := token.GetServicePrincipalTokenFromEnvironment()
		return principal, k.o.Getenv("AZURE_TENANT_ID"), err
	}
	at := map[string]azure.Environment{
		"io": azure.PublicCloud, "cn": azure.ChinaCloud, "us": azure.USGovernmentCloud,
	}[host[strings.LastIndex(host, ".")+1:]]
	directory, err := adal.NewOAuthConfig(at.ActiveDirectoryEndpoint, a.Tenant)
	if err != nil {
		return nil, "", err
	}
	principal, err := adal.NewServicePrincipalTokenFromFederatedTokenCallback(*directory, a.Client,
		func() (string, error) { return k.token(ctx, cloud.AzureAudience) }, at.ResourceManagerEndpoint)
	if err != nil {
		return nil, "", err
	}
	principal.SetSender(k.client)
	return principal, a.Tenant, nil
}
