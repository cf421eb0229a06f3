package cloud

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Request says which clouds, and as whom. nil is none.
type Request struct {
	AWS    *AWS
	Google *Google
	Azure  *Azure
}

// AWS is a role that trusts GitHub's issuer.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
type AWS struct {
	Role     string // arn:aws:iam::123456789012:role/NAME
	Region   string
	Session  string // name in CloudTrail
	Audience string // empty is sts.amazonaws.com
}

// Google is a workload identity provider, and the service account to act as.
// https://google.aip.dev/auth/4117
type Google struct {
	Provider       string // projects/N/locations/global/workloadIdentityPools/POOL/providers/NAME
	ServiceAccount string // empty acts as the federated identity itself
	Project        string
	Audience       string // of the job's token; empty is https://iam.googleapis.com/PROVIDER
}

// Azure is an application with a federated credential for the repository.
// https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/guides/service_principal_oidc
type Azure struct {
	Client, Tenant, Subscription string
	// Refreshing gives an address to ask for tokens in place of a file: azurerm
	// reads a file once, and is locked out when that token has expired.
	Refreshing bool
}

// Audiences that the clouds ask of the job's token, and Google's exchange.
const (
	AWSAudience     = "sts.amazonaws.com"
	AzureAudience   = "api://AzureADTokenExchange"
	GoogleTokenType = "urn:ietf:params:oauth:token-type:jwt"
	GoogleTokenURL  = "https://sts.googleapis.com/v1/token"
)

// roleForm is compiled when it is first asked for: its length makes it large.
var roleForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^arn:aws(-[a-z]+)*:iam::\d{12}:role/[\w+=,.@/-]{1,512}$`)
})

var (
	regionForm   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)
	sessionForm  = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	providerForm = regexp.MustCompile(`^projects/\d+/locations/[a-z0-9-]+/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+$`)
	accountForm  = regexp.MustCompile(`^[a-z0-9-]+@[a-z0-9.-]+$`)
	projectForm  = regexp.MustCompile(`^[a-z0-9.:-]+$`)
	guidForm     = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
)

// Validate refuses what no cloud would take.
func (r Request) Validate() error {
	type rule struct {
		what, value string
		form        *regexp.Regexp
		want        string
		optional    bool
	}
	var rules []rule
	if a := r.AWS; a != nil {
		rules = append(rules, rule{
			"role", a.Role, roleForm(), "arn:aws:iam::123456789012:role/NAME", false,
		}, rule{"region", a.Region, regionForm, "eu-central-1", false},
			rule{"session name", a.Session, sessionForm, "2 to 64 of letters, digits and +=,.@_-", false})
	}
	if g := r.Google; g != nil {
		rules = append(rules, rule{
			"workload identity provider", g.Provider, providerForm,
			"projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/NAME", false,
		},
			rule{
				"service account", g.ServiceAccount, accountForm, "NAME@PROJECT.iam.gserviceaccount.com", true,
			}, rule{"project", g.Project, projectForm, "a project's id", true})
	}
	if a := r.Azure; a != nil {
		rules = append(
			rules, rule{"client id", a.Client, guidForm, "a GUID", false}, rule{"tenant id", a.Tenant, guidForm, "a GUID", false},
			rule{"subscription id", a.Subscription, guidForm, "a GUID", true},
		)
	}
	for _, x := range rules {
		if x.value == "" && x.optional || x.form.MatchString(x.value) {
			continue
		}
		if x.value == "" {
			return outcome.Usagef("the %s is missing: want %s", x.what, x.want)
		}
		return outcome.Usagef("%q is not a %s: want %s", x.value, x.what, x.want)
	}
	return nil
}

func (r Request) clouds(dir string) ([]cloud, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	var list []cloud
	if a := r.AWS; a != nil {
		file := filepath.Join(dir, "aws-token")
		list = append(list, cloud{
			audience: cmp.Or(a.Audience, AWSAudience), file: file,
			variables: []Variable{
				{"AWS_ROLE_ARN", a.Role}, {"AWS_WEB_IDENTITY_TOKEN_FILE", file}, {"AWS_ROLE_SESSION_NAME", a.Session},
				{"AWS_REGION", a.Region}, {"AWS_DEFAULT_REGION", a.Region},
			},
			clears: []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"},
		})
	}
	if g := r.Google; g != nil {
		c := cloud{audience: g.TokenAudience(), file: g.token(dir), variables: []Variable{{"GOOGLE_APPLICATION_CREDENTIALS", g.file(dir)}},
			clears: []string{"GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"}}
		if g.Project != "" {
			c.variables = append(c.variables, Variable{"GOOGLE_PROJECT", g.Project}, Variable{"GOOGLE_CLOUD_PROJECT", g.Project})
		}
		list = append(list, c)
	}
	if a := r.Azure; a != nil {
		c := cloud{audience: AzureAudience, variables: []Variable{
			{"ARM_USE_OIDC", "true"}, {"ARM_CLIENT_ID", a.Client}, {"ARM_TENANT_ID", a.Tenant},
		},
			clears: []string{
				"ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_OIDC_TOKEN",
				"ARM_OIDC_TOKEN_FILE_PATH", "ARM_OIDC_REQUEST_URL", "ARM_OIDC_REQUEST_TOKEN", "ARM_USE_MSI",
			}}
		if a.Subscription != "" {
			c.variables = append(c.variables, Variable{"ARM_SUBSCRIPTION_ID", a.Subscription})
		}
		if !a.Refreshing {
			c.file = filepath.Join(dir, "azure-token")
			c.variables = append(c.variables, Variable{"ARM_OIDC_TOKEN_FILE_PATH", c.file},
				Variable{"AZURE_FEDERATED_TOKEN_FILE", c.file}, Variable{"AZURE_CLIENT_ID", a.Client},
				Variable{"AZURE_TENANT_ID", a.Tenant})
		}
		list = append(list, c)
	}
	return list, nil
}

// TokenAudience is the audience of the job's token.
func (g *Google) TokenAudience() string {
	return cmp.Or(g.Audience, "https://iam.googleapis.com/"+g.Provider)
}

// Resource is how Google's token service names the provider.
func (g *Google) Resource() string { return "//iam.googleapis.com/" + g.Provider }

// Impersonation is where a token of the service account is had; empty if there
// is none to act as.
func (g *Google) Impersonation() string {
	if g.ServiceAccount == "" {
		return ""
	}
	return "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + g.ServiceAccount + ":generateAccessToken"
}

func (g *Google) token(dir string) string { return filepath.Join(dir, "google-token") }
func (g *Google) file(dir string) string  { return filepath.Join(dir, "google-credentials.json") }

// credentials is the file of an external account. It holds no secret, only where
// the token is.
func (g *Google) credentials(dir string) []byte {
	form := map[string]any{
		"type": "external_account", "audience": g.Resource(), "subject_token_type": GoogleTokenType, "token_url": GoogleTokenURL,
		"universe_domain":   "googleapis.com",
		"credential_source": map[string]any{"file": g.token(dir), "format": map[string]string{"type": "text"}},
	}
	if url := g.Impersonation(); url != "" {
		form["service_account_impersonation_url"] = url
	}
	data, _ := json.MarshalIndent(form, "", "  ") // maps of strings
	return data
}
