package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// decideApproval reads the approvals of the pull request anew and holds them
// against the rules of the default branch.
func decideApproval(ctx context.Context, call *cli.Call, where infra, full plan.Fingerprint, changes []approval.Change) (approval.Decision, error) {
	rules, revisions, err := where.rules(ctx)
	if err != nil {
		return approval.Decision{}, err
	}
	needs, err := approval.NeedsOf(rules, changes)
	if err != nil {
		return approval.Decision{}, err
	}
	pull, err := approval.Collect(ctx, where.api, where.repo, where.pull)
	if err != nil {
		return approval.Decision{}, err
	}
	teams, err := teamClient(call)
	if err != nil {
		return approval.Decision{}, err
	}
	decision, err := approval.Decide(ctx, pull, full, needs, people{teams, where})
	decision.Repository, decision.Rules = where.repo.String(), revisions
	return decision, err
}

// removedChanges are what roots that are taken away ask for: as much as if they
// were destroyed.
func removedChanges(removed []roots.Removed) (changes []approval.Change) {
	for _, r := range removed {
		changes = append(changes, approval.Change{Dir: r.Dir, Destroys: true, Uses: (&roots.Sources{Dirs: []string{r.Dir}}).Uses})
	}
	return changes
}

// people asks GitHub who somebody is: about teams with the token for teams.
type people struct {
	*github.Client
	where infra
}

func (p people) CanWrite(ctx context.Context, user string) (bool, error) {
	return p.where.api.CanWrite(ctx, p.where.repo, user)
}

// teamClient acts with the token that may read teams, where there is one.
func teamClient(call *cli.Call) (*github.Client, error) {
	token := call.In.String("team_token")
	if token == "" {
		return githubClient(call)
	}
	return github.New(github.Options{Token: token, APIURL: call.Env(contract.EnvGitHubAPIURL), ServerURL: call.Env(contract.EnvGitHubServer)})
}

// rules are those of every revision that has a say: the default branch as it
// is, as it was when the pull request was last brought up to date, and as it was
// just before the merge. The pull request's own are not among them, whatever
// branch it is made against.
func (i infra) rules(ctx context.Context) ([]approval.Rules, []string, error) {
	info, err := i.api.Repo(ctx, i.repo)
	if err != nil {
		return nil, nil, err
	}
	tip, err := i.api.BranchHead(ctx, i.repo, info.DefaultBranch)
	if err != nil {
		return nil, nil, err
	}
	revisions := []string{tip}
	add := func(sha string) {
		if sha != "" && !slices.Contains(revisions, sha) {
			revisions = append(revisions, sha)
		}
	}
	if i.pull.BaseRef == info.DefaultBranch {
		add(i.pull.BaseSHA)
	}
	if i.pull.Merged {
		commits, err := i.api.Commits(ctx, i.repo, i.pull.MergeSHA, "", 1)
		if err != nil {
			return nil, nil, err
		}
		if len(commits) == 1 && len(commits[0].Parents) > 0 {
			add(commits[0].Parents[0])
		}
	}
	var rules []approval.Rules
	files := configrepo.NewGitHub(i.api, i.repo)
	for _, sha := range revisions {
		data, err := files.File(ctx, sha, config.FileName)
		if errors.Is(err, configrepo.ErrNotFound) {
			return nil, nil, outcome.Refusedf("%s has no %s at %s, so nobody is named who may approve: it must be on the default branch before the pull request is made", i.repo, config.FileName, sha[:7])
		}
		if err != nil {
			return nil, nil, err
		}
		cfg, err := config.Parse(config.FileName, data)
		if err != nil {
			return nil, nil, fmt.Errorf("at %s: %w", sha[:7], err)
		}
		rules = append(rules, approval.Rules{Terraform: cfg.Terraform(), Revision: sha})
	}
	if slices.ContainsFunc(rules, func(r approval.Rules) bool { return r.NeedsCodeOwners() }) {
		if i.pull.BaseRef != info.DefaultBranch {
			return nil, nil, outcome.Refusedf("#%d is made against %s: which files it would change on %s is not known, and a rule asks for their owners", i.pull.Number, i.pull.BaseRef, info.DefaultBranch)
		}
		changed, err := i.api.PullFiles(ctx, i.repo, i.pull.Number)
		if err != nil {
			return nil, nil, err
		}
		for n := range rules {
			rules[n].Files = changed
			if rules[n].Owners, err = codeOwners(ctx, files, rules[n].Revision); err != nil {
				return nil, nil, fmt.Errorf("at %s: %w", rules[n].Revision[:7], err)
			}
		}
	}
	return rules, revisions, nil
}

// codeOwners reads the file where GitHub does; nil where there is none.
func codeOwners(ctx context.Context, files *configrepo.GitHub, sha string) (*approval.CodeOwners, error) {
	for _, place := range approval.CodeOwnersPlaces {
		data, err := files.File(ctx, sha, place)
		if errors.Is(err, configrepo.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return approval.ParseCodeOwners(place, data)
	}
	return nil, nil
}

// localRules are those of the checkout's HEAD, for where there is no pull
// request that could be approved.
func localRules(ctx context.Context, top string) ([]approval.Rules, error) {
	data, err := git.Run(ctx, top, "show", "HEAD:"+config.FileName)
	if err != nil {
		return nil, outcome.Refusedf("HEAD has no %s, so nothing says that a plan may be applied without approval", config.FileName)
	}
	cfg, err := config.Parse(config.FileName, []byte(data))
	if err != nil {
		return nil, err
	}
	return []approval.Rules{{Terraform: cfg.Terraform()}}, nil
}

// actionsBot is whom the job tokens of a repository's workflows act as.
const actionsBot = "github-actions[bot]"

// claim finds the plan comment of the pull request. Who wrote it decides, not its
// text: only one of the jobs' identity counts, or of whoever asks here. Every
// workflow of the repository has that identity, so that it is still a claim.
func (i infra) claim(ctx context.Context) (comment.Claim, bool, error) {
	me, err := i.api.Viewer(ctx)
	if err != nil {
		return comment.Claim{}, false, err
	}
	comments, err := i.api.Comments(ctx, i.repo, i.pull.Number)
	if err != nil {
		return comment.Claim{}, false, err
	}
	for _, c := range comments {
		if claim, ok := comment.ReadClaim(c.Body); ok && (c.By(me) || c.By(actionsBot)) {
			return claim, true, nil
		}
	}
	return comment.Claim{}, false, nil
}

func anyBegins(comments []github.IssueComment, by, marker string) bool {
	return slices.ContainsFunc(comments, func(c github.IssueComment) bool { return c.By(by) && strings.HasPrefix(c.Body, marker) })
}
