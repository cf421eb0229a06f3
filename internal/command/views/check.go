package views

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/delivery/desk"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Checked is the document of a check.
type Checked struct {
	Allowed   bool               `json:"allowed"`
	State     evidence.State     `json:"state"`               // met, pending or refused
	Base      string             `json:"base,omitempty"`      // commit; missing if everything was judged
	Head      string             `json:"head,omitempty"`      // commit
	Elsewhere string             `json:"elsewhere,omitempty"` // why nothing was judged here
	Findings  []check.Finding    `json:"findings"`            // what is wrong, or not yet right
	Notes     []check.Finding    `json:"notes,omitempty"`     // what does not block
	Waybills  []evidence.Waybill `json:"waybills,omitempty"`  // of the digests that were verified
}

// Check renders the verdict on a change.
func Check(_ options.Check, r desk.Verdict) show.View {
	state := r.State()
	if r.Elsewhere != "" {
		return show.View{
			Lines:    []string{r.Elsewhere},
			Document: Checked{State: evidence.Pending, Elsewhere: r.Elsewhere, Findings: []check.Finding{}},
		}
	}
	v := show.View{
		Markdown: checkSummary(r.Result),
		Outputs:  map[string]string{"allowed": strconv.FormatBool(state == evidence.Met), "findings": compact(r.Findings)},
		Document: Checked{
			Allowed: state == evidence.Met, State: state, Base: r.Base, Head: r.Head,
			Findings: r.Findings, Notes: r.Notes, Waybills: r.Waybills,
		},
	}
	for _, w := range r.Waybills {
		v.Text += w.Text() + "\n"
	}
	for _, f := range r.Findings {
		level := runner.Failure
		if f.State == evidence.Pending {
			level = runner.Notice
		}
		v.Annotations = append(v.Annotations, annotation(f, level))
	}
	for _, f := range r.Notes {
		v.Linef("note: %s: %s", location(f), f.Message)
		level := runner.Notice
		if f.Rule == check.RuleProtection { // acknowledged, and not to be overlooked
			level = runner.Warning
		}
		v.Annotations = append(v.Annotations, annotation(f, level))
	}
	for _, f := range r.Findings {
		v.Linef("%s", findingLine(f))
	}
	count := text.Count(len(r.Findings), "finding")
	switch {
	case state == evidence.Refused:
		v.Verdict = outcome.Refusedf("%s", count)
	case state == evidence.Pending && r.OnCommit: // the status holds the merge, and the run has done what it is for
		v.Last = "pending: " + count
	case state == evidence.Pending:
		v.Verdict = outcome.Pendingf("%s", count)
	default:
		v.Last = fmt.Sprintf("allowed: %s, nothing found", r.Verified())
	}
	return v
}

func annotation(f check.Finding, level runner.Level) runner.Annotation {
	return runner.Annotation{
		Level: level, File: filepath.ToSlash(f.File), Line: f.Line, Title: "waybill check: " + f.Rule, Message: f.Message,
	}
}

// findingLine leaves the rule out where it is called like the file.
func findingLine(f check.Finding) string {
	if f.Rule == f.File {
		return fmt.Sprintf("%s: %s", location(f), f.Message)
	}
	return fmt.Sprintf("%s: %s: %s", location(f), f.Rule, f.Message)
}

func location(f check.Finding) string {
	file := render.Visible(f.File)
	if f.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, f.Line)
}

func checkSummary(r check.Result) string {
	var out strings.Builder
	if len(r.Findings) == 0 {
		fmt.Fprintf(&out, "✅ **Nothing found**, %s.\n\n", r.Verified())
	} else {
		out.WriteString(markdown.Row("where", "rule", "finding") + "|---|---|---|\n")
		for _, f := range r.Findings {
			out.WriteString(markdown.Row(markdown.Code(location(f)), markdown.Text(f.Rule), markdown.Text(f.Message)))
		}
		out.WriteByte('\n')
	}
	if len(r.Notes) > 0 {
		out.WriteString("For information (does not block):\n\n")
		for _, f := range r.Notes {
			out.WriteString("- " + markdown.Code(location(f)) + " " + markdown.Text(f.Message) + "\n")
		}
		out.WriteByte('\n')
	}
	for _, w := range r.Waybills {
		out.WriteString(w.Markdown() + "\n")
	}
	return out.String()
}
