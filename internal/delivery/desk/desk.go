// Package desk takes requests to judge a change of the config repository: it finds
// the merge that a pull request or a merge queue would make, has it judged, and
// reports on the commit that was judged.
package desk

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Request names the change to judge: two revisions, a pull request, or a group
// of the merge queue.
type Request struct {
	Base, Head    string
	PullRequest   int
	MergeGroup    string
	StartWorkflow string // to start instead of judging here
	StatusContext string
	RunURL        string
}

// Branches is the config repository, as finding a merge uses it.
type Branches interface {
	check.Repository
	DefaultBranch(ctx context.Context) (string, error)
	Resolve(ctx context.Context, rev string) (string, error)
	Head(ctx context.Context, branch string) (string, error)
	ReadAhead(ctx context.Context, rev string, paths []string) error
}

// Desk takes requests: it finds the change, has it judged, and reports on the
// commit that was judged.
type Desk struct {
	Repo   Branches
	API    *github.Client
	GitHub github.Repository // zero for a local directory
	Dir    string            // of the repository that holds the configuration; empty is all
	// Judge decides by the rules, and with the keys, of a revision.
	Judge func(ctx context.Context, rev string) (*rules.Judge, error)
}

// Verdict is what came of a request.
type Verdict struct {
	check.Result
	// OnCommit is true if the verdict is a commit status, which holds the merge.
	OnCommit bool
	// Elsewhere says why nothing was judged: another branch, or another run.
	Elsewhere string
	// News is the head of a pull request that is refused, and was not before; empty
	// otherwise.
	News string `json:"-"`
	Pull int    `json:"-"` // its number
}

// merge is what a pull request or a merge group would merge, and onto what.
type merge struct {
	branch string // the default one, which it goes onto
	base   string // commit of the branch, as it is now
	head   string // commit; empty if no merge is judged
}

// Take judges what the request names.
func (d Desk) Take(ctx context.Context, req Request) (Verdict, error) {
	if req.StartWorkflow != "" {
		return d.start(ctx, req)
	}
	m, elsewhere, err := d.find(ctx, req)
	if err != nil || elsewhere != "" {
		return Verdict{Elsewhere: elsewhere}, err
	}
	if m.head == "" {
		head, err := d.head(ctx, req.Head)
		if err != nil {
			return Verdict{}, err
		}
		result, err := d.judge(ctx, req.Base, head)
		return Verdict{Result: result}, err
	}
	result, err := d.judge(ctx, m.base, m.head)
	verdict := Verdict{Result: result, OnCommit: true, Pull: req.PullRequest}
	if err == nil && result.State() == evidence.Refused && d.refusedFirst(ctx, req, m) {
		verdict.News = m.head
	}
	if statusErr := d.report(ctx, req, m, result, err); statusErr != nil && err == nil {
		err = statusErr
	}
	if err != nil {
		return Verdict{}, err
	}
	return verdict, nil
}

// refusedFirst reports whether the head was not said to be refused yet.
func (d Desk) refusedFirst(ctx context.Context, req Request, m merge) bool {
	statuses, err := d.API.Statuses(ctx, d.GitHub, m.head)
	return err == nil && !slices.ContainsFunc(statuses, func(s github.Status) bool {
		return s.Context == req.StatusContext && s.State == "failure"
	})
}

// start starts the workflow that judges, on the default branch.
func (d Desk) start(ctx context.Context, req Request) (Verdict, error) {
	branch, err := d.branch(ctx)
	if err != nil {
		return Verdict{}, err
	}
	inputs := map[string]string{}
	if req.PullRequest != 0 {
		inputs["pull_request"] = strconv.Itoa(req.PullRequest)
	}
	if req.MergeGroup != "" {
		inputs["merge_group"] = req.MergeGroup
	}
	return Verdict{Elsewhere: fmt.Sprintf("started  %s on %s", req.StartWorkflow, branch)},
		d.API.Dispatch(ctx, d.GitHub, req.StartWorkflow, branch, inputs)
}

