package apply

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Order is to apply the plan of a pull request, the plans of those that a push
// brought, or a plan that is given.
type Order struct {
	Site  *site.Site
	Head  string // commit of the checkout
	Tool  tool.Request
	Teams approval.Teams
	// Plan, Fingerprint and Dirs say which plan; what they leave open, the comment of
	// the pull request claims.
	Plan, Fingerprint string
	Dirs              []string // that the plan must cover exactly; if empty, any
	Identities        []seal.Identity
	Registry          func(host string) seal.Registry
	Asked             *asked.Comment // that started the run; nil if none did
	Push              *Push          // whose pull requests are looked for where none is named; nil in no job
	Words             io.Writer
	Group             func(title string) (end func())
	Job               Job
	Tell              Tell
	Environment       string // roots of others are left out; if empty, none are
	// MergeHead is what is merged, in place of an apply; if empty, nothing is.
	MergeHead string
	// DryRun stops before the apply, where every check has passed.
	DryRun bool
	// Workflow is the file of the job's own workflow, and Run the job's run: another run of
	// it may hold a lock. If empty, there is no job.
	Workflow string
	Run      int64
}

// Result is what became of one plan.
type Result struct {
	Site        *site.Site
	Head        string           // commit that was planned
	Plan        string           // where it is, sealed; empty if the pull request has none
	Fingerprint plan.Fingerprint // in full
	Roots       []RootResult
	Approval    *approval.Decision // nil where there is no pull request
	Failed      error
	Record      *Record // nil where there was nothing to apply
	Signed      *record.Signed
	Findings    []policy.Finding // of the policy, which refused
	Matrix      *Matrix          // of the jobs that apply, where that was asked for
	MergeHead   string           // what is to be merged when they have applied it
	Unlocked    string           // what was given back, where that was asked for
	Ready       bool             // of a dry run: it would be applied
}

// All applies every plan that the order is about. report is told of each as soon
// as it is done with.
func All(ctx context.Context, o Order, report func(context.Context, *Result) error) error {
	var pulls []*github.PullRequest
	by, err := o.asker(ctx)
	switch {
	case err != nil:
		return o.answer(by, err)
	case o.DryRun && (o.MergeHead != "" || o.Unlocks()):
		return outcome.Usagef("--dry-run is for an apply: a merge and an unlock are done or not")
	case o.MergeHead != "":
		return o.answer(by, o.merge(ctx))
	case o.Unlocks():
		return o.answer(by, o.unlock(ctx, report))
	case o.Site.Pull != nil || !o.Site.OnGitHub() || o.Push == nil:
		return o.answer(by, o.one(ctx, report))
	}
	if pulls, err = o.pushed(ctx); err != nil {
		return err
	}
	var errs []error
	for i, pull := range pulls {
		one := o
		one.Site = o.Site.Of(pull)
		err := one.one(ctx, report)
		if len(pulls) > 1 && err != nil {
			err = fmt.Errorf("#%d: %w", pull.Number, err)
		}
		errs = append(errs, err)
		if err != nil && outcome.Code(err) == outcome.Broken && i+1 < len(pulls) {
			// What broke may be in the way of the next, which was not begun.
			errs = append(errs, fmt.Errorf("not begun: the plans of the %d pull requests after it", len(pulls)-i-1))
			return &outcome.Error{Code: outcome.Broken, Cause: outcome.Join(errs...)}
		}
	}
	return outcome.Join(errs...)
}

// one applies one plan.
func (o Order) one(ctx context.Context, report func(context.Context, *Result) error) error {
	if p := o.Site.Pull; p != nil {
		if p.State == "closed" && !p.Merged {
			return outcome.Refusedf("pull request #%d was closed without being merged: its plan is not applied", p.Number)
		}
		o.Head = p.HeadSHA
	}
	source, err := o.source(ctx)
	if err != nil {
		return err
	}
	result := &Result{Site: o.Site, Head: o.Head, Plan: source.Plan}
	if source.Plan == "" {
		return report(ctx, result)
	}
	bundle, err := seal.Fetch(ctx, source)
	if err != nil {
		return err
	}
	var parts plan.Parts
	whole := bundle
	if bundle, parts, err = o.ofEnvironment(ctx, bundle, result); err != nil {
		return err
	}
	if bundle == nil {
		return report(ctx, result) // another job applies it
	}
	kit, err := tool.Prepare(o.Tool)
	if err != nil {
		return err
	}
	defer kit.Close()
	applier, guard, err := o.open(ctx, kit, bundle, source)
	if err == nil {
		err = o.follows(ctx, applier, whole.Document)
	}
	if err != nil {
		return err
	}
	// Nothing of a tree that nobody approved is run: approvals come first.
	approved := func() (err error) {
		result.Approval, err = o.approved(ctx, question{result.Fingerprint, parts}, bundle, applier)
		return err
	}
	if err := approved(); err != nil {
		return err
	}
	if err := outcome.Join(mayApply(ctx, o.Site), applier.held(ctx, o.Site)); err != nil {
		return err
	}
	if err = guard.Refusal(applier.Check(ctx)); err != nil {
		return err
	}
	if err := outcome.Join(o.still(ctx, applier), o.stillApproved(ctx, approved)); err != nil {
		return err
	}
	return o.carryOut(ctx, applier, result, report)
}

