package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// merge is what a pull request or a merge group would merge, and onto what.
type merge struct {
	branch    string // that it goes onto: the default one
	base      string // commit of the branch, as it is now
	head      string // commit; empty where no merge is judged
	elsewhere bool   // it goes into another branch, of which the status does not speak
}

var commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

// mergeToJudge finds the merge that the inputs name. A commit status sticks to
// the commit, whatever base its pull request has later: so only what goes into
// the default branch, which is what is deployed, is judged and reported on.
func mergeToJudge(ctx context.Context, call *cli.Call, repo place) (merge, error) {
	number, group := call.In.Int("pull_request"), call.In.String("merge_group")
	switch {
	case number == 0 && group == "":
		return merge{}, nil
	case number != 0 && group != "":
		return merge{}, outcome.Usagef("--pull-request and --merge-group both name what to judge; give one")
	case !repo.hasForge():
		return merge{}, outcome.Usagef("--pull-request and --merge-group need --repo")
	case group != "" && !commitForm.MatchString(group):
		return merge{}, outcome.Usagef("--merge-group: %q is not a commit, 40 hexadecimal digits", group)
	}
	m := merge{head: group}
	var err error
	if m.branch, err = repo.DefaultBranch(ctx); err != nil {
		return merge{}, fmt.Errorf("find the default branch: %w", err)
	}
	if number != 0 {
		pull, err := repo.api.Pull(ctx, repo.github, number)
		if err != nil {
			return merge{}, err
		}
		if pull.BaseRef != m.branch {
			call.Sayf("not judged: pull request #%d goes into %s, and %s is what is deployed. It is judged, and gets a status, when %s is its base", number, pull.BaseRef, m.branch, m.branch)
			return merge{elsewhere: true}, nil
		}
		m.head = pull.HeadSHA
	}
	// The base as it is now: that is what the merge goes onto.
	if m.base, err = repo.Head(ctx, m.branch); err != nil {
		return merge{}, fmt.Errorf("read the head of %s: %w", m.branch, err)
	}
	return m, nil
}

// verified counts the digests whose evidence was verified.
func verified(r check.Result) string {
	if len(r.Waybills) == 1 {
		return "1 digest verified"
	}
	return strconv.Itoa(len(r.Waybills)) + " digests verified"
}

// startCheck starts the workflow that judges, on the default branch.
func startCheck(ctx context.Context, call *cli.Call, repo place, workflow string) error {
	if !repo.hasForge() {
		return outcome.Usagef("--start-workflow starts a workflow on GitHub: give --repo, not --dir")
	}
	branch, err := repo.DefaultBranch(ctx)
	if err != nil {
		return fmt.Errorf("find the default branch: %w", err)
	}
	inputs := map[string]string{}
	for _, name := range []string{"pull_request", "merge_group"} {
		if value := call.In.String(name); value != "" {
			inputs[name] = value
		}
	}
	call.Sayf("started  %s on %s", workflow, branch)
	return repo.api.Dispatch(ctx, repo.github, workflow, branch, inputs)
}

// reportStatus sets the commit status on the head that was judged. Trouble is
// reported as trouble, never as a verdict.
func reportStatus(ctx context.Context, call *cli.Call, repo place, m merge, r check.Result, problem error) error {
	s := github.Status{Context: call.In.String("status_context"), TargetURL: call.Runner.Context().RunURL()}
	verdict := ""
	switch {
	case problem != nil:
		s.State, verdict = "error", "the check could not be made; see the run"
	case r.State() == evidence.Refused:
		s.State, verdict = "failure", count(r, evidence.Refused)+" refused"
	case r.State() == evidence.Pending:
		s.State, verdict = "pending", firstMessage(r)
	default:
		s.State, verdict = "success", verified(r)
	}
	s.Description = fmt.Sprintf("onto %s@%.10s: %s", m.branch, m.base, verdict)
	// An interrupted check says so too, instead of leaving the head waiting.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return repo.api.SetStatus(ctx, repo.github, m.head, s)
}
