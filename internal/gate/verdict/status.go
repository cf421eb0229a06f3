package verdict

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// situation is what a status depends on.
type situation struct {
	head     string
	decision approval.Decision
	problem  error          // why there is no decision
	before   *github.Status // of the head, where there is one
	queue    bool           // the commit is a merge queue's group, not the head
	strict   bool
}

// onto is how a description begins that is copied to a merge queue's group.
var onto = regexp.MustCompile(`^onto \S+: `)

// status is what is reported. Without a plan the status that the head has stays;
// keep says so.
func (s situation) status() (state, description string, keep bool) {
	waits := fmt.Sprintf("waits for a plan of %.7s", s.head)
	var none *unplannedError
	switch {
	case errors.As(s.problem, &none) && none.failed:
		return "failure", fmt.Sprintf("the plan of %.7s failed; see its run", s.head), false
	case none != nil && none.none:
		return "success", "no terraform root is touched", false
	case none != nil && (s.strict || s.before == nil):
		return "pending", waits, false
	case none != nil && s.queue:
		return s.before.State, onto.ReplaceAllString(s.before.Description, ""), false
	case none != nil:
		return s.before.State, s.before.Description, true
	case s.problem == nil && s.decision.Verdict == approval.Approved:
		return "success", "approved by " + s.decision.By(), false
	case s.problem == nil:
		return "pending", s.decision.WaitsFor(), false
	case outcome.Code(s.problem) == outcome.Pending:
		return "pending", s.problem.Error(), false
	case outcome.Code(s.problem) == outcome.Refused:
		return "failure", strings.ReplaceAll(s.problem.Error(), "\n", "; "), false
	}
	return "error", "it could not be decided; see the run", false
}

// report reports the decision as a commit status. A head without a plan is no
// problem of the run: the status says it.
func (r Request) report(ctx context.Context, result *Result, problem error) error {
	pull := r.Site.Pull
	s := situation{head: pull.HeadSHA, decision: result.Decision, problem: problem, strict: r.Strict}
	s.queue = r.Queue.Head != "" && r.Queue.Head != pull.HeadSHA
	if result.Unplanned && !r.Strict {
		statuses, err := r.Site.API.Statuses(ctx, r.Site.Repo, pull.HeadSHA)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(statuses, func(one github.Status) bool { return one.Context == r.Status }); i >= 0 {
			s.before = &statuses[i]
		}
	}
	status := github.Status{Context: r.Status, TargetURL: r.RunURL}
	status.State, status.Description, result.Kept = s.status()
	result.Status = &status
	if result.Kept {
		return nil
	}
	// An interrupted gate says so too, instead of leaving what was decided before.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	reported, sha := status, pull.HeadSHA
	if s.queue {
		sha = r.Queue.Head
	}
	reported.Description = fmt.Sprintf("onto %s@%.10s: %s", pull.BaseRef, pull.BaseSHA, status.Description)
	if err := r.Reporter.SetStatus(ctx, r.Site.Repo, sha, reported); err != nil {
		return err
	}
	if result.Unplanned || outcome.Code(problem) == outcome.Pending {
		return nil
	}
	return problem
}

// marker begins the one comment with the decision.
const marker = "<!-- waybill:gate -->"

// Markdown says what was decided.
func Markdown(d approval.Decision) string {
	if d.Verdict == approval.Pending {
		return "**Not approved yet:** plan " + markdown.Code(d.Fingerprint.Short()) + "\n\n" + markdown.Fence("", d.Reason())
	}
	return "**Approved:** plan " + markdown.Code(d.Fingerprint.Short()) + " by " + markdown.Text(d.By()) + "\n"
}

// Comment keeps the one comment with the decision; details follow it. It begins
// with the first approval that counts: what a plan waits for stands in its own
// comment.
func (r Request) Comment(ctx context.Context, result *Result, details string) error {
	d := result.Decision
	if result.Claim.Text == "" && result.Hooked == nil && d.Verdict == approval.Pending && len(d.Approvers()) == 0 {
		own, err := r.Site.Own(ctx, r.Reporter, marker)
		if err != nil || len(own) == 0 {
			return err
		}
	}
	return r.Site.Keep(ctx, r.Reporter, marker, markdown.Comment(
		marker+"\n"+Markdown(d), result.Hooked.Markdown(), result.Claim.Text, details,
	))
}

// refusedByHook refuses a plan that a hook refuses, and shows what the hooks said.
func (r Request) refusedByHook(ctx context.Context, h *Hooked) error {
	refused := h.refusal()
	if refused == nil || !r.Comments {
		return refused
	}
	return outcome.Join(refused, r.Site.Keep(ctx, r.Reporter, marker, markdown.Comment(
		marker+"\n❌ **A hook refuses this plan.** "+markdown.Text(refused.Error())+"\n", h.Markdown(),
	)))
}
