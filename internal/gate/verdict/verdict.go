// Package verdict decides if the plan of a pull request's head is approved, and
// reports it as a commit status that branch protection can ask for.
//
// What a plan comment says is a claim: it counts as far as the sealed plan and the
// checkout of the merge bear it out. A status is reported for pull requests
// against the default branch alone. The package applies nothing.
package verdict

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Request says about which plan is decided, and by what.
type Request struct {
	Site  *site.Site // its Top is the checkout of the merge, where there is one
	Teams approval.Teams
	// Fingerprint, if not empty, is the plan that must be the one of the head.
	Fingerprint string
	Planned     Planned
	Backend     []string
	// Key reads what opens the sealed plan; if nil, the claim is believed.
	Key      func() ([]seal.Identity, error)
	Registry func(host string) seal.Registry
	// Status is the context of the status to report; if empty, none is.
	Status   string
	Reporter *github.Client // who reports
	Strict   bool           // Reporter is an App: only what it reported is believed
	Queue    Queue
	RunURL   string
	// HooksSaid is what the hooks said, as JSON of Hooked; empty if they did not run.
	HooksSaid string
	Path      string        // where the programs of hooks are
	HookTime  time.Duration // that one may take; 0 is ten minutes
	HookGrace time.Duration // that the output of what it leaves running is waited for; 0 is that of the package process
	Comments  bool          // what the hooks said is kept on the pull request
	// Missing is why the decision lacks something it needs: the status says so.
	Missing error
}

// Planned is what the workflow knows of the plan job.
type Planned struct {
	Result  string // success, failure, …; if empty, it is not known
	Nothing bool   // the job said that there was nothing to plan
}

// Result is what was decided and reported.
type Result struct {
	Site *site.Site
	// Decision has no verdict if nothing was decided.
	Decision approval.Decision
	Claim    comment.Claim
	// Status is what is reported on the head or group; nil if no status is asked for.
	Status *github.Status
	// Kept says that the status was there already and was left alone.
	Kept bool
	// Elsewhere is the default branch, where the pull request is made against
	// another one and nothing was decided.
	Elsewhere string
	Unplanned bool   // the head has no plan
	Helped    bool   // a comment /help was answered, and nothing decided
	Started   string // branch on which the workflow that decides was started instead
	Signed    *record.Signed
	Hooked    *Hooked // what the hooks said of the plan; nil if there are none
}

// Decided reports whether there is a decision.
func (r *Result) Decided() bool { return r.Decision.Verdict != "" }

// Start starts the workflow of the gate on the default branch, which no pull
// request can change.
func Start(ctx context.Context, s *site.Site, workflow string, inputs map[string]string) (*Result, error) {
	branch, err := s.DefaultBranch(ctx)
	if err != nil {
		return nil, err
	}
	return &Result{Site: s, Started: branch}, s.API.Dispatch(ctx, s.Repo, workflow, branch, inputs)
}

