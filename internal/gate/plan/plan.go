package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Request says what is planned.
type Request struct {
	Top        string       // of the repository, absolute
	Roots      []roots.Root // in the order in which they would be applied
	Repository string
	Head       string
	Tool       tool.Tool
	Parallel   int // roots planned at the same time; 0 is 4
	// States says whose state is whose; Adopt, which new roots may take over one
	// that holds resources. nil is none.
	States  roots.States
	Adopt   func(dir string) bool
	Removed []roots.Removed // roots that the change takes away
	// Merged says that the change is on the default branch, whose roots own their
	// states: one of which nothing changes takes nothing over.
	Merged bool
	// Encrypted lets OpenTofu encrypt the plan: nobody can then look into it.
	Encrypted bool
	// Part says that other jobs plan the other roots: one that cannot be planned may
	// wait for one of theirs.
	Part bool
}

// Result is what was planned.
type Result struct {
	Document    Document
	Fingerprint Fingerprint
	Parts       Parts // that it is made of
	Roots       []RootPlan
	Waits       []Waiting
	Secrets     *redact.Secrets
}

// Waiting is a root that cannot be planned before another one is applied.
type Waiting struct {
	Dir       string   `json:"dir"`
	Workspace string   `json:"workspace"`
	After     []string `json:"after"` // directories of roots that this plan changes
	Why       string   `json:"why"`
}

// RootPlan is the plan of one root.
type RootPlan struct {
	Record  RootRecord
	Binary  []byte
	JSON    []byte
	Summary summary.Summary
	Sources *roots.Sources
	Moves   []string // what changes beside resources
	Modules []string // fetched modules of another source or version

	warnings []string // of terraform, not redacted yet
	parsed   *terraform.Plan
}

const defaultParallel = 4

// PartialError is why there is no plan, beside the plans of those roots that have one.
type PartialError struct {
	Cause error
	Roots []RootPlan
}

func (e *PartialError) Error() string { return e.Cause.Error() }

// Unwrap keeps the cause reachable.
func (e *PartialError) Unwrap() error { return e.Cause }

// Run plans every root. Either all of them are planned, or there is no plan, and the
// error is a PartialError.
func Run(ctx context.Context, r Request) (*Result, error) {
	if len(r.Roots)+len(r.Removed) == 0 {
		return nil, outcome.Usagef("there is no root to plan")
	}
	r.Tool = r.Tool.Together()
	ready, broken, err := r.prepareAll(ctx)
	if err != nil {
		return nil, err
	}
	made, failed := make([]*RootPlan, len(ready)), make([]error, len(ready))
	err = r.each(ctx, len(ready), func(ctx context.Context, i int) (err error) {
		root := ready[i]
		if root == nil {
			return nil // it is broken
		}
		if made[i], err = r.plan(ctx, root); err != nil {
			made[i], err = nil, fmt.Errorf("%s: %w", root.Dir, root.secrets.Error(err))
		}
		if err != nil && len(root.After) > 0 && outcome.Code(err) == outcome.Broken {
			failed[i] = err // perhaps it waits for another
			return nil
		}
		return err
	})
	result := &Result{Document: Document{Version: DocumentVersion, Repository: r.Repository, Head: r.Head, Removed: r.Removed}}
	added := result.add(ready, made, failed, r)
	if err = outcome.Join(broken, err); err != nil {
		added = outcome.Join(append(failed, err)...)
	}
	if added != nil {
		return nil, &PartialError{result.Secrets.Error(added), result.Roots}
	}
	if result.Parts, err = result.Document.Parts(); err != nil {
		return nil, err
	}
	result.Fingerprint, err = result.Parts.Fingerprint()
	return result, err
}

// add takes what was made of each root. A root whose plan failed waits, when it comes
// after one that this plan changes: what it reads is not there yet.
func (result *Result) add(ready []*prepared, made []*RootPlan, failed []error, r Request) error {
	var parsed []*terraform.Plan
	for _, one := range made {
		if one != nil {
			parsed = append(parsed, one.parsed)
		}
	}
	result.Secrets = redact.FindSecrets(parsed...).Also(redact.GivenSecrets(r.Tool.Env(nil)))
	for i, one := range made {
		if one == nil {
			continue
		}
		one.Summary = one.Record.Summarize(one.parsed, result.Secrets)
		for _, w := range one.warnings {
			one.Summary.Warnings = append(one.Summary.Warnings, ready[i].secrets.Redact(result.Secrets.Redact(w)))
		}
		result.Roots, result.Document.Roots = append(result.Roots, *one), append(result.Document.Roots, one.Record)
	}
	var errs []error
	for i, err := range failed {
		if err == nil {
			continue
		}
		w := Waiting{Dir: ready[i].Dir, Workspace: ready[i].workspace, Why: result.Secrets.Error(err).Error()}
		for j, before := range made {
			if before != nil && before.Summary.Changes() && slices.Contains(ready[i].After, ready[j].Dir) {
				w.After = append(w.After, ready[j].Dir)
			}
		}
		if r.Part {
			w.After = ready[i].After // who joins knows which of them change
		}
		if len(w.After) == 0 {
			errs = append(errs, err)
			continue
		}
		result.Waits = append(result.Waits, w)
	}
	return outcome.Join(errs...)
}

