package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// repository is what both kinds of config repository can do.
type repository interface {
	history.Reader
	DefaultBranch(ctx context.Context) (string, error)
	Resolve(ctx context.Context, rev string) (string, error)
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	Commit(ctx context.Context, r configrepo.Request) (string, error)
	DeleteBranch(ctx context.Context, branch, expect string) error
	MergeBase(ctx context.Context, a, b string) (string, error)
}

// place is the config repository that a command works on.
type place struct {
	repository
	api     *github.Client    // nil without a token and an address
	github  github.Repository // zero for a local directory
	sources pulls.Sources     // that source repositories are read with; nil is api
	// actsAsApp is whether what is done there starts workflows.
	actsAsApp bool
}

// forge is whether pull requests can be opened there.
func (p place) hasForge() bool { return p.github.Name != "" }

// forge is the repository's pull requests; checkWorkflow is started for each.
func (p place) forge(branch, checkWorkflow string) pulls.Forge {
	return pulls.Forge{API: p.api, Repository: p.github, Sources: p.sources, Branch: branch, CheckWorkflow: checkWorkflow, StatusContext: statusContext(), Starts: p.actsAsApp}
}

// openRepository opens the repository that --repo or --dir names. Exactly one
// of them must be given; inside Actions, neither means the workflow's own
// repository, and elsewhere, for what only reads, the working directory.
func openRepository(ctx context.Context, call *cli.Call) (place, error) {
	repo, dir := call.In.String("repo"), call.In.String("dir")
	switch {
	case repo != "" && dir != "":
		return place{}, outcome.Usagef("--repo and --dir both name the config repository; give one")
	case repo == "" && dir == "" && call.Runner.Active():
		repo = call.Runner.Context().Repository
	case repo == "" && dir == "" && onlyReads(call) && isConfigRepository("."):
		dir = "."
	case repo == "" && dir == "":
		return place{}, outcome.Usagef("which config repository? Give --repo OWNER/NAME, or --dir PATH of a local clone")
	}
	if dir != "" {
		api, err := githubClient(call)
		if err != nil {
			return place{}, err
		}
		local, err := configrepo.OpenLocal(ctx, dir, configrepo.LocalOptions{})
		if err != nil {
			return place{}, err
		}
		return place{repository: local, api: api}, nil
	}
	parsed, err := github.ParseRepository(repo)
	if err != nil {
		return place{}, outcome.Usagef("--repo: %w", err)
	}
	api, err := configRepositoryClient(ctx, call, parsed)
	if err != nil {
		return place{}, err
	}
	onGitHub := configrepo.NewGitHub(api, parsed)
	if _, takes := call.Command.Input("branch"); takes {
		onGitHub.Branch = call.In.String("branch")
	}
	p := place{repository: onGitHub, api: api, github: parsed}
	if takesApp(call) && call.In.String("app_id") != "" {
		p.actsAsApp = true
		p.sources = pulls.AppSources(githubOptions(call), github.App{ID: call.In.String("app_id"), Key: call.In.String("app_key")})
	}
	return p, nil
}

// onlyReads is whether the command may take the working directory for the
// config repository without being told: what writes is told where.
func onlyReads(call *cli.Call) bool {
	return slices.Contains([]string{"check", "status", "diff"}, call.Command.Name)
}

func isConfigRepository(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, config.FileName))
	return err == nil
}

func githubClient(call *cli.Call) (*github.Client, error) {
	return github.New(githubOptions(call))
}

func githubOptions(call *cli.Call) github.Options {
	token := call.In.String("token")
	if token == "" {
		token = call.Env(contract.EnvGitHubToken)
	}
	return github.Options{Token: token, APIURL: call.Env(contract.EnvGitHubAPIURL), ServerURL: call.Env(contract.EnvGitHubServer)}
}

// configRepositoryClient acts as the App that app_id names, where one is named.
func configRepositoryClient(ctx context.Context, call *cli.Call, repo github.Repository) (*github.Client, error) {
	options := githubOptions(call)
	if !takesApp(call) {
		return github.New(options)
	}
	app := github.App{ID: call.In.String("app_id"), Key: call.In.String("app_key")}
	switch {
	case app.ID == "" && app.Key == "":
		return github.New(options)
	case app.ID == "":
		return nil, outcome.Usagef("app_key without app_id: which App's key is it? Give its client ID")
	case app.Key == "":
		return nil, outcome.Usagef("app_id without app_key: the App %s acts by its private key; give it as a secret", app.ID)
	}
	token, err := github.AppToken(ctx, options, app, repo, appPermissions(call))
	if err != nil {
		return nil, err
	}
	if err := call.Runner.Mask(token); err != nil {
		return nil, err
	}
	options.Token = token
	return github.New(options)
}

func takesApp(call *cli.Call) bool {
	_, takes := call.Command.Input("app_id")
	return takes
}

// appPermissions are what the command needs of the config repository: what a
// job would be given, without what is not the repository's.
func appPermissions(call *cli.Call) map[string]string {
	if call.Command.Name == "bump" && asks(call) {
		return map[string]string{"deployments": "write"}
	}
	if call.Command.Name == "gate" { // it may comment; starting workflows is a job's
		return map[string]string{"contents": "read", "pull-requests": "write", "statuses": "write"}
	}
	permissions := map[string]string{}
	for _, p := range call.Command.Permissions {
		if !slices.Contains([]string{"packages", "id-token", "deployments"}, p.Scope) {
			permissions[p.Scope] = p.Access
		}
	}
	return permissions
}

// branch is the one that --branch names, else the default one.
func (p place) branch(ctx context.Context, call *cli.Call) (string, error) {
	if branch := call.In.String("branch"); branch != "" {
		return branch, nil
	}
	branch, err := p.DefaultBranch(ctx)
	if err != nil {
		return "", fmt.Errorf("find the default branch of the config repository: %w", err)
	}
	return branch, nil
}

// judge decides by the rules of the repository; the public keys in waybill.yaml
// at rev are those that signatures are verified with.
func (p place) judge(ctx context.Context, call *cli.Call, rev string) (*rules.Judge, error) {
	options := sigstore.VerifierOptions{TrustedRoot: call.In.String("trusted_root")}
	data, err := p.File(ctx, rev, config.FileName)
	switch {
	case errors.Is(err, configrepo.ErrNotFound): // said where the rules are read
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", config.FileName, err)
	default:
		if cfg, err := config.Parse(config.FileName, data); err == nil {
			known := cfg.Signers()
			known.Server = call.Env(contract.EnvGitHubServer)
			options.Keys, options.Trusts = cfg.PublicKeys(), known.Trusts
		}
	}
	verifier, err := sigstore.NewVerifier(options)
	if err != nil {
		return nil, err
	}
	judge := &rules.Judge{
		Server: call.Env(contract.EnvGitHubServer),
		Now:    time.Now,
		Collect: func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
			return collect.Collect(ctx, collect.Deps{Registry: registryClient(call, ref.Registry()), Verifier: verifier}, ref)
		},
	}
	if p.hasForge() {
		judge.Relate = p.forge("", "").Relate
	}
	return judge, nil
}

// statusContext is the default of check's --status-context.
func statusContext() string {
	c, _ := contract.Lookup("check")
	in, _ := c.Input("status_context")
	return in.Default
}
