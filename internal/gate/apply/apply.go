// Package apply carries out a terraform plan that was approved, exactly that
// one, or nothing.
//
// Everything that can be computed again is, before anything is changed: Open
// reads the files and compares what needs no terraform (head commit, directory,
// lock file, configuration, variables), so that nothing of a tree that nobody
// approved is ever run; Check asks terraform for the rest (version, workspace,
// state lineage and serial, the changes in the binary plan). One difference in
// one root refuses them all. Then Run applies the stored binary plans in their
// order; terraform itself holds the state's lock meanwhile and refuses a plan
// whose state has moved on. A root whose stored plan can hold what nobody saw is
// planned again first, and the new plan is applied if it changes the same.
//
// The package reads neither approvals nor stores: the caller decides that the
// plan is approved, after Open and before Check. What it reports names no
// sensitive value.
package apply

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Request says what is applied, where.
type Request struct {
	Top        string // of the repository
	Bundle     *seal.Bundle
	Repository string // that this is
	Head       string // commit that is the head now
	Tool       tool.Tool
	States     roots.States // whose state is whose
	Adopt      func(dir string) bool
	Merged     bool                // the change is on the default branch
	Getenv     func(string) string // for TF_VAR_ alone
	Words      io.Writer           // progress; nil is none
	// Group folds the progress of a root in a log until the returned function
	// is called; nil does not.
	Group func(title string) (end func())
	// KeepState stores a state that the backend did not take and says where;
	// nil keeps none.
	KeepState func(ctx context.Context, dir string, state []byte) (string, error)
	// Encrypted lets a plan be applied that OpenTofu encrypts.
	Encrypted bool
	// MayDiffer are variables whose value may be another one than the plan's, which is
	// applied.
	MayDiffer []string
}

// Applier is a plan that is ready to be checked, and then applied.
type Applier struct {
	r       Request
	roots   []root
	secrets *redact.Secrets
	// after are the roots that come before each, by directory; elsewhere, those of
	// the plan that another job applies.
	after     map[string][]string
	elsewhere []string
	whole     plan.Document // the plan, with the roots of other jobs
	patterns  []roots.Root  // of waybill.yaml, that name their workspaces by a pattern
	// Summaries of the roots, in order.
	Summaries []summary.Summary
}

type root struct {
	record  plan.RootRecord
	sources *roots.Sources // nil where the directory is gone
	planned *terraform.Plan
	tf      *terraform.Root
	private string // directory
	file    string // of the binary plan
	// varFiles are those of variables that the plan leaves open, because they are
	// ephemeral; nil where it leaves none open.
	varFiles []string
	again    string // why it is planned again before it is applied; empty is that it is not
	shown    []byte // the binary plan in JSON, as terraform itself shows it
	fixed    string // file of the variables whose value is the plan's in any case; empty is none
}

// MismatchError says which fields are not as they were planned.
type MismatchError struct {
	Differences []plan.FieldDifference
	// Details say more: files that changed, what would be done now.
	Details []string
}

func (e *MismatchError) Error() string {
	lines := make([]string, 0, len(e.Differences)+len(e.Details)+1)
	for _, d := range e.Differences {
		text := d.String()
		if d.Field == "state serial" || d.Field == "state lineage" {
			text += " (something was applied since, perhaps this plan itself)"
		}
		if strings.HasPrefix(d.Field, plan.FetchedModule) {
			text += " (its source gave other files: a tag that was moved, or a server that answers otherwise)"
		}
		lines = append(lines, text)
	}
	lines = append(lines, e.Details...)
	return strings.Join(append(lines, "what was approved is not what would be applied: plan again"), "\n")
}

func mismatch(differences []plan.FieldDifference, details ...string) error {
	return &outcome.Error{Code: outcome.Refused, Cause: &MismatchError{Differences: differences, Details: details}}
}