// Decide decides and, where a status is asked for, reports it.
func Decide(ctx context.Context, r Request) (*Result, error) {
	result := &Result{Site: r.Site}
	if r.Status != "" {
		branch, err := r.Site.DefaultBranch(ctx)
		if err != nil {
			return nil, err
		}
		if r.Site.Pull.BaseRef != branch {
			// A status sticks to the commit: one that was given here would count on the
			// default branch when the base is changed.
			result.Elsewhere = branch
			return result, nil
		}
	}
	problem := r.decide(ctx, result)
	var none *unplannedError
	result.Unplanned = errors.As(problem, &none)
	switch {
	case r.Status != "":
		return result, r.report(ctx, result, problem)
	case result.Unplanned:
		return nil, outcome.Usagef("pull request #%d has %s: run waybill plan on it first", r.Site.Pull.Number, none.Error())
	}
	return result, problem
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

// decide decides by what the plan comment claims.
func (r Request) decide(ctx context.Context, result *Result) error {
	if r.Missing != nil {
		return r.Missing
	}
	touched, err := r.touched(ctx)
	if err != nil {
		return err
	}
	claim, err := r.claimed(ctx, touched)
	if err != nil {
		return err
	}
	if r.Fingerprint != "" {
		f, err := plan.ParseFingerprint(r.Fingerprint)
		if err != nil {
			return err
		}
		if !f.Means(claim.Fingerprint) {
			return outcome.Refusedf("pull request #%d is about plan %s, not %s: a new commit or plan asks again",
				r.Site.Pull.Number, claim.Fingerprint.Short(), f.Short())
		}
	}
	if claim.Head != r.Site.Pull.HeadSHA {
		return outcome.Refusedf("the plan is of commit %.7s, the head is %.7s: plan again", claim.Head, r.Site.Pull.HeadSHA)
	}
	if len(claim.Roots) == 0 {
		return outcome.Refusedf("the plan comment of #%d names no roots", r.Site.Pull.Number)
	}
	if err := r.merging(ctx); err != nil {
		return err
	}
	if r.Key != nil {
		if claim, err = r.open(ctx, claim); err != nil {
			return err
		}
	}
	if err := claim.Proven(); err != nil {
		return err
	}
	if err := whole(claim, touched); err != nil {
		return err
	}
	if claim.Roots, err = r.standing(ctx, claim); err != nil {
		return err
	}
	if err := r.moved(ctx, claim); err != nil {
		return err
	}
	if result.Hooked, err = r.hooked(ctx, claim); err != nil {
		return err
	}
	result.Claim = claim
	result.Decision, err = approval.Of(ctx, approval.Question{
		Subject: approval.Subject{Fingerprint: claim.Fingerprint, Earlier: claim.Earlier},
		Site:    r.Site, Teams: r.Teams, Changes: r.changes(claim, touched),
	})
	return err
}

// merging makes sure that the checkout is what would be merged. While there are
// conflicts GitHub leaves the merge of an earlier head in its place, or none. An App's
// status stays on the head when the conflicts are gone.
func (r Request) merging(ctx context.Context) error {
	pull := r.Site.Pull
	switch {
	case pull.Merged:
		return nil
	case r.Site.Top == "" && r.Strict && r.Status != "":
		return outcome.Pendingf("what merging %.7s would bring is not there: resolve the conflicts with %s, or give --checkout the merge",
			pull.HeadSHA, pull.BaseRef)
	case r.Site.Top == "":
		return nil
	}
	sha, of, err := r.Site.Checkout(ctx)
	if err != nil || of || sha == r.Queue.Head {
		return err
	}
	return outcome.Pendingf("the checkout %.7s is not what merging %.7s would bring: resolve the conflicts with %s, or run the gate again",
		sha, pull.HeadSHA, pull.BaseRef)
}

// changes are what the plan does, for the rules.
func (r Request) changes(claim comment.Claim, touched *roots.Selection) (changes []approval.Change) {
	for i, root := range claim.Roots {
		if touched != nil && !root.Removed {
			root.Moves = touched.States.Moves(root.Dir, root.Workspace)
		}
		// That it changes nothing is the word of a job that the author can change.
		changes = append(changes, approval.Change{
			Dir: root.Dir, Workspace: root.Workspace, Destroys: root.Destroys, None: !root.Changes && !r.Strict, Uses: root.Uses,
			Root: claim.Parts[i], Moves: root.Moves,
		})
	}
	return append(changes, approval.Waits(claim.Waits, claim.Fingerprint)...)
}

// moved says that the plan waits: for another one, since a state that it is of moved, or
// for another pull request that holds a root.
func (r Request) moved(ctx context.Context, claim comment.Claim) error {
	moved, err := comment.FindMoved(ctx, r.Site)
	if err != nil {
		return err
	}
	var lines []string
	for _, m := range claim.Before(moved) {
		lines = append(lines, m.String())
	}
	if len(lines) > 0 {
		return outcome.Pendingf("%s: comment /plan to plan again", strings.Join(lines, "; "))
	}
	return comment.Held(ctx, r.Site, func(h comment.Hold) bool {
		return slices.ContainsFunc(claim.Roots, func(root comment.ClaimRoot) bool { return h.Is(root.Dir, root.Workspace) })
	})
}

// claimed is what the plan of the head is. Where there is a checkout, that there
// was nothing to plan is not believed: it is looked up.
func (r Request) claimed(ctx context.Context, touched *roots.Selection) (claim comment.Claim, err error) {
	unplanned := &unplannedError{none: touched != nil && len(touched.Roots)+len(touched.Removed) == 0}
	switch {
	case r.Planned.Result != "" && r.Planned.Result != "success":
		return claim, &unplannedError{failed: true}
	case r.Planned.Nothing:
		if r.Site.Top == "" {
			unplanned.none = !r.Strict
		}
		return claim, unplanned
	}
	claim, found, err := comment.FindClaim(ctx, r.Site)
	if err == nil && (!found || r.Status != "" && claim.Head != r.Site.Pull.HeadSHA) {
		err = unplanned
	}
	if err != nil {
		return claim, err
	}
	return claim.Whole(ctx, r.Registry)
}

// touched chooses the roots that the pull request touches, where its merge is
// checked out; nil where it is not. In a merge queue, the base holds what is
// merged before it.
func (r Request) touched(ctx context.Context) (*roots.Selection, error) {
	if r.Site.Top == "" || r.Planned.Result != "" && r.Planned.Result != "success" {
		return nil, nil
	}
	base, err := r.base(ctx)
	if err != nil || base == "" {
		return nil, err
	}
	found, err := r.workspaces(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := roots.Touched(ctx, roots.Request{Top: r.Site.Top, Since: base, Backend: r.Backend, Found: found})
	return &chosen, err
}

// workspaces are those of roots that name them by a pattern, as the plan claims them:
// the gate reaches no backend. apply asks it again.
func (r Request) workspaces(ctx context.Context) (roots.Workspaces, error) {
	cfg, err := roots.Config(r.Site.Top)
	if err != nil {
		return nil, nil //nolint:nilerr // what is touched says so
	}
	allowed, err := r.Site.Terraform(ctx)
	if err != nil {
		return nil, err
	}
	patterns := slices.Concat(roots.Patterns(cfg), roots.Patterns(allowed))
	if len(patterns) == 0 {
		return nil, nil
	}
	claim, _, err := comment.FindClaim(ctx, r.Site)
	if err == nil {
		claim, err = claim.Whole(ctx, r.Registry)
	}
	found := make(roots.Workspaces)
	for _, r := range cfg.Roots { // a pattern of a directory that is gone stays: the plan must say so
		names := found[r.Dir]
		if !r.Pattern {
			names = append(names, r.Workspace)
		}
		found[r.Dir] = names
	}
	for _, c := range claim.Roots {
		found[c.Dir] = append(found[c.Dir], c.Workspace)
	}
	for _, w := range claim.Waits {
		found[w.Dir] = append(found[w.Dir], w.Workspace)
	}
	return found, err
}

// whole refuses a plan that leaves out a root that the change touches, and one by
// which two roots share a state.
func whole(claim comment.Claim, touched *roots.Selection) error {
	if touched == nil {
		return nil
	}
	named := func(dir, workspace string, removed bool) bool {
		return slices.ContainsFunc(claim.Roots, func(r comment.ClaimRoot) bool {
			// The directory to the letter: rules are found by it.
			return r.Dir == dir && r.Removed == removed && roots.Root{Dir: dir, Workspace: r.Workspace}.Is(dir, workspace)
		})
	}
	waits := func(r roots.Root) bool {
		return slices.ContainsFunc(claim.Waits, func(w plan.Waiting) bool { return r.Is(w.Dir, w.Workspace) && w.Dir == r.Dir }) &&
			slices.ContainsFunc(claim.Roots, func(c comment.ClaimRoot) bool { return c.Changes && slices.Contains(r.After, c.Dir) })
	}
	var missing []string
	for _, r := range touched.Roots {
		if !named(r.Dir, r.Workspace, false) && !waits(r) {
			missing = append(missing, fmt.Sprintf("%s is touched, and the plan does not name it", r.Name()))
		}
	}
	for _, r := range touched.Removed {
		if !named(r.Dir, r.Workspace, true) {
			name := roots.Root{Dir: r.Dir, Workspace: r.Workspace}.Name()
			missing = append(missing, name+" is taken away, and the plan does not say so")
		}
	}
	if len(missing) > 0 {
		return outcome.Refusedf("%s\nplan again", strings.Join(missing, "\n"))
	}
	return touched.Check()
}

// standing refuses a plan of which a root's configuration is another where it
// would be merged: something that it depends on was merged since. It gives the
// roots with the files that they have there.
func (r Request) standing(ctx context.Context, claim comment.Claim) ([]comment.ClaimRoot, error) {
	list := slices.Clone(claim.Roots)
	if r.Site.Top == "" {
		return list, nil
	}
	var moved []string
	for i, root := range list {
		if root.Removed {
			continue
		}
		sources, err := roots.ReadSources(ctx, r.Site.Top, root.Dir, root.VarFiles)
		if err == nil {
			// The plan's word, which can only bind to more. apply looks itself.
			sources, err = sources.With(ctx, r.Site.Top, root.Dir, root.Fetched)
		}
		switch {
		case outcome.Code(err) == outcome.Usage:
			moved = append(moved, root.Dir+": it is not there where this would be merged")
		case err != nil:
			return nil, err
		case sources.Digest != root.Configuration:
			what := root.Dir + ": its configuration is not the planned one where this would be merged"
			if files, err := roots.ChangedFiles(ctx, r.Site.Top, claim.Head, sources.Paths()); err == nil && len(files) > 0 {
				what += ": " + text.List(files, 10)
			}
			moved = append(moved, text.Printable(what))
		default: // which files are the root's, as the tree says it
			list[i].Sources, list[i].VarFiles, list[i].Whole = slices.Concat(sources.Dirs, sources.Files), sources.VarFiles, sources.Whole
		}
	}
	if len(moved) > 0 {
		return nil, outcome.Refusedf("%s\nsomething that the plan depends on was merged since: bring the branch up to date and plan again",
			strings.Join(moved, "\n"))
	}
	return list, nil
}

// roomForRecord is left in the gate's comment for the decision and its record.
const roomForRecord = 30_000

// open opens the sealed plan that the plan comment points to, and takes from it
// what the plan does.
func (r Request) open(ctx context.Context, claim comment.Claim) (comment.Claim, error) {
	identities, err := r.Key()
	if err != nil {
		return claim, err
	}
	if claim.Plan == "" {
		return claim, outcome.Refusedf("the plan of #%d was not sealed: give seal_to and store to waybill plan", r.Site.Pull.Number)
	}
	bundle, err := seal.Fetch(ctx, seal.Source{
		Plan: claim.Plan, Registry: r.Registry, Identities: identities,
		Expect: seal.Expect{Now: time.Now(), Fingerprint: claim.Fingerprint, Repository: r.Site.Name()},
	})
	if err != nil {
		return claim, err
	}
	document := bundle.Document
	parts, err := document.Parts()
	if err != nil {
		return claim, err
	}
	full, err := parts.Fingerprint()
	if err != nil {
		return claim, err
	}
	if document.Head != r.Site.Pull.HeadSHA {
		return claim, outcome.Refusedf(
			"the sealed plan is of commit %.7s, the head is %.7s: plan again", document.Head, r.Site.Pull.HeadSHA,
		)
	}
	var parsed []*terraform.Plan
	for _, root := range bundle.Roots {
		p, err := terraform.ParsePlan(root.JSON)
		if err != nil {
			return claim, err
		}
		parsed = append(parsed, p)
	}
	view := comment.View{
		Fingerprint: full, Parts: parts, Earlier: claim.Earlier, Head: document.Head, Removed: document.Removed, Sealed: claim.Plan,
	}
	secrets := redact.FindSecrets(parsed...)
	for i, record := range document.Roots {
		sources := &roots.Sources{VarFiles: record.VarFiles, Whole: record.Whole, Digest: record.Configuration}
		if record.Fetched != nil {
			sources.Fetched = *record.Fetched
		}
		if n := slices.IndexFunc(claim.Roots, func(c comment.ClaimRoot) bool { return c.Dir == record.Dir }); n >= 0 {
			sources.Dirs = claim.Roots[n].Sources
		}
		view.Roots = append(view.Roots, comment.RootView{
			Dir: record.Dir, Workspace: record.Workspace, Whole: record.Whole, Summary: record.Summarize(parsed[i], secrets),
			Sources: sources, Lineage: record.Lineage, Serial: record.Serial,
		})
	}
	view.Waits = claim.Waits
	opened := view.Claim()
	opened.Text = "\nThe sealed plan itself says:\n\n" + view.Text(markdown.MaxComment-roomForRecord) + "\n"
	return opened, nil
}