// each does something for every root, and goes on past those that fail: all that is
// wrong is said at once. An interrupt ends it.
func (r Request) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group := new(errgroup.Group)
	if group.SetLimit(r.Parallel); r.Parallel <= 0 {
		group.SetLimit(defaultParallel)
	}
	errs := make([]error, n)
	for i := range n {
		group.Go(func() error {
			if ctx.Err() == nil {
				errs[i] = do(ctx, i)
			}
			return nil
		})
	}
	_ = group.Wait() // each root has its own error
	return outcome.Join(append(errs, ctx.Err())...)
}

// prepared is a root that is initialised, and of which nothing has run yet.
type prepared struct {
	roots.Root
	sources   *roots.Sources
	secrets   *redact.Secrets
	modules   map[string]string // digests of those that were fetched
	observed  map[string]string // what the tree said
	tf        *terraform.Root
	private   string // directory
	workspace string
}

// prepareAll initialises every root before any is planned, so that what the
// guard says of one is not said after another's providers have run: where it refuses
// one, or the run ends, err says so. Of roots that cannot be initialised, which are nil,
// broken says why.
func (r Request) prepareAll(ctx context.Context) (ready []*prepared, broken, err error) {
	ready = make([]*prepared, len(r.Roots))
	errs := make([]error, len(r.Roots))
	ended := r.each(ctx, len(r.Roots), func(ctx context.Context, i int) error {
		one, err := r.prepare(ctx, strconv.Itoa(i), r.Roots[i])
		if err != nil {
			errs[i] = fmt.Errorf("%s: %w", r.Roots[i].Dir, err)
		} else {
			ready[i] = one
		}
		return nil
	})
	broken = outcome.Join(errs...)
	if ended != nil || slices.ContainsFunc(errs, func(err error) bool { return outcome.Code(err) == outcome.Refused }) {
		return nil, nil, outcome.Join(broken, ended)
	}
	return ready, broken, nil
}

func (r Request) prepare(ctx context.Context, name string, root roots.Root) (*prepared, error) {
	sources, err := roots.ReadSources(ctx, r.Top, root.Dir, root.VarFiles)
	if err != nil {
		return nil, err
	}
	p := &prepared{Root: root, sources: sources, secrets: redact.GivenSecrets(r.Tool.Env(sources.Sensitive))}
	if p.tf, p.private, err = r.Tool.Open(r.Top, root, name, sources.Variables); err != nil {
		return nil, err
	}
	if p.workspace, err = Initialise(ctx, p.tf, root.Workspace, r.Tool.Backend); err != nil {
		return p, p.secrets.Error(err)
	}
	if p.modules, p.sources, err = Fetched(ctx, r.Top, root, p.tf, sources); err != nil {
		return p, err
	}
	if len(p.modules) > 0 {
		if err := asCommitted(ctx, r.Top, root, sources); err != nil {
			return p, err
		}
	}
	p.observed, err = p.observe(r.Top)
	return p, err
}

// asCommitted refuses a root of whose files terraform replaced some when it fetched modules.
func asCommitted(ctx context.Context, top string, root roots.Root, before *roots.Sources) error {
	now, err := roots.ReadSources(ctx, top, root.Dir, root.VarFiles)
	if err == nil && now.Digest != before.Digest {
		err = outcome.Refusedf("terraform fetches modules to %s, and files there are in the commit: take them out of it", terraform.FetchedDir)
	}
	return err
}

// observe gives what the tree says, by which it is told what the root opens.
func (p *prepared) observe(top string) (map[string]string, error) {
	modules, err := p.tf.Fetched()
	if err != nil {
		return nil, err
	}
	return roots.Observed(top, p.Root, modules)
}

// Fetched gives the digests of the modules that were fetched for a root, and its sources
// with what those read of the repository.
func Fetched(ctx context.Context, top string, root roots.Root, tf *terraform.Root, s *roots.Sources) (
	digests map[string]string, with *roots.Sources, err error,
) {
	if digests, err = tf.FetchedDigests(); err != nil {
		return nil, nil, err
	}
	modules, err := tf.Fetched()
	if err != nil {
		return nil, nil, err
	}
	read, err := roots.FindFetched(top, root, s, modules)
	if err != nil {
		return nil, nil, err
	}
	with, err = s.With(ctx, top, root.Dir, read.OrNil())
	return digests, with, err
}

// unchanged refuses a plan that was made while something changed the fetched modules, or
// the files by which it was told what the root opens: it is not of those that were judged.
func (p *prepared) unchanged(top string) error {
	now, err := p.tf.FetchedDigests()
	if err != nil {
		return err
	}
	if !maps.Equal(now, p.modules) {
		return outcome.Refusedf("its fetched modules were changed while it was planned")
	}
	observed, err := p.observe(top)
	if err != nil {
		return err
	}
	var changed []string
	for what, digest := range p.observed {
		if observed[what] != digest {
			changed = append(changed, what)
		}
	}
	if len(changed) == 0 && len(observed) == len(p.observed) {
		return nil
	}
	slices.Sort(changed)
	return outcome.Refusedf("planning it wrote files that say what it opens (%s): let it write them elsewhere",
		text.Printable(text.List(changed, maxNamed)))
}

