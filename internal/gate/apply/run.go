package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// States that a root can be left in.
const (
	Applied   = "applied"
	Unchanged = "unchanged" // the plan changes nothing
	Failed    = "failed"
	Untouched = "untouched" // an earlier root failed
)

// RootResult is what became of one root.
type RootResult struct {
	Dir       string   `json:"dir"`
	Workspace string   `json:"workspace,omitempty"` // empty is the default one
	State     string   `json:"state"`
	Serial    uint64   `json:"serial"`               // of the state afterwards
	Done      []string `json:"done,omitempty"`       // addresses that were changed
	Failed    []string `json:"failed,omitempty"`     // addresses that were not
	Untouched []string `json:"not_begun,omitempty"`  // addresses that were not reached
	Lost      string   `json:"lost_lock,omitempty"`  // what became of the state's lock, where it was lost
	Kept      string   `json:"kept_state,omitempty"` // where a state is that could not be saved, sealed
	Reason    string   `json:"reason,omitempty"`

	lineage string // of the state afterwards; empty where it was not touched
}

func (r RootResult) name() string { return roots.Root{Dir: r.Dir, Workspace: r.Workspace}.Name() }

// Run applies the plans in their order and stops at the first that fails. What
// it returns beside an error says how far it came.
func (a *Applier) Run(ctx context.Context) ([]RootResult, error) {
	var results []RootResult
	var failed error
	for i, root := range a.roots {
		result := RootResult{Dir: root.record.Dir, Serial: root.record.Serial, State: Untouched}
		if root.record.Workspace != roots.DefaultWorkspace {
			result.Workspace = root.record.Workspace
		}
		switch {
		case failed != nil:
		case !a.Summaries[i].Changes():
			result.State = Unchanged
		default:
			if failed = outcome.Join(a.stillAsPlanned(ctx, root, results), a.afterOthers(ctx, root, results)); failed == nil {
				failed = a.apply(ctx, root, a.Summaries[i], &result)
			}
		}
		results = append(results, result)
	}
	return results, failed
}

// follows refuses a plan whose roots do not stand in the order that waybill.yaml asks
// for by after: the order is the plan job's word. whole is the plan with the roots that
// are applied in other environments, perhaps just before; base is waybill.yaml before the
// change.
func (a *Applier) follows(whole plan.Document, base config.Terraform) error {
	cfg, err := roots.Config(a.r.Top)
	if err != nil {
		return err
	}
	a.after, a.whole, a.patterns = make(map[string][]string), whole, slices.Concat(roots.Patterns(cfg), roots.Patterns(base))
	for _, r := range cfg.Roots {
		for _, dir := range r.After {
			a.after[path.Clean(r.Dir)] = append(a.after[path.Clean(r.Dir)], path.Clean(dir))
		}
	}
	at := func(dir string) func(plan.RootRecord) bool {
		return func(r plan.RootRecord) bool { return r.Dir == dir }
	}
	for i, r := range whole.Roots {
		for _, before := range a.after[r.Dir] {
			if slices.ContainsFunc(whole.Roots[i:], at(before)) && before != r.Dir {
				return outcome.Refusedf("the plan has %s before %s, which it comes after by waybill.yaml: plan again", r.Dir, before)
			}
		}
		if !slices.ContainsFunc(a.r.Bundle.Document.Roots, at(r.Dir)) {
			a.elsewhere = append(a.elsewhere, r.Dir)
		}
	}
	return nil
}

// everyWorkspace refuses a plan that leaves out a workspace which the backend lists, and
// which waybill.yaml names by a pattern, or named before the change: which there are is
// the plan job's word. The first root
// of a directory asks.
func (a *Applier) everyWorkspace(ctx context.Context, i int) error {
	dir := a.roots[i].record.Dir
	patterns := slices.DeleteFunc(slices.Clone(a.patterns), func(p roots.Root) bool { return p.Dir != dir })
	if len(patterns) == 0 || slices.ContainsFunc(a.roots[:i], func(r root) bool { return r.record.Dir == dir }) {
		return nil
	}
	names, err := a.roots[i].tf.Workspaces(ctx)
	if err != nil {
		return err
	}
	var left []string
	for _, r := range (roots.Workspaces{dir: names}).Expand(patterns) {
		planned := slices.ContainsFunc(a.whole.Roots, func(w plan.RootRecord) bool { return r.Is(w.Dir, w.Workspace) })
		if !planned && !slices.ContainsFunc(a.whole.Removed, func(w roots.Removed) bool { return r.Is(w.Dir, w.Workspace) }) {
			left = append(left, r.Name())
		}
	}
	if len(left) > 0 {
		return outcome.Refusedf("the plan leaves out %s, which waybill.yaml names by a pattern: plan again",
			text.Printable(text.List(left, maxFilesNamed)))
	}
	return nil
}

