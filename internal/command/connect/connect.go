// Package connect opens what a command works on, as the identity that its inputs
// and the environment give: GitHub, registries, Sigstore, the config repository.
package connect

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/clouds"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Access holds the inputs that say where and as whom a command works.
type Access struct {
	Call *cli.Call
	options.Repository
	options.GitHub
	options.Sigstore
	options.Registry

	// Permissions are what an App's token may do. If nil, they are those of the
	// command's job, without what is not the repository's.
	Permissions map[string]string
	// AsksTeams lets an App ask teams to review, where it may read their members.
	AsksTeams bool
	// RecordArtifacts lets RecordDeployments tell the organisation of artifacts, too.
	RecordArtifacts bool
	// WorkingDirectory lets a command that only reads take the working directory
	// for the config repository. A command that writes must be told where.
	WorkingDirectory bool
	// DryRun says what would be written to the config repository, and writes nothing:
	// no commit, no pull request, no notification, no deployment.
	DryRun bool
}

// GitHubClient acts with the job's token.
func (a Access) GitHubClient() (*github.Client, error) { return github.New(a.GitHubOptions()) }

// GitHubOptions are which GitHub, and the token of the job or of the person.
func (a Access) GitHubOptions() github.Options {
	token := a.Token
	if token == "" {
		token = a.Call.Env(contract.EnvGitHubToken)
	}
	return github.Options{
		Token: token, APIURL: a.Call.Env(contract.EnvGitHubAPIURL), ServerURL: a.Call.Env(contract.EnvGitHubServer),
		HTTPClient: &http.Client{Transport: a.Call.Traced(http.DefaultTransport)},
	}
}

// RepositoryClient acts as the App that app_id names, limited to one repository.
// Without an App it acts with the job's token.
func (a Access) RepositoryClient(ctx context.Context, repo github.Repository) (*github.Client, error) {
	with := a.GitHubOptions()
	key := contract.Input{Name: "app_key"}.EnvVar()
	switch {
	case a.AppID == "" && a.AppKey == "":
		return github.New(with)
	case a.AppID == "":
		return nil, outcome.Usagef("%s is given without --app-id: give the client ID of the App that the key belongs to", key)
	case a.AppKey == "":
		return nil, outcome.Usagef("--app-id is given without %s: the App %s acts by its private key; give it as a secret", key, a.AppID)
	}
	token, err := apps.Token(ctx, with, a.app(), repo, a.permissions())
	if err != nil {
		return nil, err
	}
	if err := a.Call.Runner.Mask(token); err != nil {
		return nil, err
	}
	with.Token = token
	return github.New(with)
}

// NarrowToInstallation looks for the App that app_id names on the repository, and
// limits Permissions to those of wanted that it has there. Without an App it
// returns nil. Where the App is not installed, the result has no number, and the
// command acts with the job's token.
func (a *Access) NarrowToInstallation(ctx context.Context, wanted map[string]string) (*apps.Installation, error) {
	if a.AppID == "" || a.AppKey == "" {
		return nil, nil
	}
	name := a.Repo
	if name == "" {
		name = a.Call.Runner.Context().Repository
	}
	repo, err := github.ParseRepository(name)
	if err != nil {
		return nil, outcome.Usagef("--repo: %w", err)
	}
	found, err := apps.Find(ctx, a.GitHubOptions(), a.app(), repo)
	if github.IsNotFound(err) {
		found.ClientID, a.AppID, a.AppKey = a.AppID, "", ""
		return &found, nil
	}
	if err != nil {
		return nil, err
	}
	a.Permissions = found.Narrowed(wanted)
	return &found, nil
}

func (a Access) app() apps.App {
	app := apps.App{ID: a.AppID, Key: a.AppKey}
	if a.AsksTeams {
		app.Also = github.AskTeams
	}
	return app
}

func (a Access) permissions() map[string]string {
	if a.Permissions != nil {
		return a.Permissions
	}
	permissions := map[string]string{}
	for _, p := range a.Call.Command.Permissions {
		if !p.OfJob() {
			permissions[p.Scope] = p.Access
		}
	}
	return permissions
}

// RegistryClient works on one registry, host, as imageref.Ref.Registry gives it.
// The credentials go to that host alone; docker login and, for the registries of
// a cloud, its own identities serve every other host.
func (a Access) RegistryClient(host string) *registry.Client {
	return a.RegistryClientTelling(host, nil)
}

