package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// reportGateStatus reports the decision as a commit status, which branch
// protection can ask for, and then as otherwise. What waits is the status's to
// say: the run has then done what it is for.
func reportGateStatus(ctx context.Context, call *cli.Call, where infra, signer *recordSigner, d approval.Decision, claim comment.Claim, problem error) error {
	sha, err := gatedCommit(call, where)
	if err != nil {
		return err
	}
	s := github.Status{Context: call.In.String("status_context"), TargetURL: call.Runner.Context().RunURL()}
	var unplanned *unplannedError
	switch {
	case errors.As(problem, &unplanned):
		before, err := gateStatus(ctx, where, where.pull.HeadSHA, s.Context)
		switch {
		case err != nil:
			return err
		case unplanned.failed:
			s.State, s.Description = "failure", fmt.Sprintf("the plan of %.7s failed; see its run", where.pull.HeadSHA)
		case unplanned.none:
			s.State, s.Description = "success", "no terraform root is touched"
		case where.strict:
			s.State, s.Description = "pending", fmt.Sprintf("waits for a plan of %.7s", where.pull.HeadSHA)
		case before != nil && sha == where.pull.HeadSHA:
			call.Sayf("there is no plan of %.7s: its status stays %s", sha, before.State)
			return nil
		case before != nil: // in a merge queue
			s.State, s.Description = before.State, before.Description
		default:
			s.State, s.Description = "pending", fmt.Sprintf("waits for a plan of %.7s", where.pull.HeadSHA)
		}
		call.Sayf("%s: %s", s.State, s.Description)
	case problem == nil && d.Verdict == approval.Approved:
		s.State, s.Description = "success", "approved by "+orNobody(approvers(d))
	case problem == nil:
		s.State, s.Description = "pending", waitsFor(d)
	case outcome.Code(problem) == outcome.Refused:
		s.State, s.Description = "failure", strings.ReplaceAll(problem.Error(), "\n", "; ")
	default:
		s.State, s.Description = "error", "it could not be decided; see the run"
	}
	// An interrupted gate says so too, instead of leaving what was decided before.
	statusCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	s.Description = fmt.Sprintf("onto %s@%.10s: %s", where.pull.BaseRef, where.pull.BaseSHA, strings.TrimPrefix(s.Description, onto.FindString(s.Description)))
	if err := where.reporter.SetStatus(statusCtx, where.repo, sha, s); err != nil {
		return err
	}
	if unplanned != nil || problem != nil {
		if unplanned != nil {
			return nil
		}
		return problem
	}
	err = reportDecision(ctx, call, where, signer, d, claim)
	if outcome.Code(err) == outcome.Pending {
		call.Sayf("pending: %v", err)
		return nil
	}
	return err
}

// onto is how a description begins that is copied to a merge queue's group.
var onto = regexp.MustCompile(`^onto \S+: `)

// gatedCommit is what the status is of: the pull request's head, or what the
// merge queue would merge.
func gatedCommit(call *cli.Call, where infra) (string, error) {
	if group := call.In.String("merge_group"); group != "" {
		return group, nil
	}
	event, err := call.Runner.Event()
	if err != nil {
		return "", err
	}
	if event.MergeGroup != nil && event.Pull() == where.pull.Number {
		return event.MergeGroup.HeadSHA, nil
	}
	return where.pull.HeadSHA, nil
}

func gateStatus(ctx context.Context, where infra, sha, name string) (*github.Status, error) {
	list, err := where.api.Statuses(ctx, where.repo, sha)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if s.Context == name {
			return &s, nil
		}
	}
	return nil, nil
}

// waitsFor says shortly who is still needed.
func waitsFor(d approval.Decision) string {
	var parts []string
	for _, r := range d.Roots {
		if n := r.Missing(); n > 0 {
			parts = append(parts, fmt.Sprintf("%d of %s for %s", n, strings.Join(r.WaitsFor(), " or "), r.Dir))
		}
	}
	return "needs " + strings.Join(parts, "; ")
}