// carryOut applies what has passed every check; in a dry run, it says that it would.
func (o Order) carryOut(ctx context.Context, a *Applier, result *Result, report func(context.Context, *Result) error) error {
	if o.DryRun {
		if err := a.Rehearse(ctx); err != nil {
			return err
		}
		result.Ready = true
		return report(ctx, result)
	}
	release, err := a.hold(ctx, result)
	if err != nil {
		return err
	}
	result.Roots, result.Failed = a.Run(ctx)
	result.Record = result.record(o.Job, time.Now())
	ctx = context.WithoutCancel(ctx)
	return outcome.Join(result.Failed, report(ctx, result), release(ctx), o.tell(ctx, result))
}

// follows holds the plan against waybill.yaml, as it is and as it was before the change.
func (o Order) follows(ctx context.Context, a *Applier, whole plan.Document) error {
	var base config.Terraform
	if p := o.Site.Pull; p != nil && p.BaseSHA != "" {
		branch, err := o.Site.DefaultBranch(ctx)
		if err == nil && p.BaseRef == branch {
			base, _, err = o.Site.TerraformAt(ctx, p.BaseSHA)
		}
		if err != nil {
			return err
		}
	}
	return a.follows(whole, base)
}

// open prepares terraform for the plan and compares what needs none.
func (o Order) open(ctx context.Context, kit *tool.Kit, bundle *seal.Bundle, source seal.Source) (*Applier, *policy.Guard, error) {
	allowed, err := o.Site.Terraform(ctx)
	if err != nil {
		return nil, nil, err
	}
	guard := policy.NewGuard(o.Tool.Top, allowed)
	kit.Guard, kit.Given = guard.Check, allowed.Given
	made := make(map[string]string)
	for _, r := range bundle.Document.Roots {
		guard.Reads(r.Dir, r.VarFiles)
		made[r.Dir] = r.Terraform
	}
	if err := kit.Login(ctx); err != nil {
		return nil, nil, err
	}
	if err := kit.AsPlanned(ctx, made); err != nil {
		return nil, nil, err
	}
	states, err := o.states(ctx, bundle.Document)
	if err != nil {
		return nil, nil, err
	}
	applier, err := Open(ctx, Request{
		Top: o.Tool.Top, Bundle: bundle, Repository: source.Expect.Repository, Head: o.Head, Tool: kit.Tool, States: states,
		Adopt: guard.MayAdopt, Encrypted: allowed.EncryptedPlans, Merged: o.Site.Pull != nil && o.Site.Pull.Merged,
		MayDiffer: allowed.MayDiffer, Getenv: o.Tool.Getenv, Words: o.Words, Group: o.Group,
		KeepState: func(ctx context.Context, dir string, state []byte) (string, error) {
			return o.keepState(ctx, source, dir, state)
		},
	})
	return applier, guard, err
}

// source is the sealed plan and what it must be: by the order, else by the
// comment of the pull request, which only claims it. Without a plan it is empty.
func (o Order) source(ctx context.Context) (seal.Source, error) {
	s := seal.Source{Plan: o.Plan, Registry: o.Registry, Identities: o.Identities}
	s.Expect = seal.Expect{Now: time.Now(), Dirs: o.Dirs, Repository: o.Site.Name()}
	given := o.Fingerprint
	if o.Asked != nil && o.Asked.Fingerprint() != "" {
		given = o.Asked.Fingerprint()
	}
	if given != "" {
		f, err := plan.ParseFingerprint(given)
		if err != nil {
			return s, err
		}
		s.Expect.Fingerprint = f
	}
	if s.Plan != "" && s.Expect.Fingerprint != "" {
		return s, nil
	}
	if o.Site.Pull == nil {
		return s, outcome.Usagef("which plan? Give --plan and --fingerprint, or --pull-request N whose comment names them")
	}
	claim, found, err := comment.FindClaim(ctx, o.Site)
	if err != nil || !found {
		return s, err
	}
	if s.Plan == "" {
		s.Plan = claim.Plan
	}
	if s.Plan == "" {
		return s, outcome.Refusedf("the plan of #%d was not sealed, so there is nothing to apply: give seal_to and store to waybill plan",
			o.Site.Pull.Number)
	}
	if s.Expect.Fingerprint == "" {
		s.Expect.Fingerprint = claim.Fingerprint
	}
	return s, nil
}