// stillAsPlanned refuses a root whose files have changed since they were compared: the
// roots before it can have written them, by what others approved, and terraform opens
// some only when it applies. Their own states they write of course: a root that comes
// after them is planned again for that.
func (a *Applier) stillAsPlanned(ctx context.Context, r root, done []RootResult) error {
	var applied []string
	for _, d := range done {
		if d.State == Applied {
			applied = append(applied, d.Dir)
		}
	}
	modules, err := r.tf.FetchedDigests()
	if err == nil && !maps.Equal(modules, r.record.Modules) {
		err = outcome.Refusedf("%s: its fetched modules were changed since they were compared: nothing of it is applied", r.record.Dir)
	}
	if err != nil {
		return err
	}
	now, err := sourcesOf(ctx, a.r.Top, r.record)
	if err != nil || now.Beside(applied) == r.sources.Beside(applied) {
		return err
	}
	r.sources = now
	return mismatch([]plan.FieldDifference{{
		Dir: r.record.Dir, Field: "configuration", Planned: r.record.Configuration, Now: now.Digest,
	}}, a.changedFiles(ctx, r)...)
}

// afterOthers plans a root again that comes after one that was just applied, or that
// another job applies: what it reads may be other than what was approved. It lets the
// approved plan pass only where the plan would be the same.
func (a *Applier) afterOthers(ctx context.Context, root root, done []RootResult) error {
	before := slices.DeleteFunc(slices.Clone(a.after[root.record.Dir]), func(dir string) bool {
		applied := slices.ContainsFunc(done, func(d RootResult) bool { return d.State == Applied && d.Dir == dir })
		return !applied && !slices.Contains(a.elsewhere, dir)
	})
	if len(before) == 0 {
		return nil
	}
	dir := root.record.Dir
	shown, err := a.planNow(ctx, root)
	if err != nil {
		return fmt.Errorf("%s: plan again after %s: %w", dir, strings.Join(before, ", "), a.secrets.Error(err))
	}
	// What drifted or fails now is not what was approved; it changes nothing of what is done.
	now, err := root.record.Effect(shown)
	if err != nil {
		return err
	}
	if approved, err := root.record.Effect(root.json); err != nil || now == approved {
		return err
	}
	return outcome.Pendingf("%s\nplanned again after %s, it is not what was approved: comment /plan, approve what it says, and comment /apply",
		strings.Join(a.explain(root, plannedNow, shown), "\n"), strings.Join(before, ", "))
}

func (a *Applier) apply(ctx context.Context, root root, summary summary.Summary, result *RootResult) error {
	end := func() {}
	if a.r.Group != nil {
		end = a.r.Group("apply " + root.record.Dir)
	}
	started := make(map[string]bool)
	err := root.tf.Apply(ctx, root.file, root.varFiles, func(e terraform.Event) {
		switch e.Type {
		case "apply_start":
			started[e.Address] = true
		case "apply_complete":
			delete(started, e.Address)
			result.Done = append(result.Done, a.secrets.Redact(e.Address+": "+e.Action))
		case "apply_errored":
			delete(started, e.Address)
			result.Failed = append(result.Failed, a.secrets.Redact(e.Address+": "+e.Action))
		case "outputs", "version", "planned_change":
			return
		}
		a.say(root.record.Dir, e)
	})
	end()
	for address := range started {
		result.Failed = append(result.Failed, a.secrets.Redact(address)+": begun, and how it ended is not known")
	}
	slices.Sort(result.Failed)
	// Also after an interrupt: the state says what was reached.
	if state, stateErr := root.tf.State(context.WithoutCancel(ctx)); stateErr == nil {
		result.Serial, result.lineage = state.Serial, state.Lineage
	}
	if err == nil {
		result.State = Applied
		return nil
	}
	err = a.secrets.Error(err)
	result.State, result.Reason = Failed, err.Error()
	result.Untouched = notReached(summary, *result)
	dir := root.record.Dir
	switch {
	case terraform.IsReason(err, terraform.Stale):
		result.State = Untouched
		return outcome.Refusedf("%s: the state has moved on since the plan was made: plan again: %w", dir, err)
	case terraform.IsReason(err, terraform.Locked):
		result.State = Untouched
		return outcome.Refusedf("%s: somebody else holds the state's lock: another apply may be running%s: %w", dir, wayOut(dir, err), err)
	case terraform.IsReason(err, terraform.LockLost):
		result.Lost = "it could not be given back: somebody broke it, or the backend was out of reach; see that nobody else applied " +
			"meanwhile before you plan again"
		return fmt.Errorf("%s: the state's lock was lost: %w", dir, err)
	case terraform.IsReason(err, terraform.Unsaved):
		result.Lost = "the backend did not take the state: the lock may have been broken, or the backend was out of reach"
		result.Kept = a.keepState(context.WithoutCancel(ctx), root)
		return fmt.Errorf("%s: the state could not be saved: %w", dir, err)
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: interrupted: %w", dir, err)
	}
	return fmt.Errorf("%s: %w", dir, err)
}

