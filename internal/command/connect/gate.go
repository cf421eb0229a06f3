package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Site opens the repository that --repo names, otherwise the job's own. top is
// the directory of the clone; it may be empty.
func (a Access) Site(ctx context.Context, top string) (*site.Site, error) {
	return a.site(ctx, site.Request{Top: top})
}

// PullRequest is Site with a pull request: number, otherwise the one that the
// job's event is about, if there is one.
func (a Access) PullRequest(ctx context.Context, top string, number int) (*site.Site, error) {
	if number == 0 && a.infraRepository() != "" {
		event, err := a.Call.Runner.Event()
		if err != nil {
			return nil, err
		}
		number = event.Pull()
	}
	return a.site(ctx, site.Request{Top: top, Pull: number})
}

func (a Access) site(ctx context.Context, r site.Request) (_ *site.Site, err error) {
	if r.API, err = a.GitHubClient(); err != nil {
		return nil, err
	}
	r.Repo = a.infraRepository()
	return site.Open(ctx, r)
}

func (a Access) infraRepository() string { return cmp.Or(a.Repo, a.Call.Runner.Context().Repository) }

// Top is the top of the clone that --checkout lies in.
func Top(ctx context.Context, checkout string) (string, error) {
	here, err := filepath.Abs(checkout)
	if err != nil {
		return "", err
	}
	return git.Top(ctx, here)
}

// Terraform says how the inputs want terraform to be run in the clone.
func (a Access) Terraform(in options.Terraform, login options.Cloud, top string) (r tool.Request, err error) {
	r = tool.Request{
		Top: top, Program: in.Terraform, Mirror: in.TerraformMirror, PluginCache: in.PluginCache, Backend: in.BackendConfig,
		Env: in.Env, LockTimeout: in.LockTimeout, Tokens: a.Call.Runner, Getenv: a.Call.Getenv, Say: a.Call.Sayf,
	}
	r.Login, err = Cloud(a.Call, login)
	return r, err
}

// Cloud says which cloud roles the inputs name.
func Cloud(call *cli.Call, in options.Cloud) (r cloud.Request, err error) {
	if in.AWSRole != "" {
		session := cmp.Or(in.AWSSessionName, "waybill-"+call.Runner.Context().RunID)
		r.AWS = &cloud.AWS{Role: in.AWSRole, Region: in.AWSRegion, Session: session}
	} else if in.AWSSessionName != "" {
		return r, outcome.Usagef("--aws-session-name without --aws-role")
	}
	if in.GCPProvider != "" {
		r.Google = &cloud.Google{Provider: in.GCPProvider, ServiceAccount: in.GCPServiceAccount, Project: in.GCPProject}
	}
	if in.AzureClientID != "" {
		r.Azure = &cloud.Azure{Client: in.AzureClientID, Tenant: in.AzureTenantID, Subscription: in.AzureSubscriptionID}
	}
	return r, r.Validate()
}

// gcpAccount and azureClient are the forms of what is no role of AWS.
var (
	gcpAccount  = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.iam\.gserviceaccount\.com$`)
	azureClient = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// WithRole puts a role of terraform.environments in the place of the one that the inputs
// name: a service account of Google, a client of Azure, or a role of AWS.
func WithRole(in options.Cloud, role string) options.Cloud {
	switch {
	case role == "":
	case gcpAccount.MatchString(role):
		in.GCPServiceAccount = role
	case azureClient.MatchString(role):
		in.AzureClientID = role
	default:
		in.AWSRole = role
	}
	return in
}

// Identity says how a job gets an identity, if err is that it has none.
func Identity(err error) error {
	if errors.Is(err, runner.ErrNoIdentity) {
		return runner.NoIdentity("log in to the cloud")
	}
	return err
}

// SealStores gives the client for the registry of a sealed plan.
func (a Access) SealStores() func(host string) seal.Registry {
	return func(host string) seal.Registry { return a.RegistryClient(host) }
}

// SealKey reads the identities that open sealed plans: key, otherwise the file.
func SealKey(key, file string) ([]seal.Identity, error) {
	if key == "" && file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the key that opens plans: %w", err)
		}
		key = string(data)
	}
	if key == "" {
		return nil, outcome.Usagef("which key opens the plan? Give --seal-key-file FILE, or the secret input seal_key " +
			"(WAYBILL_INPUT_SEAL_KEY)")
	}
	return seal.ParseIdentities(key)
}

// Teams acts with the token that may read teams, otherwise with the job's.
func (a Access) Teams(token string) (approval.Teams, error) {
	a.Token = cmp.Or(token, a.Token)
	return a.GitHubClient()
}

// Asked is the comment that started the run; nil if none did.
func Asked(event runner.Event) *asked.Comment {
	c := event.Comment
	if c == nil {
		return nil
	}
	return &asked.Comment{ID: c.ID, Action: event.Action, User: c.User.Login, Body: c.Body}
}