// Open reads the plan and compares what needs no terraform. It starts nothing
// and changes nothing. A difference is a refusal.
func Open(ctx context.Context, r Request) (*Applier, error) {
	document := r.Bundle.Document
	if len(document.Roots) != len(r.Bundle.Roots) {
		return nil, fmt.Errorf("the bundle has %d plans and %d records", len(r.Bundle.Roots), len(document.Roots))
	}
	a := &Applier{r: r}
	var parsed []*terraform.Plan
	for _, b := range r.Bundle.Roots {
		if err := plan.CheckWhole(b.JSON); err != nil {
			return nil, err
		}
		p, err := terraform.ParsePlan(b.JSON)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, p)
	}
	a.secrets = redact.FindSecrets(parsed...)
	if r.Tool.Env != nil {
		a.secrets = a.secrets.Also(redact.GivenSecrets(r.Tool.Env(nil)))
	}
	now := a.now()
	var details []string
	for i, record := range document.Roots {
		if err := r.States.Check(record.Dir, record.Workspace); err != nil {
			return nil, err
		}
		a.Summaries = append(a.Summaries, record.Summarize(parsed[i], a.secrets))
		if err := a.variables(record, parsed[i]); err != nil {
			return nil, err
		}
		one := root{record: record, planned: parsed[i]}
		if _, err := os.Stat(filepath.Join(r.Top, filepath.FromSlash(record.Dir))); !errors.Is(err, os.ErrNotExist) {
			if one.sources, err = sourcesOf(ctx, r.Top, record); err != nil {
				return nil, fmt.Errorf("%s: %w", record.Dir, err)
			}
			if record.Configuration != one.sources.Digest {
				details = append(details, a.changedFiles(ctx, one)...)
			}
			record.Backend, record.Whole = r.States.Place(record.Dir, record.Workspace), one.sources.Whole
			record.LockFile, record.Configuration = one.sources.LockFile, one.sources.Digest
			if record.Plan, err = terraform.PlanDigest(r.Bundle.Roots[i].Binary); err != nil {
				return nil, fmt.Errorf("%s: %w", record.Dir, err)
			}
			now.Roots = append(now.Roots, record)
		}
		a.roots = append(a.roots, one)
	}
	if differences := plan.Compare(document, now); len(differences) > 0 {
		return nil, mismatch(differences, details...)
	}
	return a, nil
}

// sourcesOf are the sources of a root, with what its fetched modules read by the word of
// its plan. Check looks when they are fetched.
func sourcesOf(ctx context.Context, top string, record plan.RootRecord) (*roots.Sources, error) {
	sources, err := roots.ReadSources(ctx, top, record.Dir, record.VarFiles)
	if err != nil {
		return nil, err
	}
	return sources.With(ctx, top, record.Dir, record.Fetched)
}

// now is the document without roots.
func (a *Applier) now() plan.Document {
	now := plan.Document{Version: plan.DocumentVersion, Repository: a.r.Repository, Head: a.r.Head, Removed: a.r.Bundle.Document.Removed}
	if now.Repository == "" {
		now.Repository = a.r.Bundle.Document.Repository
	}
	return now
}

const maxFilesNamed = 20

// changedFiles names the files that are not as they were in the planned head.
func (a *Applier) changedFiles(ctx context.Context, r root) []string {
	files, err := roots.ChangedFiles(ctx, a.r.Top, a.r.Bundle.Document.Head, r.sources.Paths())
	if err != nil || len(files) == 0 {
		return nil // it only explains
	}
	return []string{r.record.Dir + ": not as in the planned commit: " + text.Printable(text.List(files, maxFilesNamed))}
}

// Check asks terraform for the rest of what the plan was bound to. It changes
// nothing. A difference is a refusal.
func (a *Applier) Check(ctx context.Context) error {
	now := a.now()
	var details []string
	for i := range a.roots {
		record, more, err := a.recompute(ctx, i)
		if err != nil {
			return a.secrets.Error(fmt.Errorf("%s: %w", a.roots[i].record.Dir, err))
		}
		now.Roots, details = append(now.Roots, record), append(details, more...)
	}
	if differences := plan.Compare(a.r.Bundle.Document, now); len(differences) > 0 {
		return mismatch(differences, details...)
	}
	return nil
}