// wayOut says who holds a lock, and how to break it where they are dead.
func wayOut(dir string, err error) string {
	lock, ok := terraform.LockOf(err)
	if !ok {
		return ""
	}
	return fmt.Sprintf(
		", by %s; wait for it, then plan again. If that process is dead, comment /unlock %s %s, or run `terraform force-unlock %s` in %s",
		lock, dir, lock.ID, lock.ID, dir,
	)
}

// actionWords are the words of terraform's events for the actions of a
// summary, in the order in which a resource is done with them.
var actionWords = map[string][]string{
	summary.Add: {"create"}, summary.Change: {"update"}, summary.Destroy: {"delete"}, summary.Replace: {"delete", "create"},
}

// notReached lists what was planned and neither done nor failed.
func notReached(s summary.Summary, r RootResult) []string {
	var left []string
	for _, resource := range s.Resources {
		words, known := actionWords[resource.Action]
		if !known {
			continue
		}
		touched := slices.ContainsFunc(r.Failed, func(f string) bool { return strings.HasPrefix(f, resource.Address+": ") })
		for _, word := range words {
			if !touched && !slices.Contains(r.Done, resource.Address+": "+word) {
				left = append(left, resource.Address+": "+word)
			}
		}
	}
	return left
}

// keepState takes the state that terraform could not save out of the clear.
func (a *Applier) keepState(ctx context.Context, root root) string {
	if a.r.KeepState == nil {
		return ""
	}
	path := filepath.Join(a.r.Top, filepath.FromSlash(root.record.Dir), terraform.ErroredState)
	state, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	place, err := a.r.KeepState(ctx, root.record.Dir, state)
	if err != nil {
		return "not kept, and still on this machine as " + terraform.ErroredState + ": " + err.Error()
	}
	_ = os.Remove(path) // what is in it is in the clear
	return place
}

// say writes a line of progress: without secrets, and such that the runner
// takes no command from it.
func (a *Applier) say(dir string, e terraform.Event) {
	if a.r.Words == nil || e.Message == "" {
		return
	}
	for line := range strings.SplitSeq(a.secrets.Redact(e.Message), "\n") {
		// The directory in front keeps the runner from seeing a command.
		fmt.Fprintf(a.r.Words, "%s  %s\n", dir, text.Printable(line))
	}
}

const maxNamed = 20

// Report says in words what was reached, and how to go on.
func Report(results []RootResult) string {
	var lines []string
	broken, unsaved := false, false
	for _, r := range results {
		line := r.name() + ": " + r.State
		if len(r.Done) > 0 {
			line += fmt.Sprintf(", %d done", len(r.Done))
		}
		if len(r.Failed) > 0 {
			line += ", not done: " + text.List(r.Failed, maxNamed)
		}
		if r.State == Failed {
			broken = true
			line += fmt.Sprintf("; the state is at serial %d", r.Serial)
		}
		lines = append(lines, line)
		if r.State == Failed && len(r.Done) > 0 {
			lines = append(lines, "  done: "+text.List(r.Done, maxNamed))
		}
		if len(r.Untouched) > 0 {
			lines = append(lines, "  not begun: "+text.List(r.Untouched, maxNamed))
		}
		if r.Lost != "" {
			lines = append(lines, "  lock lost: "+r.Lost)
		}
		if r.Kept != "" {
			unsaved = true
			lines = append(
				lines, "  the state that could not be saved, sealed: "+r.Kept,
				"  before anything else: age --decrypt -i KEY, then terraform state push, in "+r.name(),
			)
		}
	}
	switch {
	case unsaved:
		lines = append(
			lines,
			"what was done is in the sealed state alone; nothing is undone. Push that state first; then plan again, and approve "+
				"what is left",
		)
	case broken:
		lines = append(
			lines,
			"what was done is in the state; nothing is undone. The sealed plan is kept, but no longer fits: plan again, and approve "+
				"what is left (comment /plan on the pull request, merged or not)",
		)
	}
	return text.Printable(strings.Join(lines, "\n"))
}