func (d Desk) branch(ctx context.Context) (string, error) {
	branch, err := d.Repo.DefaultBranch(ctx)
	if err != nil {
		return "", fmt.Errorf("find the default branch: %w", err)
	}
	return branch, nil
}

// find finds the merge that the request names. A commit status sticks to the
// commit, whatever base its pull request has later: so only what goes into the
// default branch, which is what is deployed, is judged and reported on.
func (d Desk) find(ctx context.Context, req Request) (m merge, elsewhere string, err error) {
	switch {
	case req.PullRequest == 0 && req.MergeGroup == "":
		return merge{}, "", nil
	case req.PullRequest != 0 && req.MergeGroup != "":
		return merge{}, "", outcome.Usagef("--pull-request and --merge-group both name what to judge; give one")
	case d.GitHub.Name == "":
		return merge{}, "", outcome.Usagef("--pull-request and --merge-group need --repo")
	case req.MergeGroup != "" && !git.IsObjectID(req.MergeGroup):
		return merge{}, "", outcome.Usagef("--merge-group: %q is not a commit, 40 hexadecimal digits", req.MergeGroup)
	}
	m.head = req.MergeGroup
	if m.branch, err = d.branch(ctx); err != nil {
		return merge{}, "", err
	}
	if req.PullRequest != 0 {
		pull, err := d.API.Pull(ctx, d.GitHub, req.PullRequest)
		if err != nil {
			return merge{}, "", err
		}
		if pull.BaseRef != m.branch {
			return merge{}, fmt.Sprintf("not judged: pull request #%d goes into %s, and %s is what is deployed. "+
				"Waybill judges it, and sets its status, when %[3]s is its base", req.PullRequest, pull.BaseRef, m.branch), nil
		}
		m.head = pull.HeadSHA
	}
	// The base as it is now: that is what the merge goes onto.
	if m.base, err = d.Repo.Head(ctx, m.branch); err != nil {
		return merge{}, "", fmt.Errorf("read the head of %s: %w", m.branch, err)
	}
	return m, "", nil
}

// head is the revision to judge where no merge is.
func (d Desk) head(ctx context.Context, head string) (string, error) {
	if head != "" {
		return head, nil
	}
	if d.GitHub.Name != "" {
		return d.Repo.DefaultBranch(ctx)
	}
	_, err := d.Repo.Resolve(ctx, "HEAD")
	return "HEAD", err
}

func (d Desk) judge(ctx context.Context, base, head string) (check.Result, error) {
	of := base // the keys are the base's too
	if of == "" {
		of = head
	}
	judge, err := d.Judge(ctx, of)
	if err != nil {
		return check.Result{}, err
	}
	checker := check.Checker{Repo: d.Repo, Judge: judge}
	result, err := checker.Run(ctx, base, head)
	if err == nil && base != "" {
		var notes []check.Finding
		notes, err = d.replayed(ctx, judge, base, head)
		result.Notes = append(result.Notes, notes...)
	}
	for _, list := range [][]check.Finding{result.Findings, result.Notes} {
		for i := range list {
			list[i].File = path.Join(d.Dir, list[i].File)
		}
	}
	return result, err
}

// report sets the commit status on the head that was judged. Trouble is reported
// as trouble, never as a verdict.
func (d Desk) report(ctx context.Context, req Request, m merge, r check.Result, problem error) error {
	s := github.Status{Context: req.StatusContext, TargetURL: req.RunURL}
	verdict := ""
	switch {
	case problem != nil:
		s.State, verdict = "error", "the check could not be made; see the run"
	case r.State() == evidence.Refused:
		s.State, verdict = "failure", strconv.Itoa(r.Count(evidence.Refused))+" refused"
	case r.State() == evidence.Pending:
		s.State, verdict = "pending", r.Findings[0].Rule+": "+r.Findings[0].Message
	default:
		s.State, verdict = "success", r.Verified()
	}
	s.Description = fmt.Sprintf("onto %s@%.10s: %s", m.branch, m.base, verdict)
	// An interrupted check says so too, instead of leaving the head waiting.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return d.API.SetStatus(ctx, d.GitHub, m.head, s)
}
