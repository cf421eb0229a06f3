package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runApply(ctx context.Context, call *cli.Call) error {
	identities, err := sealKey(call)
	if err != nil {
		return err
	}
	signer, err := newRecordSigner(ctx, call)
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
	by, err := askedByComment(ctx, call, where)
	if err != nil {
		return err
	}
	a := application{call: call, where: where, top: top, head: head, identities: identities, signer: signer, asked: by}
	if where.pull != nil || !where.onGitHub() || !call.Runner.Active() {
		return a.answer(ctx, a.run(ctx))
	}
	pulls, err := where.pushedPulls(ctx, call, top, head)
	if err != nil {
		return err
	}
	var errs []error
	for i, pull := range pulls {
		one := a
		one.where.pull = pull
		err := one.run(ctx)
		if len(pulls) > 1 && err != nil {
			err = fmt.Errorf("#%d: %w", pull.Number, err)
		}
		errs = append(errs, err)
		if err != nil && outcome.Code(err) == outcome.Broken && i+1 < len(pulls) {
			// What broke may be in the way of the next, which was not begun.
			return &outcome.Error{Code: outcome.Broken, Cause: outcome.Join(append(errs, fmt.Errorf("not begun: the plans of the %d pull requests after it", len(pulls)-i-1))...)}
		}
	}
	return outcome.Join(errs...)
}

// application is the plan of one pull request, or one that is given, on its way
// to be applied.
type application struct {
	call       *cli.Call
	where      infra
	top, head  string
	identities []seal.Identity
	signer     *recordSigner
	asked      *asked // by a comment; nil otherwise
}

// answer says on the pull request why nothing was applied, where a comment
// asked for it: nobody looks for the run of a comment.
func (a application) answer(ctx context.Context, err error) error {
	code := outcome.Code(err)
	if a.asked == nil || code != outcome.Refused && code != outcome.Pending || !a.call.In.Bool("comment") {
		return err
	}
	text := applyMarker + "\n@" + a.asked.by + ": nothing was applied.\n\n" + markdown.Fence("", terraform.Printable(err.Error()))
	return outcome.Join(err, a.where.api.Comment(context.WithoutCancel(ctx), a.where.repo, a.where.pull.Number, cutRunes(text, commentLimit)))
}

func (a application) run(ctx context.Context) error {
	call, where := a.call, a.where
	if where.pull != nil {
		if where.pull.State == "closed" && !where.pull.Merged {
			return outcome.Refusedf("pull request #%d was closed without being merged: its plan is not applied", where.pull.Number)
		}
		a.head = where.pull.HeadSHA
	}
	ref, expect, err := a.whatToApply(ctx)
	if err != nil {
		return err
	}
	if ref == "" {
		call.Sayf("nothing to apply: pull request #%d has no plan", where.pull.Number)
		return call.Output("applied", "false")
	}
	bundle, err := openSealed(ctx, call, ref, a.identities, expect)
	if err != nil {
		return err
	}
	full, err := bundle.Document.Fingerprint()
	if err != nil {
		return err
	}
	tool, done, err := tool(call, a.top)
	if err != nil {
		return err
	}
	defer done()
	judge, err := policyGuard(ctx, call, where, a.top)
	if err != nil {
		return err
	}
	tool.Guard = judge.check
	for _, r := range bundle.Document.Roots {
		judge.reads(r.Dir, r.VarFiles)
	}
	logout, err := loginFor(ctx, call, &tool)
	if err != nil {
		return err
	}
	defer logout()
	if err := terraformOfPlan(ctx, call, bundle.Document.Roots, &tool); err != nil {
		return err
	}
	states, err := a.states(ctx, bundle.Document)
	if err != nil {
		return err
	}
	applier, err := apply.Open(ctx, apply.Request{
		States: states, Adopt: judge.mayAdopt,
		Top: a.top, Bundle: bundle, Repository: expect.Repository, Head: a.head, Tool: tool, Getenv: call.Getenv, Words: plainWords{call.Stderr}, Group: call.Runner.Group,
		Changed: func(ctx context.Context, paths []string) ([]string, error) {
			return roots.ChangedFiles(ctx, a.top, bundle.Document.Head, paths)
		},
		KeepState: func(ctx context.Context, dir string, state []byte) (string, error) {
			return keepState(ctx, call, ref, dir, state, a.identities)
		},
	})
	if err != nil {
		return err
	}
	// Nothing of a tree that nobody approved is run: approvals come first.
	decided, err := a.approvals(ctx, full, bundle, applier.Summaries)
	if err != nil {
		return err
	}
	if where.pull != nil {
		if err := where.mayApplyNow(ctx); err != nil {
			return err
		}
	}
	if err = judge.report(call, applier.Check(ctx)); err != nil {
		return err
	}
	results, runErr := applier.Run(ctx)
	return outcome.Join(runErr, a.report(context.WithoutCancel(ctx), ref, full, results, decided, runErr))
}

// states says whose state is whose: in the checkout, and on the base branch as it
// was when the pull request was last brought up to date.
func (a application) states(ctx context.Context, document plan.Document) (roots.States, error) {
	var planned []roots.Root
	for _, r := range document.Roots {
		planned = append(planned, roots.Root{Dir: r.Dir, Workspace: r.Workspace, VarFiles: r.VarFiles})
	}
	backend := a.call.In.List("backend_config")
	every, err := roots.With(a.top, planned)
	if err != nil {
		return roots.States{}, err
	}
	states := roots.States{Head: roots.Owners(a.top, every, backend)}
	if a.where.pull == nil || a.where.pull.BaseSHA == "" {
		return states, nil
	}
	before, err := roots.OwnersAt(ctx, a.top, a.where.pull.BaseSHA, backend)
	if err != nil {
		if not := a.where.mayApplyNow(ctx); not != nil { // its head may lack the base
			return roots.States{}, not
		}
		return roots.States{}, fmt.Errorf("find whose state is whose (the clone must be whole): %w", err)
	}
	states.Base, states.HasBase = before, true
	return states, nil
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
func (a application) whatToApply(ctx context.Context) (string, seal.Expect, error) {
	call, where := a.call, a.where
	expect := seal.Expect{Now: time.Now(), Dirs: call.In.List("dir")}
	if where.onGitHub() {
		expect.Repository = where.repo.String()
	}
	ref := call.In.String("plan")
	given := call.In.String("fingerprint")
	if a.asked != nil && a.asked.fingerprint != "" {
		given = a.asked.fingerprint
	}
	if given != "" {
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

// approvals decides anew, by what the sealed plan itself says that it changes.
func (a application) approvals(ctx context.Context, full plan.Fingerprint, bundle *seal.Bundle, summaries []summary.Summary) (*approval.Decision, error) {
	call, where, top := a.call, a.where, a.top
	var changes []approval.Change
	for i, s := range summaries {
		root := bundle.Document.Roots[i]
		sources, err := roots.ReadSources(ctx, top, root.Dir, root.VarFiles)
		if err != nil {
			return nil, err
		}
		changes = append(changes, approval.Change{Dir: root.Dir, Destroys: s.Destroys(), None: !s.Changes(), Uses: sources.Uses})
	}
	changes = append(changes, removedChanges(bundle.Document.Removed)...)
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
