package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// ConfigRepository is the config repository that a command works on.
type ConfigRepository struct {
	configrepo.Store
	API    *github.Client
	GitHub github.Repository // zero for a local directory
	// Path is the directory of the repository that holds waybill.yaml; empty is its top.
	Path string
	// ActsAsApp is true if what is done there starts workflows.
	ActsAsApp bool

	sources  pulls.Sources // that read source repositories; API if nil
	declared *sync.Map     // waybill.yaml by revision, as the command read it first
	dry      func(format string, args ...any)
}

// declaration is waybill.yaml at rev, which one command reads once: its own commits do not
// change whom it tells.
func (r ConfigRepository) declaration(ctx context.Context, rev string) ([]byte, error) {
	if data, known := r.declared.Load(rev); known {
		return data.([]byte), nil
	}
	data, err := r.File(ctx, rev, config.FileName)
	if err == nil {
		r.declared.Store(rev, data)
	}
	return data, err
}

// HasForge reports whether pull requests can be opened there.
func (r ConfigRepository) HasForge() bool { return r.GitHub.Name != "" }

// Title is what a page about the repository is called: OWNER/NAME, with the directory
// in it, or the name of the directory dir.
func (r ConfigRepository) Title(dir string) string {
	if r.HasForge() {
		return path.Join(r.GitHub.String(), r.Path)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	return filepath.Base(absolute)
}

// NeedsForge is a usage error for a flag that needs a repository on GitHub.
func (r ConfigRepository) NeedsForge(flag string) error {
	if r.HasForge() {
		return nil
	}
	return outcome.Usagef("%s works on a repository on GitHub: give --repo, not --dir", flag)
}

// Status is the name of the commit status by which check reports. Two directories of
// a repository do not share the default one.
func (r ConfigRepository) Status(name string) string {
	check, _ := contract.Lookup("check")
	if status, _ := check.Input("status_context"); name == "" || name == status.Default {
		return path.Join(status.Default, r.Path)
	}
	return name
}

// Forge is the repository's pull requests. It starts checkWorkflow for each one.
func (r ConfigRepository) Forge(branch, checkWorkflow string) pulls.Forge {
	return pulls.Forge{
		API: r.API, Repository: r.GitHub, Sources: r.sources, Branch: branch, CheckWorkflow: checkWorkflow,
		StatusContext: r.Status(""), Starts: r.ActsAsApp, Dry: r.dry,
	}
}

// Deployments opens the config repository and finds the branch that holds the
// deployments: the one that --branch names, otherwise the default one.
func (a Access) Deployments(ctx context.Context) (ConfigRepository, string, error) {
	repo, err := a.ConfigRepository(ctx)
	if a.DryRun && err == nil {
		repo.dry = a.Call.Sayf
		repo.Store = dryStore{repo.Store, repo.dry}
	}
	if err != nil || a.Branch != "" {
		return repo, a.Branch, err
	}
	branch, err := repo.DefaultBranch(ctx)
	if err != nil {
		return repo, "", fmt.Errorf("find the default branch of the config repository: %w", err)
	}
	return repo, branch, nil
}

// ConfigRepository opens the repository that --repo or --dir names. Without
// both, it is the workflow's own repository in Actions, and elsewhere the
// working directory if the command may take it.
func (a Access) ConfigRepository(ctx context.Context) (ConfigRepository, error) {
	repo, dir := a.Repo, a.Dir
	switch {
	case repo != "" && dir != "":
		return ConfigRepository{}, outcome.Usagef("--repo and --dir both name the config repository; give one")
	case repo != "" || dir != "":
	case a.Call.Runner.Active():
		repo = a.Call.Runner.Context().Repository
	case a.WorkingDirectory && isConfigRepository(cmp.Or(a.Path, ".")):
		dir = "."
	default:
		return ConfigRepository{}, a.unnamed()
	}
	if dir != "" {
		return a.local(ctx, dir)
	}
	parsed, err := github.ParseRepository(repo)
	if err != nil {
		return ConfigRepository{}, outcome.Usagef("--repo: %w", err)
	}
	api, err := a.RepositoryClient(ctx, parsed)
	if err != nil {
		return ConfigRepository{}, err
	}
	onGitHub := configrepo.NewGitHub(api, parsed)
	onGitHub.Branch = a.Branch
	r := ConfigRepository{API: api, GitHub: parsed, declared: &sync.Map{}}
	if err := r.within(onGitHub, a.Path); err != nil {
		return ConfigRepository{}, err
	}
	if a.AppID != "" {
		r.ActsAsApp = true
		r.sources = pulls.AppSources(a.GitHubOptions(), a.app())
	}
	return r, nil
}

func (a Access) local(ctx context.Context, dir string) (ConfigRepository, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ConfigRepository{}, outcome.Usagef("--dir %s: there is no such directory", dir)
	}
	api, err := a.GitHubClient()
	if err != nil {
		return ConfigRepository{}, err
	}
	local, err := configrepo.OpenLocal(ctx, dir, configrepo.LocalOptions{})
	if err != nil {
		return ConfigRepository{}, err
	}
	r := ConfigRepository{API: api, declared: &sync.Map{}}
	if a.Path == "" {
		if a.Path, err = declaring(ctx, local, dir); err != nil {
			return ConfigRepository{}, err
		}
	}
	return r, r.within(local, a.Path)
}

