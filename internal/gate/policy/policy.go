// Package policy judges a terraform configuration before terraform runs any
// code of it: which providers, provisioners, data sources and modules it may
// hold, and that all of them are named exactly.
//
// It judges twice. Before terraform initialises, it reads the root and its local
// modules as they stand in the tree; afterwards also what was fetched, modules
// and providers, of which nothing has run yet: initialising downloads, planning
// and validating start providers. What cannot be read is refused, never passed
// over. The package decides by names: what an allowed provider does is that
// provider's.
package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Finding is one reason for which a root is not planned.
type Finding struct {
	Rule    string   `json:"rule"`
	Roots   []string `json:"roots"`
	File    string   `json:"file"` // from the top of the repository
	Line    int      `json:"line"`
	Column  int      `json:"column,omitempty"`
	Message string   `json:"message"`
	Fix     string   `json:"fix"` // what would make it pass
}

// The rules.
const (
	RuleProvider    = "provider"
	RuleProvisioner = "provisioner"
	RuleData        = "data-source"
	RuleResource    = "resource"
	RuleAction      = "action"
	RuleProgram     = "program"
	RuleBackend     = "backend"
	RuleRemoteState = "remote-state"
	RuleModule      = "module"
	RulePin         = "pin"
	RuleLockFile    = "lock-file"
	RuleOutside     = "outside"
	RuleFile        = "file"
	RuleUnreadable  = "unreadable"
)

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)\n    %s", f.File, f.Line, f.Message, f.Rule, f.Fix)
}

// Request says what is judged.
type Request struct {
	Top string // of the repository, absolute
	Dir string // of the root, relative to Top
	// DataDir is what terraform has fetched into; empty before it initialises.
	DataDir string
	// VarFiles are the files of variables that the root is planned with, absolute.
	VarFiles []string
	// Policies all have to hold.
	Policies []config.TerraformPolicy
	// Committed reports whether a file, relative to Top, is as the commit has it.
	Committed func(ctx context.Context, file string) (bool, error)
}

// Check gives every finding of one root, in the order of the files. An error is
// trouble, not a finding.
func Check(ctx context.Context, r Request) ([]Finding, error) {
	tree, err := readTree(r)
	if err != nil {
		return nil, err
	}
	if err := tree.readOpened(r); err != nil {
		return nil, err
	}
	var findings []Finding
	for _, p := range r.Policies {
		j := &judge{request: r, policy: p, tree: tree}
		if err := j.all(ctx); err != nil {
			return nil, err
		}
		findings = append(findings, j.findings...)
	}
	return Merge(findings), nil
}

// Merge sorts findings, and says once what several roots or policies say.
func Merge(findings []Finding) []Finding {
	var merged []Finding
	for _, f := range findings {
		i := slices.IndexFunc(merged, func(m Finding) bool {
			return m.Rule == f.Rule && m.File == f.File && m.Line == f.Line && m.Message == f.Message
		})
		if i < 0 {
			f.Roots = slices.Clone(f.Roots)
			merged = append(merged, f)
			continue
		}
		for _, root := range f.Roots {
			if !slices.Contains(merged[i].Roots, root) {
				merged[i].Roots = append(merged[i].Roots, root)
			}
		}
	}
	slices.SortStableFunc(merged, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column, strings.Compare(a.Message, b.Message))
	})
	return merged
}

// RefusedError is what findings come to: a refusal with all of them.
type RefusedError struct{ Findings []Finding }

func (e *RefusedError) Error() string {
	lines := []string{fmt.Sprintf("policy: %d findings, and nothing of the configuration was run", len(e.Findings))}
	if len(e.Findings) == 1 {
		lines[0] = "policy: 1 finding, and nothing of the configuration was run"
	}
	for _, f := range e.Findings {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// JSON is the refusal for machines.
func (e *RefusedError) JSON() ([]byte, error) {
	return json.MarshalIndent(struct {
		Findings []Finding `json:"findings"`
	}{e.Findings}, "", "  ")
}

// Markdown is the refusal as a table.
func (e *RefusedError) Markdown() string {
	rows := []string{
		"**Refused by policy** before anything of the configuration was run.", "",
		markdown.Row("place", "rule", "what", "what would make it pass"), markdown.Row("---", "---", "---", "---"),
	}
	for _, f := range e.Findings {
		rows = append(rows, markdown.Row(
			markdown.Code(fmt.Sprintf("%s:%d", f.File, f.Line)), f.Rule, markdown.Cell(markdown.Text(f.Message)),
			markdown.Cell(markdown.Text(f.Fix)),
		))
	}
	return strings.Join(rows, "\n") + "\n"
}

// Refuse makes the refusal of findings; nil where there are none.
func Refuse(findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	return &outcome.Error{Code: outcome.Refused, Cause: &RefusedError{Findings: findings}}
}
