package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration/flow"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// unseen finds out whether the binary plan of a root can hold something that decides what
// is done, and that neither its changes show nor anything here can be held against: what
// data sources answered when it was planned. Such a root is planned again before it is
// applied, and that plan is applied.
func (a *Applier) unseen(one *root, p *terraform.Plan) error {
	values, err := a.fixed(p)
	if err == nil && values != nil {
		one.fixed = filepath.Join(one.private, "fixed.tfvars.json")
		err = os.WriteFile(one.fixed, values, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the values of variables that may differ: %w", err)
	}
	unclear, missing, err := a.unclear(one.record, p)
	if err != nil {
		return err
	}
	found, err := one.tf.Reached(func(name string) bool { return unclear[name] })
	if err != nil {
		return err
	}
	reached := found.Settings
	if len(reached) == 0 {
		reached = hidden(found, p)
	}
	if len(reached) == 0 {
		return nil
	}
	one.again = text.Printable(text.List(reached, 3)) + " may depend on what data sources answer"
	return refuseMissing(one.record.Dir, one.again, missing)
}

// hidden lists the arguments and outputs that depend on an answer, and whose value the
// changes of a plan do not show: it is known only when it is applied, it is sensitive, or
// it is left out.
func hidden(found *flow.Found, p *terraform.Plan) (list []string) {
	for _, c := range p.ResourceChanges {
		after, creates := map[string]any(nil), false
		if c.Change != nil && !c.Change.Actions.NoOp() {
			after, creates = c.Change.After.(map[string]any)
		}
		for _, argument := range found.Answers[c.Type+"."+c.Name] {
			if creates && (after[argument] == nil || within(c.Change.AfterUnknown, argument) || within(c.Change.AfterSensitive, argument)) {
				list = append(list, argument+" of "+c.Address)
			}
		}
	}
	for name, c := range p.OutputChanges {
		_, depends := found.Answers["output."+name]
		if depends && !c.Actions.NoOp() && !c.Actions.Delete() && (holds(c.AfterUnknown) || holds(c.AfterSensitive)) {
			list = append(list, "output "+name)
		}
	}
	slices.Sort(list)
	return list
}

// within reports whether something is marked in an argument, by the marks of all of them.
func within(marks any, argument string) bool {
	if all, is := marks.(map[string]any); is {
		return holds(all[argument])
	}
	return holds(marks)
}

// holds reports whether something is marked, however deep.
func holds(marks any) bool {
	switch marks := marks.(type) {
	case bool:
		return marks
	case map[string]any:
		for _, inner := range marks {
			if holds(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(marks, holds)
	}
	return false
}

// before are the roots that come before one, and that were just applied or that another
// job applies: what the root reads may be other than what was approved.
func (a *Applier) before(r *root, done []RootResult) []string {
	return slices.DeleteFunc(slices.Clone(a.after[r.record.Dir]), func(dir string) bool {
		applied := slices.ContainsFunc(done, func(d RootResult) bool { return d.State == Applied && d.Dir == dir })
		return !applied && !slices.Contains(a.elsewhere, dir)
	})
}

// ready lets a root be applied: its files are as they were compared, and where it has to be
// planned again, that says what was approved. The new plan is applied where the approved one
// can hold what nobody saw.
func (a *Applier) ready(ctx context.Context, r *root, done []RootResult) error {
	if err := a.stillAsPlanned(ctx, *r, done); err != nil {
		return err
	}
	var why []string
	if before := a.before(r, done); len(before) > 0 {
		why = append(why, "after "+strings.Join(before, ", "))
	}
	if r.again != "" {
		why = append(why, "because "+r.again)
	}
	if len(why) == 0 {
		return nil
	}
	reason := strings.Join(why, ", and ")
	file, err := a.sameAgain(ctx, *r, reason)
	if err != nil || r.again == "" {
		return err
	}
	r.file = file
	return a.stillAsPlanned(ctx, *r, done) // planning runs providers, which could write into the tree
}

// sameAgain plans a root again, and refuses a plan that is not what was approved.
func (a *Applier) sameAgain(ctx context.Context, r root, reason string) (file string, err error) {
	dir := r.record.Dir
	if a.r.Words != nil {
		fmt.Fprintf(a.r.Words, "%s  planned again %s\n", dir, text.Printable(reason))
	}
	file, shown, err := a.planNow(ctx, r)
	if err == nil {
		err = a.ofState(r, file)
	}
	if terraform.IsReason(err, terraform.Locked) {
		return "", outcome.Refusedf("%s: somebody else holds the state's lock: another apply may be running%s: %w",
			dir, wayOut(dir, err), a.secrets.Error(err))
	}
	if err != nil {
		return "", fmt.Errorf("%s: plan again %s: %w", dir, reason, a.secrets.Error(err))
	}
	parsed, err := terraform.ParsePlan(shown)
	if err != nil {
		return "", err
	}
	a.secrets = a.secrets.Also(redact.FindSecrets(parsed)) // an answer of today is in no plan that was sealed
	// What drifted or fails now is not what was approved; it changes nothing of what is done.
	approved, err := r.record.Effects(r.shown)
	if err != nil {
		return "", err
	}
	if now, err := r.record.Effects(shown); err != nil || now == approved {
		return file, err
	}
	return "", outcome.Pendingf("%s\nplanned again %s, it is not what was approved: comment /plan, approve what it says, and comment /apply",
		strings.Join(a.explain(r, plannedNow, shown), "\n"), text.Printable(reason))
}

// ofState refuses a new plan that was made from another state than the approved one.
func (a *Applier) ofState(r root, file string) error {
	binary, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	state, err := terraform.PlanState(binary)
	if errors.Is(err, terraform.ErrEncrypted) {
		return nil // OpenTofu compares it with the state when it applies it
	}
	if err == nil && (state.Lineage != r.record.Lineage || state.Serial != r.record.Serial) {
		err = mismatch([]plan.FieldDifference{{
			Dir: r.record.Dir, Field: "state serial", Planned: fmt.Sprint(r.record.Serial), Now: fmt.Sprint(state.Serial),
		}})
	}
	return err
}

// Rehearse plans again what would be planned again, and applies nothing.
func (a *Applier) Rehearse(ctx context.Context) error {
	for i := range a.roots {
		if a.Summaries[i].Changes() {
			if err := a.ready(ctx, &a.roots[i], nil); err != nil {
				return err
			}
		}
	}
	return nil
}
