// Package proposal plans what a change asks for, and seals the plan for those who
// may apply it.
//
// Nothing of a configuration runs before the policy of the default branch has
// judged it. Either every root is planned, or none is. The package applies and
// approves nothing.
package proposal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/atomicwriter"

	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Request says what is planned, and how.
type Request struct {
	Site     *site.Site
	Roots    roots.Request
	Tool     tool.Request
	Head     string // commit to plan; if empty, the pull request's head or HEAD
	Parallel int    // roots planned at the same time; 0 is 4
	Seal     Seal
	// ValidateOnly checks policy, format and validity, and plans nothing.
	ValidateOnly bool
	Comment      bool // keeps the plan as comments on the pull request
	RunURL       string
	Spread       Spread
	// Alone is the one root that is planned again, where the plan that stands has the
	// others; no directory is all of them. Asked is the comment that asks for it; nil if
	// none does. Unclear is why nobody knows what it asks for.
	Alone   asked.Root
	Asked   *asked.Comment
	Unclear error
	// Login gives the login for a plan role of terraform.environments.
	Login   func(role string) (cloud.Request, error)
	JSONOut string // directory for the plans as JSON; if empty, they are not written
}

// comments reports whether the plan is kept on a pull request.
func (r Request) comments() bool {
	s := r.Spread
	return r.Site != nil && r.Site.Pull != nil && r.Comment && !r.ValidateOnly && !s.List && s.Group == ""
}

// Seal says for whom the plan is sealed, and where it is kept.
type Seal struct {
	Recipients []seal.Recipient // if empty, the plan is not kept
	Place      seal.Place
	Registry   func(host string) seal.Registry
	Lifetime   time.Duration
}

// ParseSeal reads for whom a plan is sealed, and where it is kept.
func ParseSeal(recipients []string, place string) (s Seal, err error) {
	if s.Recipients, err = seal.ParseRecipients(recipients); err != nil {
		return s, err
	}
	if len(s.Recipients) > 0 && place == "" {
		return s, outcome.Usagef("--seal-to without --store: say where the sealed plan is kept")
	}
	s.Place, err = seal.ParsePlace(place)
	return s, err
}

// Prepared are roots that the policy let pass, and the terraform for each.
type Prepared struct {
	roots.Selection
	Kit   *tool.Kit
	Guard *policy.Guard
	r     Request
	role  string       // of the cloud, by terraform.environments; empty is the request's
	group *group       // the only one that is planned; nil is all
	every []roots.Root // that are selected, planned here or not
	kept  []kept       // those that keep their plans
}

// Result is what came of a request: a plan, or what spoke against one.
type Result struct {
	*plan.Result                  // nil if nothing was planned
	View         comment.View     // what people see of the plan
	Head         string           // commit that was planned, or has nothing to plan
	Matrix       *Matrix          // the jobs that plan, where there are to be several
	Validated    *Validation      // nil unless nothing but that was asked for
	Findings     []policy.Finding // of the policy, which refused
	Stale        []Stale          // pull requests that are planned again
	Workspaces   roots.Workspaces // that the backends list, where waybill.yaml has patterns of them
	Unmatched    []string         // patterns that match none
	// Answered is why nothing was planned, where who asked for it by a comment is told:
	// the run has then done what it is for.
	Answered string
}

// Run plans, and keeps the comments of the plan.
func Run(ctx context.Context, r Request) (result Result, err error) {
	err = run(ctx, r, &result)
	var refused *policy.RefusedError
	if errors.As(err, &refused) {
		result.Findings = refused.Findings
	}
	var unplanned *NotPlanned
	if errors.As(err, &unplanned) && r.answers() {
		result.Answered = unplanned.Error()
	}
	return result, err
}