// RegistryClientTelling is RegistryClient, and tells progress how far a push is.
func (a Access) RegistryClientTelling(host string, progress func(done, total int64)) *registry.Client {
	username, password := a.Credentials(host)
	logins := registry.ParseLogins(a.Call.Env(contract.EnvDockerAuth))
	for _, secret := range logins.Secrets() {
		if err := a.Call.Runner.Mask(secret); err != nil {
			a.Call.Sayf("note: %v", err)
		}
	}
	return registry.New(registry.Options{Registry: host, Username: username, Password: password, UserAgent: "waybill/" + cli.Version(),
		Hosts: registry.ReadHosts(a.Call.Env(contract.EnvRegistries)), Logins: logins,
		Evidence: a.Call.Env(contract.EnvEvidence),
		Clouds:   a.clouds(host), Trace: a.Call.Traced, Progress: progress})
}

func (a Access) clouds(host string) *clouds.Keychain {
	_, of, err := clouds.Parse(a.RegistryIdentity)
	if _, one := a.Call.Command.Input("image"); one && err == nil && of != "" && of != clouds.Of(host) {
		a.Call.Sayf("note: --registry-identity is of %s, and %s is not one of its registries, so it gets no login there", of, host)
	}
	return clouds.New(clouds.Options{
		Registry: host, Identity: a.RegistryIdentity, Tokens: jobTokens{a.Call.Runner},
		Session: "waybill-" + a.Call.Runner.Context().RunID, Getenv: a.Call.Getenv, Transport: a.Call.Traced(http.DefaultTransport),
	})
}

// jobTokens says how a job gets an identity, if it has none.
type jobTokens struct{ *runner.Runner }

func (t jobTokens) IDToken(ctx context.Context, audience string) (string, error) {
	token, err := t.Runner.IDToken(ctx, audience)
	return token, Identity(err)
}

// MakeRepository makes the image's repository where the registry wants that
// before a push, and it is not there.
func (a Access) MakeRepository(ctx context.Context, repository name.Repository) error {
	host := repository.RegistryStr()
	err := a.CanPull(ctx, repository.Name())
	if err == nil || !registry.LacksRepository(err) || clouds.Of(host) != clouds.AWS {
		return err
	}
	if err := a.clouds(host).CreateRepository(ctx, repository); err != nil {
		return err
	}
	a.Call.Sayf("created  the repository %s", repository)
	return nil
}

// Credentials are those for the image's registry; without a password there are
// none. A token of GitHub's is withheld from a registry that is not GitHub's:
// the author of the image's name may have chosen the host.
func (a Access) Credentials(host string) (username, password string) {
	username, password = a.RegistryUsername, a.RegistryPassword
	if password == "" {
		username, password = a.Call.Env(contract.EnvRegistryUser), a.Call.Env(contract.EnvRegistryPass)
	}
	ofGitHub := registry.IsGitHubToken(password) || password == a.Call.Env(contract.EnvGitHubToken) // whatever it looks like
	if password != "" && ofGitHub && !registry.OfGitHub(host, a.Call.Env(contract.EnvGitHubServer)) {
		if _, one := a.Call.Command.Input("image"); one {
			a.Call.Sayf("note: the registry password is a token of GitHub's, and %s is not GitHub's registry: "+
				"Waybill does not send the token there. Give %[1]s's own password, or log in with docker login", host)
		}
		return "", ""
	}
	if username == "" {
		username = "x-access-token" // ghcr.io reads the token alone, but wants a name beside it
	}
	return username, password
}

// CanPull reports, by its error, what keeps this identity from reading an image's
// repository. One that holds nothing yet can be read.
func (a Access) CanPull(ctx context.Context, repository string) error {
	host, _, _ := strings.Cut(repository, "/")
	_, err := a.RegistryClient(host).Resolve(ctx, repository+":latest")
	if registry.IsNotFound(err) && !registry.LacksRepository(err) {
		return nil
	}
	return err
}

// DatabaseMade is when a vulnerability database was made, by its manifest; zero if it
// does not say.
func (a Access) DatabaseMade(ctx context.Context, repository string) (time.Time, error) {
	host, _, _ := strings.Cut(repository, "/")
	client := a.RegistryClient(host)
	ref, err := client.Resolve(ctx, repository)
	if err != nil {
		return time.Time{}, err
	}
	return client.Created(ctx, ref)
}

// UploadSARIF hands the findings to code scanning, for the commit of the run.
func (a Access) UploadSARIF(ctx context.Context, sarif []byte) error {
	job := a.Call.Runner.Context()
	repository, err := github.ParseRepository(job.Repository)
	if err != nil || job.SHA == "" || job.Ref == "" {
		return outcome.Usagef("--upload-sarif works in a run of GitHub Actions: there is no GITHUB_REPOSITORY, GITHUB_SHA and " +
			"GITHUB_REF here")
	}
	api, err := a.GitHubClient()
	if err != nil {
		return err
	}
	done, err := api.UploadSARIF(ctx, repository, job.SHA, job.Ref, sarif)
	if err == nil && !done {
		a.Call.Sayf("note     code scanning has the findings, and has not processed them after two minutes")
	}
	return err
}
