package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runGate(ctx context.Context, call *cli.Call) error {
	signer, err := newRecordSigner(ctx, call)
	if err != nil {
		return err
	}
	where, err := openInfra(ctx, call)
	if err != nil {
		return err
	}
	if where.pull == nil {
		return outcome.Usagef("which pull request? Give --pull-request N")
	}
	if workflow := call.In.String("start_workflow"); workflow != "" {
		return where.startGate(ctx, call, workflow)
	}
	if where.reporter, where.strict, err = gateReporter(ctx, call, where); err != nil {
		return err
	}
	if call.In.Bool("status") {
		if elsewhere, err := where.isElsewhere(ctx, call); err != nil || elsewhere {
			return err
		}
	}
	d, claim, err := decideGate(ctx, call, where)
	if call.In.Bool("status") {
		return reportGateStatus(ctx, call, where, signer, d, claim, err)
	}
	var unplanned *unplannedError
	if errors.As(err, &unplanned) {
		return outcome.Usagef("pull request #%d has %s: run waybill plan on it first", where.pull.Number, unplanned.Error())
	}
	if err != nil {
		return err
	}
	return reportDecision(ctx, call, where, signer, d, claim)
}

// unplannedError is a head without a plan; none says that there is nothing to
// plan.
type unplannedError struct{ none, failed bool }

func (e *unplannedError) Error() string {
	switch {
	case e.none:
		return "nothing to plan"
	case e.failed:
		return "a plan that failed"
	}
	return "no plan"
}

// decideGate decides by what the plan comment claims.
func decideGate(ctx context.Context, call *cli.Call, where infra) (d approval.Decision, claim comment.Claim, err error) {
	claim, err = gateClaim(ctx, call, where)
	if err != nil {
		return d, claim, err
	}
	if given := call.In.String("fingerprint"); given != "" {
		f, err := plan.ParseFingerprint(given)
		if err != nil {
			return d, claim, err
		}
		if !f.Means(claim.Fingerprint) {
			return d, claim, outcome.Refusedf("pull request #%d is about plan %s, not %s: a new commit or plan asks again", where.pull.Number, claim.Fingerprint.Short(), f.Short())
		}
	}
	if claim.Head != where.pull.HeadSHA {
		return d, claim, outcome.Refusedf("the plan is of commit %.7s, the head is %.7s: plan again", claim.Head, where.pull.HeadSHA)
	}
	if len(claim.Roots) == 0 {
		return d, claim, outcome.Refusedf("the plan comment of #%d names no roots", where.pull.Number)
	}
	if claim, err = openClaimed(ctx, call, where, claim); err != nil {
		return d, claim, err
	}
	if err := wholePlan(ctx, call, where, claim); err != nil {
		return d, claim, err
	}
	if err := stillPlanned(ctx, call, claim); err != nil {
		return d, claim, err
	}
	var changes []approval.Change
	for _, r := range claim.Roots {
		// That it changes nothing is the word of a job that the author can change.
		changes = append(changes, approval.Change{Dir: r.Dir, Destroys: r.Destroys, None: !r.Changes && !where.strict, Uses: r.Uses})
	}
	d, err = decideApproval(ctx, call, where, claim.Fingerprint, changes)
	return d, claim, err
}

// stillPlanned refuses a plan of which a root's configuration is another where
// it would be merged: something that it depends on was merged since.
func stillPlanned(ctx context.Context, call *cli.Call, claim comment.Claim) error {
	if !call.In.Has("checkout") {
		return nil
	}
	top, err := top(ctx, call)
	if err != nil {
		return err
	}
	var moved []string
	for i, r := range claim.Roots {
		if r.Removed {
			continue
		}
		sources, err := roots.ReadSources(ctx, top, r.Dir, r.VarFiles)
		switch {
		case outcome.Code(err) == outcome.Usage:
			moved = append(moved, r.Dir+": it is not there where this would be merged")
		case err != nil:
			return err
		case sources.Digest != r.Configuration:
			text := r.Dir + ": its configuration is not the planned one where this would be merged"
			if files, err := roots.ChangedFiles(ctx, top, claim.Head, sources.Paths()); err == nil && len(files) > 0 {
				text += ": " + strings.Join(files[:min(len(files), 10)], ", ")
			}
			moved = append(moved, terraform.Printable(text))
		default: // which files are the root's, as the tree says it
			claim.Roots[i].Sources, claim.Roots[i].VarFiles, claim.Roots[i].Whole = slices.Concat(sources.Dirs, sources.Files), sources.VarFiles, sources.Whole
		}
	}
	if len(moved) > 0 {
		return outcome.Refusedf("%s\nsomething that the plan depends on was merged since: bring the branch up to date and plan again", strings.Join(moved, "\n"))
	}
	return nil
}

func reportDecision(ctx context.Context, call *cli.Call, where infra, signer *recordSigner, d approval.Decision, claim comment.Claim) error {
	document, err := jsonDocument(d)
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
	err = outcome.Join(call.Output("decision", d.Verdict), call.Output("approvers", strings.Join(approvers(d), "\n")), call.Output("record", outputDocument(document)),
		call.Runner.Summary(decisionText(d)), commentDecision(ctx, call, where, claim.Text, d, document))
	if err != nil {
		return err
	}
	if d.Verdict == approval.Pending {
		return outcome.Pendingf("plan %s of #%d is not approved yet\n%s", d.Fingerprint.Short(), d.PullRequest, d.Reason())
	}
	call.Sayf("plan %s of #%d is approved by %s", d.Fingerprint.Short(), d.PullRequest, orNobody(approvers(d)))
	return signer.sign(ctx, record.Gate, d.Fingerprint, claim.Plan, document)
}

const gateMarker = "<!-- waybill:gate -->"

// commentDecision keeps the one comment with the decision. It begins with the
// first approval that counts: what a plan waits for stands in its own comment.
func commentDecision(ctx context.Context, call *cli.Call, where infra, sealed string, d approval.Decision, document []byte) error {
	if !call.In.Bool("comment") {
		return nil
	}
	me, err := where.reporter.Viewer(ctx)
	if err != nil {
		return err
	}
	if sealed == "" && d.Verdict == approval.Pending && len(approvers(d)) == 0 {
		comments, err := where.api.Comments(ctx, where.repo, where.pull.Number)
		if err != nil || !anyBegins(comments, me, gateMarker) {
			return err
		}
	}
	text := cutRunes(gateMarker+"\n"+decisionText(d)+sealed+recordDetails(document), commentLimit)
	return where.reporter.UpsertOwnComment(ctx, where.repo, where.pull.Number, me, gateMarker, text)
}

func decisionText(d approval.Decision) string {
	if d.Verdict == approval.Pending {
		return "**Not approved yet:** plan " + markdown.Code(d.Fingerprint.Short()) + "\n\n" + markdown.Fence("", d.Reason())
	}
	return "**Approved:** plan " + markdown.Code(d.Fingerprint.Short()) + " by " + markdown.Text(orNobody(approvers(d))) + "\n"
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
