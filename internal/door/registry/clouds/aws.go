package clouds

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecrpublic"
	publictypes "github.com/aws/aws-sdk-go-v2/service/ecrpublic/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/door/cloud"
)

// The public registry has one host and one region for everybody.
// https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html
const (
	publicECR    = "public.ecr.aws"
	publicRegion = "us-east-1"
)

// configure is how AWS is asked about a registry: by the role of the identity,
// otherwise by what the environment gives.
func (k *Keychain) configure(ctx context.Context, host string) (aws.Config, error) {
	registry, err := api.ExtractRegistry(host)
	if err != nil {
		return aws.Config{}, err
	}
	region := registry.Region
	if registry.Service == api.ServiceECRPublic {
		region = publicRegion
	}
	options := config.LoadOptions{UseFIPSEndpoint: aws.FIPSEndpointStateDisabled}
	if registry.FIPS {
		options.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	if k.identity.AWS == nil {
		return config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithHTTPClient(k.client),
			config.WithUseFIPSEndpoint(options.UseFIPSEndpoint))
	}
	c := aws.Config{Region: region, HTTPClient: k.client, ConfigSources: []any{options}}
	provider := stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(c), k.identity.AWS.Role, jobToken{ctx, k},
		func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = k.identity.AWS.Session })
	c.Credentials = aws.NewCredentialsCache(provider)
	return c, nil
}

// jobToken hands the job's token to the SDK.
type jobToken struct {
	ctx context.Context
	k   *Keychain
}

func (t jobToken) GetIdentityToken() ([]byte, error) {
	token, err := t.k.token(t.ctx, cloud.AWSAudience)
	return []byte(token), err
}

// aws asks for a password of ECR, which is good for twelve hours.
func (k *Keychain) aws(ctx context.Context, host string) (login, error) {
	c, err := k.configure(ctx, host)
	if err != nil {
		return login{}, err
	}
	var token *string
	var until *time.Time
	if host == publicECR {
		answer, err := ecrpublic.NewFromConfig(c).GetAuthorizationToken(ctx, &ecrpublic.GetAuthorizationTokenInput{})
		if err != nil {
			return login{}, err
		}
		if data := answer.AuthorizationData; data != nil {
			token, until = data.AuthorizationToken, data.ExpiresAt
		}
	} else {
		answer, err := ecr.NewFromConfig(c).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
		if err != nil {
			return login{}, err
		}
		if len(answer.AuthorizationData) > 0 {
			token, until = answer.AuthorizationData[0].AuthorizationToken, answer.AuthorizationData[0].ExpiresAt
		}
	}
	data, err := base64.StdEncoding.DecodeString(aws.ToString(token))
	username, password, found := strings.Cut(string(data), ":")
	if err != nil || !found {
		return login{}, errors.New("ECR's answer holds no token")
	}
	return login{authn.AuthConfig{Username: username, Password: password}, aws.ToTime(until)}, nil
}

// CreateRepository makes a repository of ECR. One that exists already is left as
// it is. Other registries make a repository by a push, or want it made by their
// administrator.
func (k *Keychain) CreateRepository(ctx context.Context, repository name.Repository) error {
	host, path := repository.RegistryStr(), repository.RepositoryStr()
	if k.invalid != nil {
		return k.invalid
	}
	c, err := k.configure(ctx, host)
	if err != nil {
		return fmt.Errorf("create the repository %s: %w", repository, err)
	}
	if host == publicECR {
		// The first part of the path is the alias of the registry.
		_, path, _ = strings.Cut(path, "/")
		_, err = ecrpublic.NewFromConfig(c).CreateRepository(ctx, &ecrpublic.CreateRepositoryInput{RepositoryName: &path})
	} else {
		_, err = ecr.NewFromConfig(c).CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &path})
	}
	var private *ecrtypes.RepositoryAlreadyExistsException
	var public *publictypes.RepositoryAlreadyExistsException
	if err == nil || errors.As(err, &private) || errors.As(err, &public) {
		return nil
	}
	return fmt.Errorf("create the repository %s: %w (the identity needs the permission ecr:CreateRepository)", repository, err)
}
