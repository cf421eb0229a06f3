package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/apply"
	"github.com/waybill-dev/waybill/internal/approval"
	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/git"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/plan"
	"github.com/waybill-dev/waybill/internal/plan/seal"
)

func runApply(ctx context.Context, call *cli.Call) error {
	identities, err := sealKey(call)
	if err != nil {
		return err
	}
	top, err := top(ctx, call)
	if err != nil {
		return err
	}
	head, err := git.Run(ctx, top, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	where, err := openInfra(ctx, call)
	if err != nil {
		return err
	}
	if where.pull == nil && where.onGitHub() && call.Runner.Active() {
		if where.pull, err = where.mergedPull(ctx, head); err != nil {
			return err
		}
		if where.pull == nil {
			return outcome.Refusedf("commit %.7s came by no pull request, so nobody can have approved a plan of it", head)
		}
	}
	if where.pull != nil {
		if where.pull.State == "closed" && !where.pull.Merged {
			return outcome.Refusedf("pull request #%d was closed without being merged: its plan is not applied", where.pull.Number)
		}
		head = where.pull.HeadSHA
	}
	ref, expect, err := whatToApply(ctx, call, where)
	if err != nil {
		return err
	}
	if ref == "" {
		call.Sayf("nothing to apply: pull request #%d has no plan", where.pull.Number)
		return call.Output("applied", "false")
	}
	bundle, err := openSealed(ctx, call, ref, identities, expect)
	if err != nil {
		return err
	}
	tool, done, err := tool(call)
	if err != nil {
		return err
	}
	defer done()
	request := apply.Request{Top: top, Bundle: bundle, Repository: expect.Repository, Head: head, Tool: tool, Getenv: call.Getenv, Words: call.Stderr}
	applier, err := apply.Check(ctx, request)
	if err != nil {
		return err
	}
	full, err := bundle.Document.Fingerprint()
	if err != nil {
		return err
	}
	decision, err := approvalToApply(ctx, call, where, top, full, bundle, applier.Summaries)
	if err != nil {
		return err
	}
	results, runErr := applier.Run(ctx)
	return errors.Join(runErr, reportApply(context.WithoutCancel(ctx), call, where, full, results, decision, runErr))
}

// sealKey reads the identities that open sealed plans.
func sealKey(call *cli.Call) ([]seal.Identity, error) {
	text := call.In.String("seal_key")
	if file := call.In.String("seal_key_file"); text == "" && file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the key that opens plans: %w", err)
		}
		text = string(data)
	}
	if text == "" {
		return nil, outcome.Usagef("which key opens the plan? Give --seal-key-file FILE, or the secret input seal_key (%s)", "WAYBILL_INPUT_SEAL_KEY")
	}
	return seal.ParseIdentities(text)
}

// whatToApply is the sealed plan and what it must be: by the inputs, else by the
// comment of the pull request, which only claims it.
func whatToApply(ctx context.Context, call *cli.Call, where infra) (string, seal.Expect, error) {
	expect := seal.Expect{Now: time.Now(), Dirs: call.In.List("dir")}
	if where.onGitHub() {
		expect.Repository = where.repo.String()
	}
	ref := call.In.String("plan")
	if given := call.In.String("fingerprint"); given != "" {
		f, err := plan.ParseFingerprint(given)
		if err != nil {
			return "", expect, err
		}
		expect.Fingerprint = f
	}
	if ref != "" && expect.Fingerprint != "" {
		return ref, expect, nil
	}
	if where.pull == nil {
		return "", expect, outcome.Usagef("which plan? Give --plan and --fingerprint, or --pull-request N whose comment names them")
	}
	claim, found, err := where.claim(ctx)
	if err != nil || !found {
		return ref, expect, err
	}
	if ref == "" {
		ref = claim.Plan
	}
	if ref == "" {
		return "", expect, outcome.Refusedf("the plan of #%d was not sealed, so there is nothing to apply: give seal_to and store to waybill plan", where.pull.Number)
	}
	if expect.Fingerprint == "" {
		expect.Fingerprint = claim.Fingerprint
	}
	return ref, expect, nil
}