const maxNamed = 20

func (r Request) plan(ctx context.Context, root *prepared) (*RootPlan, error) {
	tf, file := root.tf, filepath.Join(root.private, "plan")
	product := ""
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		version, err := tf.Version(groupCtx) // of what made the plan, its JSON says it
		product, _, _ = strings.Cut(version, " ")
		return err
	})
	var warnings []string
	group.Go(func() (err error) {
		warnings, err = tf.Plan(groupCtx, root.Options(r.Top, file))
		return err
	})
	err := group.Wait()
	if err == nil {
		err = root.unchanged(r.Top)
	}
	if err != nil {
		return nil, err
	}
	one := &RootPlan{
		Sources: root.sources, Moves: r.States.Moves(root.Dir, root.workspace), Modules: r.States.Modules(root.Dir, root.workspace),
		warnings: warnings,
	}
	if err := one.read(ctx, tf, file); err != nil {
		return nil, err
	}
	if one.parsed, err = terraform.ParsePlan(one.JSON); err != nil {
		return nil, err
	}
	state, err := terraform.PlanState(one.Binary)
	if errors.Is(err, terraform.ErrEncrypted) {
		if !r.Encrypted {
			return nil, RefuseEncrypted()
		}
		state, err = tf.State(ctx) // should it have moved meanwhile, the plan is stale, and OpenTofu says so
	}
	if err != nil {
		return nil, err
	}
	settled := r.Merged && !(RootRecord{RefreshOnly: root.RefreshOnly}).Summarize(one.parsed, redact.FindSecrets(one.parsed)).Changes()
	if !settled && r.States.TakesOver(root.Dir, root.workspace) && state.Resources > 0 && (r.Adopt == nil || !r.Adopt(root.Dir)) {
		return nil, roots.RefuseTakeOver(root.Dir, state.Resources)
	}
	one.Record = RootRecord{
		Dir: root.Dir, Workspace: root.workspace, Terraform: product + " " + one.parsed.TerraformVersion, Lineage: state.Lineage,
		Serial: state.Serial, VarFiles: root.VarFiles, Destroy: root.Destroy, RefreshOnly: root.RefreshOnly,
		Backend: r.States.Place(root.Dir, root.workspace), Whole: root.sources.Whole, LockFile: root.sources.LockFile,
		Configuration: root.sources.Digest, Modules: root.modules, Fetched: root.sources.Fetched.OrNil(),
	}
	if one.Record.Changes, err = ChangesDigest(one.JSON); err != nil {
		return nil, err
	}
	one.Record.Plan, err = terraform.PlanDigest(one.Binary)
	return one, err
}

// read reads both forms of a plan that was just made, and refuses one that is not whole.
func (one *RootPlan) read(ctx context.Context, tf *terraform.Root, file string) (err error) {
	if one.Binary, err = os.ReadFile(file); err != nil {
		return fmt.Errorf("read the binary plan: %w", err)
	}
	if one.JSON, err = tf.Show(ctx, file); err != nil {
		return err
	}
	if err := CheckWhole(one.JSON); err != nil {
		return err
	}
	if sign := terraform.Partial(one.warnings); sign != "" {
		return outcome.Refusedf("terraform says of the plan: %s", sign)
	}
	invoked, err := terraform.Invoked(one.JSON)
	one.warnings = append(one.warnings, invoked...)
	return err
}

// RefuseEncrypted refuses a plan that OpenTofu encrypts.
func RefuseEncrypted() error {
	return outcome.Refusedf("OpenTofu encrypts the plan, so that nobody can compare what it holds with the commit and the state. Take " +
		"`plan` out of the encryption block, because Waybill seals plans itself, or write `encryptedPlans: true` under `terraform` in " +
		"waybill.yaml of the default branch")
}

// Prepare initialises the root in its workspace, and says which terraform and
// which workspace it is. It is for plans that another terraform may have made;
// one that is just being made tells the version by itself.
func Prepare(ctx context.Context, tf *terraform.Root, workspace string, backend []string) (version, selected string, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		version, err = tf.Version(groupCtx)
		return err
	})
	group.Go(func() (err error) {
		selected, err = Initialise(groupCtx, tf, workspace, backend)
		return err
	})
	err = group.Wait()
	return version, selected, err
}

// Initialise readies the root in its workspace, and says which one that is.
func Initialise(ctx context.Context, tf *terraform.Root, workspace string, backend []string) (selected string, err error) {
	if err = tf.Init(ctx, backend); err != nil {
		return "", err
	}
	if workspace == "" || workspace == roots.DefaultWorkspace {
		return roots.DefaultWorkspace, nil // a new data directory selects no other
	}
	return workspace, tf.SelectWorkspace(ctx, workspace)
}