// declaring is the nearest directory at dir or above it in the clone that holds
// waybill.yaml; empty for the top.
func declaring(ctx context.Context, local *configrepo.Local, dir string) (string, error) {
	at, err := local.Prefix(ctx, dir)
	if err != nil {
		return "", err
	}
	for ; at != "" && at != "."; at = path.Dir(at) {
		if isConfigRepository(filepath.Join(local.Dir(), filepath.FromSlash(at))) {
			return at, nil
		}
	}
	return "", nil
}

// within takes a directory of a repository for the config repository.
func (r *ConfigRepository) within(store configrepo.Store, dir string) (err error) {
	if r.Path, err = configrepo.CleanDirectory(dir); err != nil {
		return outcome.Usagef("--path: %w", err)
	}
	r.Store, err = configrepo.Within(store, r.Path)
	return err
}

// unnamed asks for the repository by the flags that the command has.
func (a Access) unnamed() error {
	_, local := a.Call.Command.Input("dir")
	switch {
	case !local:
		return outcome.Usagef("which repository? Give --repo OWNER/NAME")
	case isConfigRepository(cmp.Or(a.Path, ".")):
		return outcome.Usagef("which config repository? Give --repo OWNER/NAME, or --dir . for the one here")
	}
	return outcome.Usagef("which config repository? Give --repo OWNER/NAME, or --dir PATH of a local clone")
}

func isConfigRepository(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, config.FileName))
	return err == nil
}

// Judge decides by the rules of the repository. Signatures are verified with the
// public keys of waybill.yaml at rev, and of other configurations.
func (a Access) Judge(ctx context.Context, repo ConfigRepository, rev string, others ...*config.Config) (*rules.Judge, error) {
	server := a.Call.Env(contract.EnvGitHubServer)
	data, err := repo.declaration(ctx, rev)
	switch {
	case errors.Is(err, configrepo.ErrNotFound): // said where the rules are read
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", config.FileName, err)
	default:
		if cfg, err := config.Parse(config.FileName, data); err == nil {
			others = append([]*config.Config{cfg}, others...)
		}
	}
	verifier, err := a.Verifier(others)
	if err != nil {
		return nil, err
	}
	clients := a.Registries()
	judge := a.Witness(repo, rev)
	judge.Server = server
	judge.Collect = func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
		return collect.Collect(ctx, collect.Deps{Registry: clients(ref.Registry()), Verifier: verifier}, ref)
	}
	if repo.HasForge() {
		judge.Relate = repo.Forge("", "").Relate
	}
	return judge, nil
}

// Witness asks whether deployments are healthy and verified, and judges no image.
func (a Access) Witness(repo ConfigRepository, rev string) *rules.Judge {
	judge := &rules.Judge{Now: time.Now, Sources: a.healthSources(repo, rev)}
	if !repo.HasForge() {
		return judge
	}
	forge := repo.Forge("", "")
	forge.Statuses = new(sync.Map)
	judge.Verified = a.prover(repo, "").Found
	judge.Health = func(ctx context.Context, status string, period history.Period) (rules.Said, error) {
		head, err := repo.Resolve(ctx, rev)
		if err != nil {
			return rules.Said{}, err
		}
		return forge.Said(ctx, head, status, period)
	}
	return judge
}

// Registries gives one client for each host, so that each gives one login for all images.
func (a Access) Registries() func(host string) *registry.Client {
	var clients sync.Map
	return func(host string) *registry.Client {
		client, known := clients.Load(host)
		if !known {
			client, _ = clients.LoadOrStore(host, a.RegistryClient(host))
		}
		return client.(*registry.Client)
	}
}

// Verifier verifies by the keys and signers of configurations, and by other keys.
func (a Access) Verifier(configurations []*config.Config, keys ...[]byte) (*sigstore.Verifier, error) {
	with := verifierOptions(a.TrustedRoot, a.Call.Env(contract.EnvGitHubServer), configurations)
	with.Keys = append(with.Keys, keys...)
	return sigstore.NewVerifier(with)
}

// verifierOptions are the keys and signers of configurations.
func verifierOptions(trustedRoot, server string, configurations []*config.Config) sigstore.VerifierOptions {
	with := sigstore.VerifierOptions{TrustedRoot: trustedRoot}
	var known []evidence.Policy
	for _, cfg := range configurations {
		policy := cfg.Signers()
		policy.Server = server
		known = append(known, policy)
		with.Keys = append(with.Keys, cfg.PublicKeys()...)
	}
	if len(known) > 0 {
		with.Trusts = func(s evidence.Signer) (trusted bool, why string) {
			for _, policy := range known {
				if trusted, why = policy.Trusts(s); trusted {
					return true, ""
				}
			}
			return false, why
		}
	}
	return with
}
