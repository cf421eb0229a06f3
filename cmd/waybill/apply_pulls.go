package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// maxPushed bounds the commits of one push that pull requests are looked for
// of.
const maxPushed = 100

// pushedPulls are the pull requests that brought the commits of a push to the
// default branch, oldest first: one, or as many as a merge queue merged at once.
func (i infra) pushedPulls(ctx context.Context, call *cli.Call, top, head string) ([]*github.PullRequest, error) {
	commits := []string{head}
	event, err := call.Runner.Event()
	if err != nil {
		return nil, err
	}
	if before := event.Before; strings.Trim(before, "0") != "" && event.After == head {
		out, err := git.Run(ctx, top, "rev-list", "--first-parent", "--reverse", fmt.Sprintf("--max-count=%d", maxPushed+1), before+".."+head)
		if err != nil {
			return nil, fmt.Errorf("list the commits that were pushed (the clone must be whole): %w", err)
		}
		if commits = strings.Fields(out); len(commits) > maxPushed {
			return nil, outcome.Usagef("more than %d commits were pushed at once: start apply for each pull request, with --pull-request N", maxPushed)
		}
	}
	var pulls []*github.PullRequest
	for _, sha := range commits {
		found, err := i.api.PullsOfCommit(ctx, i.repo, sha)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			// Of the commits of a rebased one, the last is its merge.
			if !p.Merged || p.MergeSHA != sha || slices.ContainsFunc(pulls, func(o *github.PullRequest) bool { return o.Number == p.Number }) {
				continue
			}
			full, err := i.api.Pull(ctx, i.repo, p.Number)
			if err != nil {
				return nil, err
			}
			pulls = append(pulls, full)
		}
	}
	if len(pulls) == 0 {
		return nil, outcome.Refusedf("commit %.7s came by no pull request, so nobody can have approved a plan of it", head)
	}
	return pulls, nil
}

// applyLine is a comment that asks for the plan to be applied, perhaps with its
// fingerprint.
var applyLine = regexp.MustCompile(`(?m)\A\s*/apply(?:[ \t]+([0-9a-f][0-9a-f \t]*))?[ \t]*\r?$`)

// asked is a comment that asks for the plan to be applied.
type asked struct {
	by          string
	fingerprint string // as far as it was said
}

// askedByComment reads the comment that started the run; nil when no comment
// did. It refuses one of somebody who may not write.
func askedByComment(ctx context.Context, call *cli.Call, where infra) (*asked, error) {
	event, err := call.Runner.Event()
	if err != nil || event.Comment == nil {
		return nil, err
	}
	if where.pull == nil {
		return nil, outcome.Usagef("the comment is not on a pull request")
	}
	if event.Action != "created" {
		return nil, outcome.Refusedf("the comment was %s: only a new one asks for something", event.Action)
	}
	m := applyLine.FindStringSubmatch(event.Comment.Body)
	if m == nil {
		return nil, outcome.Usagef("the comment does not ask for anything: its first line is /apply, or /apply and a fingerprint")
	}
	by := event.Comment.User.Login
	may, err := where.api.CanWrite(ctx, where.repo, by)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, outcome.Refusedf("%s may not write to %s, and asks in vain for something to be applied", by, where.repo)
	}
	return &asked{by: by, fingerprint: m[1]}, nil
}

// mayApplyNow refuses a pull request that is not merged, unless the rules let
// plans be applied before: then its head must be what a merge would bring.
func (i infra) mayApplyNow(ctx context.Context) error {
	p := i.pull
	if p.Merged {
		return nil
	}
	rules, _, err := i.rules(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(rules, func(r approval.Rules) bool { return !r.BeforeMerge }) {
		return outcome.Refusedf("pull request #%d is not merged: its plan is applied afterwards (terraform.apply: before-merge in waybill.yaml of the default branch would let it be applied now)", p.Number)
	}
	info, err := i.api.Repo(ctx, i.repo)
	if err != nil {
		return err
	}
	switch {
	case p.BaseRef != info.DefaultBranch:
		return outcome.Refusedf("pull request #%d is made against %s: before the merge, only what goes to %s is applied", p.Number, p.BaseRef, info.DefaultBranch)
	case p.Draft:
		return outcome.Refusedf("pull request #%d is a draft: mark it as ready first", p.Number)
	case !p.Mergeable:
		return outcome.Refusedf("pull request #%d cannot be merged as it is, or GitHub has not found out yet: resolve its conflicts, or try again", p.Number)
	}
	compared, err := i.api.Compare(ctx, i.repo, p.BaseRef, p.HeadSHA)
	if err != nil {
		return err
	}
	if compared.BehindBy > 0 {
		return outcome.Refusedf("the head of #%d lacks %d commits of %s: bring it up to date, and plan again", p.Number, compared.BehindBy, p.BaseRef)
	}
	return i.green(ctx)
}

// green refuses a head on which a status or check has not succeeded. That of
// the gate is left out: apply decides for itself.
func (i infra) green(ctx context.Context) error {
	statuses, err := i.api.Statuses(ctx, i.repo, i.pull.HeadSHA)
	if err != nil {
		return err
	}
	for _, s := range statuses {
		switch {
		case s.Context == "waybill/gate" || s.State == "success":
		case s.State == "pending":
			return outcome.Pendingf("status %s of #%d is pending", s.Context, i.pull.Number)
		default:
			return outcome.Refusedf("status %s of #%d is %s", s.Context, i.pull.Number, s.State)
		}
	}
	checks, err := i.api.Checks(ctx, i.repo, i.pull.HeadSHA)
	if err != nil {
		return err
	}
	for name, conclusion := range checks {
		switch conclusion {
		case "success", "neutral", "skipped":
		case "":
			return outcome.Pendingf("check %s of #%d is still running", name, i.pull.Number)
		default:
			return outcome.Refusedf("check %s of #%d is %s", name, i.pull.Number, conclusion)
		}
	}
	return nil
}