func run(ctx context.Context, r Request, result *Result) error {
	p, err := choose(ctx, r)
	if err != nil {
		return err
	}
	result.Workspaces, result.Unmatched = p.r.Roots.Found, p.unmatched()
	if !r.ValidateOnly {
		if result.Matrix, err = p.list(ctx); err != nil || result.Matrix != nil {
			return err
		}
		if r.Spread.Join && !p.Empty() {
			made, err := p.join(ctx)
			return result.take(ctx, r, made, err)
		}
		if err := p.narrow(ctx); err != nil {
			return err
		}
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	defer p.Close()
	if r.ValidateOnly {
		result.Validated, err = p.validate(ctx)
		return err
	}
	if p.Empty() {
		if result.Head, err = p.Head(ctx); err == nil && r.comments() {
			err = comment.KeepNothing(ctx, r.Site, result.Head)
		}
		return err
	}
	made, err := p.Plan(ctx)
	if err == nil && p.group != nil {
		err = p.keepPart(ctx, made)
	}
	return result.take(ctx, r, made, err)
}

// take takes what was planned, and keeps the comments of it.
func (result *Result) take(ctx context.Context, r Request, made *Result, err error) error {
	if err != nil {
		return err
	}
	made.Workspaces, made.Unmatched = result.Workspaces, result.Unmatched
	made.View.Unmatched = result.Unmatched
	*result = *made
	if r.comments() {
		return comment.Keep(ctx, r.Site, result.View)
	}
	return nil
}

// Failed says on the pull request that there is no plan, and why. It returns the
// reason.
func (r Request) Failed(ctx context.Context, why error) error {
	var unplanned *NotPlanned
	switch {
	case why == nil:
		return nil
	case errors.As(why, &unplanned):
		return r.answer(ctx, unplanned)
	case r.Spread.Group != "":
		return outcome.Join(why, r.failedPart(ctx, why))
	case !r.comments():
		return why
	}
	return outcome.Join(why, comment.KeepFailure(ctx, r.Site, comment.Failure{Why: why, RunURL: r.RunURL, Alone: r.Alone.Dir != ""}))
}

// choose chooses the roots.
func choose(ctx context.Context, r Request) (p *Prepared, err error) {
	if err := r.ofPull(ctx); err != nil {
		return nil, err
	}
	if err := r.findWorkspaces(ctx); err != nil {
		return nil, err
	}
	p = &Prepared{r: r}
	if p.Selection, err = roots.Select(ctx, r.Roots); err != nil {
		return nil, err
	}
	p.every = p.Roots
	return p, p.alone(ctx)
}

// ready judges the roots before anything of them runs. Callers must Close what it
// prepares, unless there is an error.
func (p *Prepared) ready(ctx context.Context) (err error) {
	t := p.r.Tool
	if p.role != "" {
		if t.Login, err = p.r.Login(p.role); err != nil {
			return err
		}
	}
	if p.Kit, err = tool.Prepare(t); err != nil {
		return err
	}
	if err = p.judge(ctx); err != nil {
		p.Close()
	}
	return err
}

// ofPull refuses a fork, of which nothing may run, and plans a merged pull request by
// the files that it changed.
func (r *Request) ofPull(ctx context.Context) error {
	if r.Site == nil || r.Site.Pull == nil || r.ValidateOnly {
		return nil
	}
	pull := r.Site.Pull
	if !strings.EqualFold(pull.HeadRepo, r.Site.Repo.String()) {
		return outcome.Refusedf("pull request #%d comes from a fork: nothing of it is planned here. Push its commits to a branch of %s",
			pull.Number, r.Site.Repo)
	}
	if !pull.Merged || r.Roots.Since == "" {
		return nil
	}
	var err error
	r.Roots.Since, r.Roots.Until = pull.MergeSHA+"^1", pull.MergeSHA
	r.Roots.Files, err = r.Site.API.PullFiles(ctx, r.Site.Repo, pull.Number)
	return err
}

func (p *Prepared) judge(ctx context.Context) error {
	allowed, err := p.r.Site.Terraform(ctx)
	if err != nil {
		return err
	}
	p.Guard = policy.NewGuard(p.r.Roots.Top, allowed)
	p.Kit.Guard, p.Kit.Given = p.Guard.Check, allowed.Given
	judged := p.every
	if p.group != nil {
		judged = p.Roots // other jobs judge theirs
	}
	if err := p.Guard.Trees(ctx, judged); err != nil {
		return err
	}
	if err := (roots.Selection{Roots: judged, States: p.States}).Check(); err != nil {
		return err
	}
	return p.Kit.Choose(ctx, p.Roots)
}

// Close removes what the preparation made.
func (p *Prepared) Close() { p.Kit.Close() }

// Empty reports whether the change touches no root.
func (p *Prepared) Empty() bool { return len(p.Roots)+len(p.Removed) == 0 }

// Plan plans the roots. Where all of them are planned, it seals and keeps the plan, and
// says who must approve it.
func (p *Prepared) Plan(ctx context.Context) (*Result, error) {
	if err := p.Kit.Login(ctx); err != nil {
		return nil, err
	}
	head, err := p.Head(ctx)
	if err != nil {
		return nil, err
	}
	allowed, err := p.r.Site.Terraform(ctx)
	if err != nil {
		return nil, err
	}
	removed := p.Removed
	if len(p.kept) > 0 {
		removed = nil // the joined plan says it
	}
	made, err := plan.Run(ctx, plan.Request{
		Top: p.r.Roots.Top, Roots: p.Roots, Repository: p.r.Site.Name(), Head: head, Tool: p.Kit.Tool, Parallel: p.r.Parallel,
		States: p.States, Adopt: p.Guard.MayAdopt, Removed: removed,
		Merged: p.r.Site.Pull != nil && p.r.Site.Pull.Merged, Part: p.group != nil || len(p.kept) > 0, Encrypted: allowed.EncryptedPlans,
	})
	if err = p.Guard.Refusal(err); err != nil {
		return nil, err
	}
	if err := writeJSON(p.r.JSONOut, made); err != nil {
		return nil, err
	}
	if p.group != nil {
		return &Result{Result: made, View: comment.Of(made), Head: head}, nil
	}
	var keep seal.Kept
	if len(p.r.Seal.Recipients) > 0 {
		if keep.Sealed, err = seal.Seal(seal.Of(made, time.Now(), p.r.Seal.Lifetime), p.r.Seal.Recipients); err != nil {
			return nil, err
		}
		if keep.Part, err = json.Marshal(p.say(made)); err != nil {
			return nil, err
		}
	}
	if len(p.kept) > 0 {
		return p.withKept(ctx, made, keep)
	}
	return p.result(ctx, made, keep)
}

// result keeps the sealed plan where it is to be kept, and says who must approve.
func (p *Prepared) result(ctx context.Context, made *plan.Result, keep seal.Kept) (*Result, error) {
	result := &Result{Result: made, View: comment.Of(made), Head: made.Document.Head}
	result.View.RunURL, result.View.Stands, result.View.Planned = p.r.RunURL, p.stands(), p.oldest()
	err := p.follow(ctx, &result.View)
	if err != nil {
		return nil, err
	}
	if s := p.r.Seal; len(s.Recipients) > 0 {
		keep.Fingerprint, keep.Claim = made.Fingerprint, result.View.Claim().JSON()
		if result.View.Sealed, err = s.Place.Save(ctx, s.client(), keep); err != nil {
			return nil, err
		}
	}
	if p.r.Site.Pull != nil {
		result.View.Approval, err = ask(ctx, p.r.Site, made)
	}
	return result, err
}

// writeJSON writes the plan of each root for other tools. Nobody else may read it:
// it holds every value.
func writeJSON(dir string, made *plan.Result) error {
	if dir == "" {
		return nil
	}
	for _, r := range made.Roots {
		name := "plan.json"
		if r.Record.Workspace != roots.DefaultWorkspace {
			name = r.Record.Workspace + ".plan.json"
		}
		path := filepath.Join(dir, filepath.FromSlash(r.Record.Dir), name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = atomicwriter.WriteFile(path, r.JSON, 0o600)
		}
		if err != nil {
			return fmt.Errorf("write the plan of %s as JSON: %w", r.Record.Dir, err)
		}
	}
	return nil
}

// follow names the earlier plans of the same head, whose approvals may count on.
func (p *Prepared) follow(ctx context.Context, v *comment.View) error {
	if !p.r.comments() {
		return nil
	}
	before, found, err := comment.FindStood(ctx, p.r.Site)
	if err == nil && found {
		before, err = before.Whole(ctx, p.r.Seal.Registry)
	}
	if outcome.Code(err) == outcome.Refused || !found {
		return nil
	}
	v.Follow(before)
	return err
}

// client is that of the registry in which plans are kept; nil for a directory.
func (s Seal) client() seal.Registry {
	if s.Place.Dir != "" {
		return nil
	}
	return s.Registry(s.Place.Repository.RegistryStr())
}

// Head is the commit that is planned. It refuses a checkout of another commit than
// the pull request's head or its merge.
func (p *Prepared) Head(ctx context.Context) (string, error) {
	if p.r.Head != "" {
		return p.r.Head, nil
	}
	sha, of, err := p.r.Site.Checkout(ctx)
	pull := p.r.Site.Pull
	if err != nil || pull == nil {
		return sha, err
	}
	if pull.Merged {
		if _, err := git.Run(ctx, p.r.Roots.Top, "merge-base", "--is-ancestor", pull.MergeSHA, "HEAD"); err != nil {
			return "", outcome.Refusedf("the checkout %.7s does not hold the merge %.7s of #%d: check out the default branch, whole",
				sha, pull.MergeSHA, pull.Number)
		}
		return pull.HeadSHA, nil
	}
	if !of {
		return "", outcome.Refusedf("the checkout is %.7s, neither the head %.7s of #%d nor its merge: "+
			"somebody pushed meanwhile, and the newer commit gets a plan of its own",
			sha, pull.HeadSHA, pull.Number)
	}
	return pull.HeadSHA, nil
}

// ask says who must approve. Where no rule says so, that is what the comment says:
// gate and apply refuse it.
func ask(ctx context.Context, s *site.Site, made *plan.Result) (string, error) {
	var changes []approval.Change
	for i, r := range made.Roots {
		changes = append(changes, approval.Change{
			Dir: r.Record.Dir, Workspace: r.Record.Workspace, Root: made.Parts[i], Destroys: r.Summary.Destroys(),
			None: !r.Summary.Asks(), Uses: r.Sources.Uses, Moves: r.Moves,
		})
	}
	changes = append(changes, approval.Removed(made.Document.Removed, made.Parts[len(made.Roots):])...)
	needs, _, err := approval.Ruled(ctx, s, append(changes, approval.Waits(made.Waits, made.Fingerprint)...))
	switch {
	case outcome.Code(err) == outcome.Refused:
		return "⚠️ Nobody can approve this plan: " + markdown.Text(err.Error()), nil
	case err != nil:
		return "", err
	}
	return approval.Ask(made.Fingerprint, needs), nil
}

// Document is the plan as JSON shows it.
type Document struct {
	Fingerprint plan.Fingerprint `json:"fingerprint"`    // empty if there was nothing to plan
	Head        string           `json:"head"`           // commit
	Plan        string           `json:"plan,omitempty"` // where it is, sealed
	Roots       []DocumentRoot   `json:"roots"`
}

// DocumentRoot is a root of it. Digests of changes are left out: they would let
// anybody try values.
type DocumentRoot struct {
	plan.RootRecord
	Summary summary.Summary `json:"summary"`
}

// Document of the result; nil if there was no plan to make.
func (r *Result) Shown() *Document {
	if r.Head == "" {
		return nil
	}
	d := &Document{Head: r.Head, Roots: []DocumentRoot{}}
	if r.Result == nil {
		return d
	}
	d.Fingerprint, d.Plan = r.Fingerprint, r.View.Sealed
	for _, root := range r.Roots {
		record := root.Record
		record.Changes, record.Plan = "", ""
		d.Roots = append(d.Roots, DocumentRoot{record, root.Summary})
	}
	return d
}

// Changes reports whether any root changes.
func (r *Result) Changes() bool {
	return r.Result != nil && slices.ContainsFunc(r.Roots, func(p plan.RootPlan) bool { return p.Summary.Changes() })
}
