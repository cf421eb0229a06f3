package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/configrepo"
	"github.com/waybill-dev/waybill/internal/contract"
	"github.com/waybill-dev/waybill/internal/deployment"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/github"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/promotion"
	"github.com/waybill-dev/waybill/internal/sign/sigstore"
	"github.com/waybill-dev/waybill/internal/verify"
)

// repository is what both kinds of config repository can do.
type repository interface {
	deployment.Reader
	DefaultBranch(ctx context.Context) (string, error)
	Resolve(ctx context.Context, rev string) (string, error)
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	Commit(ctx context.Context, r configrepo.Request) (string, error)
}

// place is the config repository that a command works on.
type place struct {
	repository
	api    *github.Client    // nil without a token and an address
	github github.Repository // zero for a local directory
}

// forge is whether pull requests can be opened there.
func (p place) hasForge() bool { return p.github.Name != "" }

// openRepository opens the repository that --repo or --dir names. Exactly one
// of them must be given; inside Actions, neither means the workflow's own
// repository.
func openRepository(ctx context.Context, call *cli.Call) (place, error) {
	repo, dir := call.In.String("repo"), call.In.String("dir")
	switch {
	case repo != "" && dir != "":
		return place{}, outcome.Usagef("--repo and --dir both name the config repository; give one")
	case repo == "" && dir == "" && call.Runner.Active():
		repo = call.Runner.Context().Repository
	case repo == "" && dir == "":
		return place{}, outcome.Usagef("which config repository? Give --repo OWNER/NAME, or --dir PATH of a local clone")
	}
	api, err := githubClient(call)
	if err != nil {
		return place{}, err
	}
	if dir != "" {
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
	return place{repository: configrepo.NewGitHub(api, parsed), api: api, github: parsed}, nil
}

func githubClient(call *cli.Call) (*github.Client, error) {
	token := call.In.String("token")
	if token == "" {
		token = call.Env(contract.EnvGitHubToken)
	}
	return github.New(github.Options{Token: token, APIURL: call.Env(contract.EnvGitHubAPIURL), ServerURL: call.Env(contract.EnvGitHubServer)})
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
func (p place) judge(ctx context.Context, call *cli.Call, rev string) (*promotion.Judge, error) {
	options := sigstore.VerifierOptions{TrustedRoot: call.In.String("trusted_root")}
	data, err := p.File(ctx, rev, config.FileName)
	switch {
	case errors.Is(err, configrepo.ErrNotFound): // said where the rules are read
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", config.FileName, err)
	default:
		if cfg, err := config.Parse(config.FileName, data); err == nil {
			options.Keys = cfg.PublicKeys()
		}
	}
	verifier, err := sigstore.NewVerifier(options)
	if err != nil {
		return nil, err
	}
	judge := &promotion.Judge{
		Server: call.Env(contract.EnvGitHubServer),
		Now:    time.Now,
		Collect: func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
			return verify.Collect(ctx, verify.Deps{Registry: registryClient(call, ref.Registry()), Verifier: verifier}, ref)
		},
	}
	if p.hasForge() {
		judge.Relate = p.relate
	}
	return judge, nil
}

// relate asks GitHub how two commits of a source repository stand to each
// other. A repository that this token cannot read gives Unknown.
func (p place) relate(ctx context.Context, repository, base, head string) (promotion.Relation, error) {
	parsed, err := github.ParseRepository(repository)
	if err != nil {
		return promotion.Unknown, nil
	}
	comparison, err := p.api.Compare(ctx, parsed, base, head)
	if unreadable(err) {
		return promotion.Unknown, nil
	}
	if err != nil {
		return "", err
	}
	relations := map[string]promotion.Relation{"ahead": promotion.Newer, "behind": promotion.Older, "identical": promotion.Same, "diverged": promotion.Diverged}
	if relation, ok := relations[comparison.Status]; ok {
		return relation, nil
	}
	return promotion.Unknown, nil
}

// unreadable says whether GitHub's answer is that this token may not look, or
// that there is nothing to see.
func unreadable(err error) bool {
	return github.IsStatus(err, http.StatusNotFound) || github.IsStatus(err, http.StatusForbidden) || github.IsStatus(err, http.StatusUnauthorized)
}

// pulls opens pull requests in the config repository.
type pulls struct {
	place
	workflow string // started for each pull request; empty starts none
	context  string // of the commit status that the check reports as
	branch   string
}

func (f pulls) FindPull(ctx context.Context, branch, base string) (*promotion.Pull, error) {
	pr, err := f.api.FindPull(ctx, f.github, branch, base)
	return pullOf(pr), err
}

func (f pulls) OpenPull(ctx context.Context, branch, base, title, body string) (*promotion.Pull, error) {
	pr, err := f.api.OpenPull(ctx, f.github, github.NewPull{Title: title, Body: body, Head: branch, Base: base})
	return pullOf(pr), err
}

func (f pulls) EditPull(ctx context.Context, number int, title, body string) error {
	_, err := f.api.EditPull(ctx, f.github, number, title, body)
	return err
}

func pullOf(pr *github.PullRequest) *promotion.Pull {
	if pr == nil {
		return nil
	}
	return &promotion.Pull{Number: pr.Number, Title: pr.Title, Body: pr.Body, URL: pr.URL, Head: pr.HeadSHA}
}

func (f pulls) Closed(ctx context.Context, branch, head string) (bool, error) {
	closed, err := f.api.ClosedPulls(ctx, f.github, branch)
	return slices.ContainsFunc(closed, func(pr github.PullRequest) bool { return pr.HeadSHA == head && !pr.Merged }), err
}

func (f pulls) Comment(ctx context.Context, number int, marker, body string) error {
	return f.api.UpsertComment(ctx, f.github, number, marker, body)
}

// RequestReviewers asks users, and teams written as ORG/TEAM.
func (f pulls) RequestReviewers(ctx context.Context, number int, reviewers []string) error {
	var users, teams []string
	for _, r := range reviewers {
		if _, team, ok := strings.Cut(r, "/"); ok {
			teams = append(teams, team)
		} else {
			users = append(users, r)
		}
	}
	return f.api.RequestReviewers(ctx, f.github, number, users, teams)
}

// StartCheck marks the head as waiting and starts the check workflow from the
// base branch, so that the pull request cannot bring its own.
func (f pulls) StartCheck(ctx context.Context, pull promotion.Pull) error {
	if f.workflow == "" {
		return nil
	}
	if err := f.api.SetStatus(ctx, f.github, pull.Head, github.Status{Context: f.context, State: "pending", Description: "the check has been started"}); err != nil {
		return err
	}
	return f.api.Dispatch(ctx, f.github, f.workflow, f.branch, map[string]string{"pull_request": fmt.Sprint(pull.Number)})
}

// statusContext is the default of check's --status-context.
func statusContext() string {
	c, _ := contract.Lookup("check")
	in, _ := c.Input("status_context")
	return in.Default
}