func openSealed(ctx context.Context, call *cli.Call, text string, identities []seal.Identity, expect seal.Expect) (*seal.Bundle, error) {
	ref, path, err := seal.ParseRef(text)
	if err != nil {
		return nil, err
	}
	host := ""
	if path == "" {
		host = ref.Registry()
	}
	data, err := seal.Load(ctx, sealedStore(call, host), ref, path)
	if err != nil {
		return nil, err
	}
	return seal.Open(data, identities, expect)
}

// approvalToApply decides anew, by what the sealed plan itself says that it
// changes.
func approvalToApply(ctx context.Context, call *cli.Call, where infra, top string, full plan.Fingerprint, bundle *seal.Bundle, summaries []plan.Summary) (*approval.Decision, error) {
	var changes []approval.Change
	for i, s := range summaries {
		root := bundle.Document.Roots[i]
		sources, err := plan.ReadSources(top, root.Dir, root.VarFiles)
		if err != nil {
			return nil, err
		}
		changes = append(changes, approval.Change{Dir: root.Dir, Destroys: s.Destroys(), None: !s.Changes(), Uses: sources.Uses})
	}
	if where.pull != nil {
		decision, err := decideApproval(ctx, call, where, full, changes)
		if err == nil && decision.Verdict != approval.Approved {
			err = outcome.Pendingf("plan %s of #%d is not approved\n%s", full.Short(), where.pull.Number, decision.Reason())
		}
		return &decision, err
	}
	rules, err := localRules(ctx, top)
	if err != nil {
		return nil, err
	}
	needs, err := approval.NeedsOf(rules, changes)
	if err != nil {
		return nil, err
	}
	for _, n := range needs.Roots {
		if n.Approvals > 0 {
			return nil, outcome.Pendingf("%s needs %d approvals of %s, and approvals are given on a pull request: --pull-request N --repo OWNER/NAME", n.Dir, n.Approvals, strings.Join(n.From, ", "))
		}
	}
	return nil, nil
}

const applyMarker = "<!-- waybill:apply -->"

func reportApply(ctx context.Context, call *cli.Call, where infra, full plan.Fingerprint, results []apply.RootResult, decision *approval.Decision, failed error) error {
	record := struct {
		Fingerprint plan.Fingerprint   `json:"fingerprint"`
		Roots       []apply.RootResult `json:"roots"`
		Approval    *approval.Decision `json:"approval,omitempty"`
		Run         string             `json:"run,omitempty"`
	}{full, results, decision, call.Runner.Context().RunURL()}
	document, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	words := apply.Report(results)
	call.Sayf("%s", words)
	if call.In.String("format") == "json" {
		if _, err := fmt.Fprintln(call.Stdout, string(document)); err != nil {
			return err
		}
	}
	verdict := "**Applied** plan " + markdown.Code(full.Short())
	if failed != nil {
		verdict = "**Not applied in full:** plan " + markdown.Code(full.Short())
	}
	if decision != nil {
		verdict += ", approved by " + markdown.Text(orNobody(approvers(*decision)))
	}
	text := verdict + "\n\n" + markdown.Fence("", words)
	if failed != nil {
		text += "\n" + markdown.Fence("", failed.Error())
	}
	if url := record.Run; url != "" {
		text += "\n" + markdown.Link("run", url) + "\n"
	}
	errs := []error{call.Runner.Summary(text), call.Output("applied", strconv.FormatBool(failed == nil)), call.Output("record", string(document))}
	if where.pull != nil && call.In.Bool("comment") {
		errs = append(errs, where.api.Comment(ctx, where.repo, where.pull.Number, cutRunes(applyMarker+"\n"+text, commentLimit)))
	}
	return errors.Join(errs...)
}