// states says whose state is whose: in the checkout, and on the base branch as it
// was when the pull request was last brought up to date.
func (o Order) states(ctx context.Context, document plan.Document) (roots.States, error) {
	var planned []roots.Root
	for _, r := range document.Roots {
		planned = append(planned, roots.Root{Dir: r.Dir, Workspace: r.Workspace, VarFiles: r.VarFiles})
	}
	every, err := roots.With(o.Tool.Top, planned)
	if err != nil {
		return roots.States{}, err
	}
	states := roots.States{
		Head: roots.Owners(o.Tool.Top, every, o.Tool.Backend), Ended: append([]roots.Removed{}, document.Removed...),
	}
	if o.Site.Pull == nil || o.Site.Pull.BaseSHA == "" {
		return states, nil
	}
	at := roots.Request{Top: o.Tool.Top, Backend: o.Tool.Backend, Found: roots.Of(planned)}
	states.Base, err = at.OwnersAt(ctx, o.Site.Pull.BaseSHA)
	if err != nil {
		if not := mayApply(ctx, o.Site); not != nil { // its head may lack the base
			return roots.States{}, not
		}
		return roots.States{}, fmt.Errorf("find whose state is whose (the clone must be whole): %w", err)
	}
	states.HasBase = true
	return states, nil
}

// question is about which plan, and which parts of it.
type question struct {
	full  plan.Fingerprint
	parts plan.Parts
}

// approved decides anew, by what the sealed plan itself says that it changes.
func (o Order) approved(ctx context.Context, q question, bundle *seal.Bundle, applier *Applier) (*approval.Decision, error) {
	full, parts := q.full, q.parts
	var changes []approval.Change
	for i, s := range applier.Summaries {
		root := bundle.Document.Roots[i]
		sources, err := sourcesOf(ctx, o.Tool.Top, root)
		if err != nil {
			return nil, err
		}
		changes = append(changes, approval.Change{
			Dir: root.Dir, Workspace: root.Workspace, Root: parts[i], Destroys: s.Destroys(), None: !s.Asks(), Uses: sources.Uses,
			Moves: applier.r.States.Moves(root.Dir, root.Workspace),
		})
	}
	changes = append(changes, approval.Removed(bundle.Document.Removed, parts[len(bundle.Document.Roots):])...)
	if o.Site.Pull == nil {
		return nil, approval.Committed(ctx, o.Site, changes)
	}
	earlier, err := o.earlier(ctx)
	if err != nil {
		return nil, err
	}
	subject := approval.Subject{Fingerprint: full, Earlier: earlier}
	decision, err := approval.Of(ctx, approval.Question{Subject: subject, Site: o.Site, Teams: o.Teams, Changes: changes})
	if err == nil && decision.Verdict != approval.Approved {
		err = outcome.Pendingf("plan %s of #%d is not approved\n%s", full.Short(), o.Site.Pull.Number, decision.Reason())
	}
	return &decision, err
}

// earlier are the plans of the same head that went before, as far as the plan
// comment names them. Their own parts prove them.
func (o Order) earlier(ctx context.Context) ([]plan.Parts, error) {
	claim, found, err := comment.FindClaim(ctx, o.Site)
	if err == nil && found {
		claim, err = claim.Whole(ctx, o.Registry)
	}
	if outcome.Code(err) == outcome.Refused {
		return nil, nil // it names none that can be believed
	}
	return claim.Earlier, err
}

// maxArmored is the most of a sealed state that is printed where it cannot be
// stored.
const maxArmored = 512 << 10

// keepState seals a state that the backend did not take, and keeps it beside the
// plan; in the log, where that fails: it is encrypted.
func (o Order) keepState(ctx context.Context, source seal.Source, dir string, state []byte) (string, error) {
	sealed, err := seal.State(state, o.Identities)
	if err != nil {
		return "", err
	}
	var client seal.Registry
	if strings.HasPrefix(source.Plan, "oci://") {
		if ref, _, err := seal.ParseRef(source.Plan); err == nil {
			client = o.Registry(ref.Registry())
		}
	}
	place, err := seal.SaveState(ctx, client, source.Plan, dir, sealed)
	if err == nil || len(sealed) > maxArmored {
		return place, err
	}
	text, armorErr := seal.Armored(sealed)
	if armorErr != nil {
		return "", armorErr
	}
	o.Tool.Say("the state of %s, sealed (it could not be kept beside the plan: %v)\n%s", dir, err, text)
	return "printed in the log", nil
}