// recompute gives the record that the root would have now, and what would be
// done where it differs.
func (a *Applier) recompute(ctx context.Context, i int) (now plan.RootRecord, details []string, err error) {
	r, one := a.r, &a.roots[i]
	now = one.record
	if one.tf, one.private, err = r.Tool.Open(r.Top, rootOf(now), strconv.Itoa(i), one.sources.Variables); err != nil {
		return now, nil, err
	}
	if now.Terraform, now.Workspace, err = plan.Prepare(ctx, one.tf, one.record.Workspace, r.Tool.Backend); err != nil {
		return now, nil, err
	}
	if now.Terraform != one.record.Terraform {
		return now, nil, nil // it might not read the plan
	}
	if _, err := terraform.PlanState(r.Bundle.Roots[i].Binary); errors.Is(err, terraform.ErrEncrypted) && !r.Encrypted {
		return now, nil, plan.RefuseEncrypted()
	}
	if now.Modules, now.Fetched, err = a.fetched(ctx, one); err != nil {
		return now, nil, err
	}
	if !maps.Equal(now.Modules, one.record.Modules) {
		return now, nil, nil // nothing of them is run
	}
	if err := outcome.Join(a.everyWorkspace(ctx, i), a.holds(one, r.Bundle.Roots[i].Binary)); err != nil {
		return now, nil, err
	}
	one.file = filepath.Join(one.private, "plan")
	if err := os.WriteFile(one.file, r.Bundle.Roots[i].Binary, 0o600); err != nil {
		return now, nil, fmt.Errorf("unpack the binary plan: %w", err)
	}
	held, shown, err := one.stateAndPlan(ctx)
	if err != nil {
		return now, nil, err
	}
	state, err := terraform.ParseState(held)
	if err != nil {
		return now, nil, err
	}
	now.Lineage, now.Serial = state.Lineage, state.Serial
	if now.Lineage == one.record.Lineage && now.Serial == one.record.Serial {
		if err := sameObjects(r.Bundle.Roots[i].Binary, held, shown); err != nil {
			return now, nil, err
		}
	}
	settled := r.Merged && !a.Summaries[i].Changes()
	if !settled && r.States.TakesOver(now.Dir, now.Workspace) && state.Resources > 0 && (r.Adopt == nil || !r.Adopt(now.Dir)) {
		return now, nil, roots.RefuseTakeOver(now.Dir, state.Resources)
	}
	if now.Changes, err = a.judge(one, r.Bundle.Roots[i].JSON, shown); err != nil {
		return now, nil, err
	}
	switch {
	case now.Changes != one.record.Changes:
		details = a.explain(*one, storedSays, shown)
	case now.Lineage != one.record.Lineage || now.Serial != one.record.Serial:
		details = a.planAgain(ctx, *one)
	}
	return now, details, nil
}

// fetched gives what was fetched for a root that is initialised, and what that reads.
func (a *Applier) fetched(ctx context.Context, one *root) (map[string]string, *roots.Fetched, error) {
	if modules, err := one.tf.Fetched(); err != nil || len(modules) == 0 {
		return nil, nil, err
	}
	tree, err := roots.ReadSources(ctx, a.r.Top, one.record.Dir, one.record.VarFiles)
	if err != nil {
		return nil, nil, err
	}
	at := roots.Root{Dir: one.record.Dir, VarFiles: one.record.VarFiles}
	digests, with, err := plan.Fetched(ctx, a.r.Top, at, one.tf, tree)
	if err != nil {
		return nil, nil, err
	}
	return digests, with.Fetched.OrNil(), nil
}

// judge judges what terraform shows of the binary plan, as Open does with the sealed JSON
// beside it, which is the plan job's word. It gives the digest of the changes.
func (a *Applier) judge(one *root, sealed, shown []byte) (changes string, err error) {
	one.shown = shown
	if bytes.Equal(shown, sealed) { // which Open has judged
		one.shown = sealed
		return one.record.Changes, a.unseen(one, one.planned)
	}
	if err := plan.CheckWhole(shown); err != nil {
		return "", err
	}
	parsed, err := terraform.ParsePlan(shown)
	if err != nil {
		return "", err
	}
	if err := outcome.Join(a.variables(one.record, parsed), a.unseen(one, parsed)); err != nil {
		return "", err
	}
	changes, err = plan.ChangesDigest(shown)
	if err != nil || changes != one.record.Changes {
		return changes, err
	}
	// What data sources answered is in no fingerprint, and hooks read it.
	if same, err := plan.SameAnswers(shown, sealed); err != nil || !same {
		return "", outcome.Join(err, outcome.Refusedf("what people and hooks read of the stored plan of %s is not what its binary form says: "+
			"plan again", one.record.Dir))
	}
	return changes, nil
}

func rootOf(r plan.RootRecord) roots.Root { return roots.Root{Dir: r.Dir, Workspace: r.Workspace} }

// holds compares what a binary plan holds with the root: its configuration and its
// backend. It says where the plan leaves variables open.
func (a *Applier) holds(one *root, binary []byte) error {
	if err := sameConfiguration(one.tf, binary); err != nil {
		return err
	}
	if err := sameState(one.tf, one.record, binary); err != nil {
		return err
	}
	open, err := terraform.NeedsVariables(binary, strings.HasPrefix(one.record.Terraform, "opentofu"))
	if open {
		one.varFiles = roots.Root{VarFiles: one.record.VarFiles}.Options(a.r.Top, "").VarFiles
	}
	return err
}

// stateAndPlan are the state that the backend holds, and the plan in JSON. Neither
// needs the other, and showing a large plan takes a while.
func (one *root) stateAndPlan(ctx context.Context) (held, shown []byte, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		held, err = one.tf.PullState(groupCtx)
		return err
	})
	group.Go(func() (err error) {
		shown, err = one.tf.Show(groupCtx, one.file)
		return err
	})
	err = group.Wait()
	return held, shown, err
}

