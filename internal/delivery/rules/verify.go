package rules

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// RuleVerify wants the workflows that verify a deployment to have succeeded where it
// runs, before it goes on.
const RuleVerify = "verify"

// States of a verification.
const (
	VerifyNone    = ""        // not started
	VerifyRunning = "running" // or about to
	VerifyPassed  = "passed"
	VerifyFailed  = "failed"
)

// Verification is what a workflow found of a deployment.
type Verification struct {
	State string
	URL   string // of the run
	Said  string // more of it, such as how the run ended
}

// Verifications asks what a workflow found of a deployment.
type Verifications func(ctx context.Context, v config.Verification, app, env string, ran history.Period) (Verification, error)

// verified asks for each workflow that verifies deployments to an environment before.
func (j *Judge) verified(ctx context.Context, d deployment) (reasons []evidence.Reason, err error) {
	if d.ran.Ref.IsZero() {
		return nil, nil // order says so
	}
	for _, v := range d.env.Verify {
		r := evidence.Reason{
			Rule: RuleVerify, State: evidence.Pending, Detail: "nobody can be asked here for the runs of " + v.Workflow,
			Remedy: "name the repository on GitHub with --repo",
		}
		if j.Verified != nil {
			found, err := j.Verified(ctx, v, d.app.Name, d.env.Name, d.ran)
			if err != nil {
				return nil, fmt.Errorf("ask how %s ended for %s in %s: %w", v.Workflow, d.app.Name, d.env.Name, err)
			}
			r = found.reason(v, d.env.Name)
		}
		reasons = append(reasons, r)
	}
	return reasons, nil
}

func (v Verification) reason(of config.Verification, env string) evidence.Reason {
	r := evidence.Reason{Rule: RuleVerify, State: evidence.Pending, Remedy: "passes when the run has succeeded"}
	more := ""
	if v.Said != "" {
		more = " (" + text.Cut(text.Line(v.Said), 140, "…") + ")"
	}
	if v.URL != "" {
		more += ": " + v.URL
	}
	switch v.State {
	case VerifyPassed:
		r.State, r.Remedy = evidence.Met, ""
		r.Detail = fmt.Sprintf("%s has succeeded in %s%s", of.Workflow, env, more)
	case VerifyFailed:
		r.State = evidence.Refused
		r.Detail = fmt.Sprintf("%s has failed in %s%s", of.Workflow, env, more)
		r.Remedy = "run that run again on its page, or deploy a digest that passes it"
	case VerifyRunning:
		r.Detail = fmt.Sprintf("%s verifies the deployment in %s%s", of.Workflow, env, more)
	default:
		r.Detail = fmt.Sprintf("%s has not verified the deployment in %s yet%s", of.Workflow, env, more)
		r.Remedy = "waybill promote starts it, hourly and after a change of the branch"
	}
	return r
}

// Bad says why a deployment that is over was not good: a source of health said so last,
// or a workflow that verifies it failed. It is empty where nobody said anything bad. Argo
// CD is not asked, because it tells of what runs now.
func (j *Judge) Bad(ctx context.Context, app config.App, env config.Environment, ran history.Period) (why string, err error) {
	d := deployment{app: app, env: env, ran: ran}
	var problems []error
	for _, h := range env.Health {
		if h.Application != "" {
			continue
		}
		said, err := j.said(ctx, d, h)
		if err != nil {
			problems = append(problems, fmt.Errorf("ask %s: %w", h.Name(app.Name, env.Name), err))
			continue
		}
		if said != nil && (said.State == "failure" || said.State == "error") && (h.From == "" || strings.EqualFold(h.From, said.By)) {
			return said.reason(h, d).Detail, nil
		}
	}
	reasons, err := j.verified(ctx, d)
	for _, r := range reasons {
		if r.State == evidence.Refused {
			return r.Detail, nil
		}
	}
	return "", outcome.Join(append(problems, err)...)
}
