// Package apply carries out a terraform plan that was approved, exactly that
// one, or nothing.
//
// Everything that can be computed again is, before anything is changed: the
// digests of the binary plan and its changes, state lineage and serial, lock
// file, configuration, terraform version, workspace, directory, head commit. One
// difference in one root refuses them all. Then the stored binary plans are
// applied in their order; terraform itself holds the state's lock meanwhile and
// refuses a plan whose state has moved on.
//
// The package reads neither approvals nor stores: the caller decides that the
// plan is approved, after Check and before Run. What it reports names no
// sensitive value.
package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/plan"
	"github.com/waybill-dev/waybill/internal/plan/seal"
	"github.com/waybill-dev/waybill/internal/terraform"
)

// Request says what is applied, where.
type Request struct {
	Top        string // of the repository
	Bundle     *seal.Bundle
	Repository string // that this is
	Head       string // commit that is the head now
	Tool       plan.Tool
	Getenv     func(string) string // for TF_VAR_ alone
	Words      io.Writer           // progress
}

// Applier is a plan that is ready to be applied.
type Applier struct {
	r       Request
	roots   []root
	secrets *plan.Secrets
	// Summaries of the roots, in order.
	Summaries []plan.Summary
}

type root struct {
	record plan.RootRecord
	tf     *terraform.Root
	file   string // of the binary plan
}

// MismatchError says which fields are not as they were planned.
type MismatchError struct{ Differences []plan.FieldDifference }

func (e *MismatchError) Error() string {
	lines := make([]string, 0, len(e.Differences)+1)
	for _, d := range e.Differences {
		text := d.String()
		if d.Field == "state serial" || d.Field == "state lineage" {
			text += " (something was applied since, perhaps this plan itself)"
		}
		lines = append(lines, text)
	}
	return strings.Join(append(lines, "what was approved is not what would be applied: plan again"), "\n")
}

// Check computes again everything that the plan was bound to. It changes
// nothing. A difference is a refusal.
func Check(ctx context.Context, r Request) (*Applier, error) {
	a := &Applier{r: r}
	if len(r.Bundle.Document.Roots) != len(r.Bundle.Roots) {
		return nil, fmt.Errorf("the bundle has %d plans and %d records", len(r.Bundle.Roots), len(r.Bundle.Document.Roots))
	}
	var parsed []*terraform.Plan
	now := plan.Document{Version: plan.DocumentVersion, Repository: r.Repository, Head: r.Head}
	if now.Repository == "" {
		now.Repository = r.Bundle.Document.Repository
	}
	for _, b := range r.Bundle.Roots {
		p, err := terraform.ParsePlan(b.JSON)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, p)
	}
	a.secrets = plan.FindSecrets(parsed...)
	for i, record := range r.Bundle.Document.Roots {
		a.Summaries = append(a.Summaries, plan.Summarize(parsed[i], a.secrets))
		if err := a.variables(record.Dir, parsed[i]); err != nil {
			return nil, err
		}
		recomputed, err := a.recompute(ctx, i, record)
		if err != nil {
			return nil, a.secrets.Error(fmt.Errorf("%s: %w", record.Dir, err))
		}
		if recomputed != nil {
			now.Roots = append(now.Roots, *recomputed)
		}
	}
	if differences := plan.Compare(r.Bundle.Document, now); len(differences) > 0 {
		return nil, &outcome.Error{Code: outcome.Refused, Cause: &MismatchError{Differences: differences}}
	}
	return a, nil
}

// recompute gives the record that the root would have now; nil when there is no
// such directory any more.
func (a *Applier) recompute(ctx context.Context, i int, planned plan.RootRecord) (*plan.RootRecord, error) {
	r := a.r
	if _, err := os.Stat(filepath.Join(r.Top, filepath.FromSlash(planned.Dir))); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	sources, err := plan.ReadSources(r.Top, planned.Dir, planned.VarFiles)
	if err != nil {
		return nil, err
	}
	tf, private, err := r.Tool.Open(r.Top, planned.Dir, strconv.Itoa(i), sources.Variables)
	if err != nil {
		return nil, err
	}
	now := &plan.RootRecord{Dir: planned.Dir, VarFiles: planned.VarFiles, LockFile: sources.LockFile, Configuration: sources.Digest, Plan: plan.Digest(r.Bundle.Roots[i].Binary)}
	if now.Terraform, now.Workspace, err = plan.Prepare(ctx, tf, planned.Workspace, r.Tool.Backend); err != nil {
		return nil, err
	}
	if now.Terraform != planned.Terraform { // it might not read the plan
		now.Lineage, now.Serial, now.Changes = planned.Lineage, planned.Serial, planned.Changes
		return now, nil
	}
	state, err := tf.State(ctx)
	if err != nil {
		return nil, err
	}
	now.Lineage, now.Serial = state.Lineage, state.Serial
	file := filepath.Join(private, "plan")
	if err := os.WriteFile(file, r.Bundle.Roots[i].Binary, 0o600); err != nil {
		return nil, fmt.Errorf("unpack the binary plan: %w", err)
	}
	shown, err := tf.Show(ctx, file)
	if err != nil {
		return nil, err
	}
	if now.Changes, err = plan.ChangesDigest(shown); err != nil {
		return nil, err
	}
	a.roots = append(a.roots, root{record: planned, tf: tf, file: file})
	return now, nil
}

// variables refuses a variable of the environment that is not what the plan was
// made with: terraform would apply the plan's value without a word.
func (a *Applier) variables(dir string, p *terraform.Plan) error {
	for name, v := range p.Variables {
		given := ""
		if a.r.Getenv != nil {
			given = a.r.Getenv("TF_VAR_" + name)
		}
		if given == "" || v == nil || v.Value == nil {
			continue
		}
		if !plan.SameVariable(given, v.Value) {
			return &outcome.Error{Code: outcome.Refused, Cause: &MismatchError{Differences: []plan.FieldDifference{
				{Dir: dir, Field: "variable " + name, Planned: "another value", Now: "the one in the environment"}}}}
		}
	}
	return nil
}
