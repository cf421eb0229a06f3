package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/approval"
	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/plan"
)

func runGate(ctx context.Context, call *cli.Call) error {
	where, err := openInfra(ctx, call)
	if err != nil {
		return err
	}
	if where.pull == nil {
		return outcome.Usagef("which pull request? Give --pull-request N")
	}
	claim, found, err := where.claim(ctx)
	if err != nil {
		return err
	}
	if !found {
		return outcome.Usagef("pull request #%d has no plan: run waybill plan on it first", where.pull.Number)
	}
	if given := call.In.String("fingerprint"); given != "" {
		f, err := plan.ParseFingerprint(given)
		if err != nil {
			return err
		}
		if !f.Means(claim.Fingerprint) {
			return outcome.Refusedf("pull request #%d is about plan %s, not %s: a new commit or plan asks again", where.pull.Number, claim.Fingerprint.Short(), f.Short())
		}
	}
	if claim.Head != where.pull.HeadSHA {
		return outcome.Refusedf("the plan is of commit %.7s, the head is %.7s: plan again", claim.Head, where.pull.HeadSHA)
	}
	if len(claim.Roots) == 0 {
		return outcome.Refusedf("the plan comment of #%d names no roots", where.pull.Number)
	}
	var changes []approval.Change
	for _, r := range claim.Roots {
		changes = append(changes, approval.Change{Dir: r.Dir, Destroys: r.Destroys, None: !r.Changes, Uses: r.Uses})
	}
	decision, err := decideApproval(ctx, call, where, claim.Fingerprint, changes)
	if err != nil {
		return err
	}
	return reportDecision(call, decision)
}

func reportDecision(call *cli.Call, d approval.Decision) error {
	document, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if call.In.String("format") == "json" {
		if _, err := fmt.Fprintln(call.Stdout, string(document)); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(call.Stdout, d.Verdict); err != nil {
		return err
	}
	if err := errors.Join(call.Output("decision", d.Verdict), call.Output("approvers", strings.Join(approvers(d), "\n")), call.Output("record", string(document))); err != nil {
		return err
	}
	if d.Verdict == approval.Pending {
		return outcome.Pendingf("plan %s of #%d is not approved yet\n%s", d.Fingerprint.Short(), d.PullRequest, d.Reason())
	}
	call.Sayf("plan %s of #%d is approved by %s", d.Fingerprint.Short(), d.PullRequest, orNobody(approvers(d)))
	return nil
}

func approvers(d approval.Decision) []string {
	var users []string
	seen := make(map[string]bool)
	for _, r := range d.Roots {
		for _, a := range r.Approvals {
			if !seen[a.User] {
				seen[a.User] = true
				users = append(users, a.User)
			}
		}
	}
	return users
}

func orNobody(users []string) string {
	if len(users) == 0 {
		return "nobody: no rule asks for it"
	}
	return strings.Join(users, ", ")
}