// sameConfiguration refuses a plan that holds another configuration than the
// root's: terraform would apply that one, with its provisioners.
func sameConfiguration(tf *terraform.Root, binary []byte) error {
	others, err := tf.OtherConfiguration(binary)
	if errors.Is(err, terraform.ErrEncrypted) {
		return nil // OpenTofu alone can read it
	}
	if err != nil || len(others) == 0 {
		return err
	}
	return outcome.Refusedf("the stored plan holds another configuration than the approved commit: %s. Plan again",
		text.Printable(text.List(others, maxFilesNamed)))
}

// sameState refuses a plan that is of another state than its record says: terraform
// writes the state of the backend that is in the plan, whatever the root says.
func sameState(tf *terraform.Root, record plan.RootRecord, binary []byte) error {
	others, err := tf.OtherBackend(binary, record.Workspace)
	if errors.Is(err, terraform.ErrEncrypted) {
		return nil // OpenTofu alone can read it
	}
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return outcome.Refusedf("the stored plan would write another state than the root's, its backend differs in: %s. Plan again",
			text.Printable(text.List(others, maxFilesNamed)))
	}
	state, err := terraform.PlanState(binary)
	if err == nil && (state.Lineage != record.Lineage || state.Serial != record.Serial) {
		err = outcome.Refusedf("the stored plan was made from another state than the one that was approved: lineage %s, serial %d. "+
			"Plan again", text.Printable(cmp.Or(state.Lineage, "none")), state.Serial)
	}
	return err
}

// sameObjects refuses a plan that holds other objects than the state, without a word to
// those who approved it: terraform would write them, and change those.
func sameObjects(binary, state, shown []byte) error {
	said, err := terraform.ParsePlan(shown)
	if err != nil {
		return err
	}
	others, err := terraform.OtherObjects(binary, state, said)
	if errors.Is(err, terraform.ErrEncrypted) {
		return nil // OpenTofu alone can read it
	}
	if err != nil || len(others) == 0 {
		return err
	}
	return outcome.Refusedf("the stored plan holds these otherwise than the state, and says nothing of it: %s. Plan again",
		text.Printable(text.List(others, maxFilesNamed)))
}

// planAgain says what terraform would do now. The configuration is the approved
// one; only the state has moved.
func (a *Applier) planAgain(ctx context.Context, r root) []string {
	_, shown, err := a.planNow(ctx, r)
	if err != nil {
		return []string{r.record.Dir + ": what it would do now cannot be said: " + a.secrets.Error(err).Error()}
	}
	return a.explain(r, plannedNow, shown)
}

// planNow is the plan of a root as it is now: its file, and in JSON.
func (a *Applier) planNow(ctx context.Context, r root) (file string, shown []byte, err error) {
	file = filepath.Join(r.private, "again")
	options := r.record.Root().Options(a.r.Top, file)
	if r.fixed != "" {
		options.VarFiles = append(options.VarFiles, r.fixed) // the last one counts
	}
	warnings, err := r.tf.Plan(ctx, options)
	if err != nil {
		return "", nil, err
	}
	if sign := terraform.Partial(warnings); sign != "" {
		return "", nil, outcome.Refusedf("terraform says of the plan: %s", sign)
	}
	if shown, err = r.tf.Show(ctx, file); err != nil {
		return "", nil, err
	}
	return file, shown, plan.CheckWhole(shown)
}

const maxChangesNamed = 50

// comparison is what is said of another plan, and where no change in it differs.
type comparison struct{ differs, same string }

var (
	plannedNow = comparison{"planned now, it would differ", "planned now, it would do the same"}
	storedSays = comparison{"the stored plan says", "the two forms of the stored plan say different things, though of the same changes"}
)

// explain names the addresses of which another plan of the root says something
// else than the approved one.
func (a *Applier) explain(r root, say comparison, other []byte) []string {
	now, err := terraform.ParsePlan(other)
	if err != nil {
		return nil
	}
	compare := summary.DifferentChanges
	if r.record.RefreshOnly {
		compare = summary.DifferentRefresh
	}
	differences := compare(r.planned, now, redact.FindSecrets(r.planned, now))
	if len(differences) == 0 {
		return []string{r.record.Dir + ": " + say.same}
	}
	lines := []string{r.record.Dir + ": " + say.differs + ":"}
	for i, d := range differences {
		if i == maxChangesNamed {
			lines = append(lines, fmt.Sprintf("  and %d more", len(differences)-maxChangesNamed))
			break
		}
		lines = append(lines, "  "+text.Printable(d.String()))
	}
	return lines
}
