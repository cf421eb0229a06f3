package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

const (
	maxRows    = 60  // of a table
	maxDetails = 100 // resources shown with their attributes
	maxList    = 20  // of what is named beside the drift
	maxBeside  = 6000
	maxTitle   = 200 // runes of a directory in a title
	maxProblem = 4000
	ending     = 600 // runes kept free for what follows the details
)

// Title of the root's issue.
func (r Root) Title() string {
	name := text.Cut(text.OneLine(text.Line(r.name())), maxTitle, "…")
	if len(r.Drift) == 0 && r.Since != "" {
		return "Not applied in " + name + ": " + text.Count(len(r.Unapplied), "resource")
	}
	return "Drift in " + name + ": " + text.Count(len(r.Drift), "resource")
}

func (r Root) name() string {
	if r.Workspace == "" || r.Workspace == roots.DefaultWorkspace {
		return r.Dir
	}
	return r.Dir + " (" + r.Workspace + ")"
}

// Body is what the root's issue says, in at most limit characters. It holds
// nothing that differs from run to run: what has not changed edits nothing.
func (r Root) Body(limit int) string {
	beside := r.beside()
	drift := r.drift(limit - ending - utf8.RuneCountInString(beside))
	var out strings.Builder
	out.WriteString(marker{Dir: r.Dir, Workspace: r.Workspace, State: Drifted, Digest: digest(drift)}.String() + "\n")
	out.WriteString(drift)
	out.WriteString(beside)
	out.WriteString("\nTo end this: apply the root and so change it back, or write into the code what is so now, or accept it for a " +
		"time in `waybill.yaml` under `terraform.drift.ignore`. This issue is closed when the drift is gone.\n")
	return text.NoCommand(out.String())
}

// Gone is what the issue says when there is no drift any more.
func (r Root) Gone() string {
	return text.NoCommand(marker{
		Dir: r.Dir, Workspace: r.Workspace, State: Clean,
	}.String() + "\n**No drift any more** in " + markdown.Code(text.Line(r.name())) + ". What it was is in the history of this " +
		"text. The issue is opened again when something drifts.\n")
}

// drift is the part that says what drifted.
func (r Root) drift(limit int) string {
	var out strings.Builder
	if r.Since != "" {
		fmt.Fprintf(&out, "**Code is merged and not applied** in %s, since %s: comment `/apply` on its pull request, or `/plan` first "+
			"where the plan no longer fits.\n\n", markdown.Code(text.Line(r.name())), text.Line(r.Since))
	}
	if len(r.Drift) == 0 {
		return out.String()
	}
	gone := 0
	for _, d := range r.Drift {
		if d.Action == summary.Destroy {
			gone++
		}
	}
	fmt.Fprintf(&out, "**%s changed outside of terraform**", text.Count(len(r.Drift), "resource"))
	if gone > 0 {
		fmt.Fprintf(&out, ", **%d of them gone ⚠️**", gone)
	}
	out.WriteString(" in " + markdown.Code(text.Line(r.name())) + ".\n\n" + markdown.Row(
		"resource", "what happened", "a plan would have it",
	) + "|---|---|---|\n")
	for i, d := range r.Drift {
		row := markdown.Row(markdown.Code(text.Line(d.Address)), d.what(), d.Back)
		if i == maxRows || utf8.RuneCountInString(out.String())+utf8.RuneCountInString(row) > limit/2 {
			fmt.Fprintf(&out, "\n%s more.\n", text.Count(len(r.Drift)-i, "resource"))
			break
		}
		out.WriteString(row)
	}
	var lines []string
	left := limit - utf8.RuneCountInString(out.String())
	for i, d := range r.Drift {
		text := d.lines()
		n := utf8.RuneCountInString(text)
		if i == maxDetails || n > left {
			lines = append(lines, fmt.Sprintf("  … %d more", len(r.Drift)-i))
			break
		}
		lines, left = append(lines, text), left-n-1
	}
	out.WriteString("\n<details><summary>what is so now, against the state</summary>\n\n" + markdown.Fence(
		"diff", strings.Join(lines, "\n"),
	) + "\n</details>\n")
	return out.String()
}

func (d Resource) what() string {
	if d.Action == summary.Destroy {
		return "**gone**"
	}
	paths := make([]string, 0, len(d.Attributes))
	for i, a := range d.Attributes {
		if i == 5 {
			paths = append(paths, fmt.Sprintf("%d more", len(d.Attributes)-i))
			break
		}
		paths = append(paths, markdown.Code(text.Line(a.Path)))
	}
	return "changed: " + strings.Join(paths, ", ")
}

func (d Resource) lines() string {
	sign, verb := "~ ", "changed"
	if d.Action == summary.Destroy {
		sign, verb = "- ", "is gone"
	}
	return strings.Join(append([]string{sign + " " + text.Line(d.Address) + " " + verb}, d.AttributeLines()...), "\n")
}

// beside names what is not reported as drift.
func (r Root) beside() string {
	var out strings.Builder
	if len(r.Ignored) > 0 {
		out.WriteString("\nAccepted by `waybill.yaml`:\n\n")
		list(&out, r.Ignored, func(i Ignored) string {
			line := markdown.Code(text.Line(i.Address))
			if len(i.Attributes) > 0 {
				line += " (" + text.Count(len(i.Attributes), "attribute") + ")"
			}
			return line + " until " + text.Day(i.Expires) + ": " + markdown.Text(text.Line(i.Reason))
		})
	}
	if len(r.Unapplied) > 0 {
		out.WriteString("\nNo drift, but a plan would do it too, because code, a variable or something read says other than the " +
			"state, or as a consequence of the above:\n\n")
		list(&out, r.Unapplied, func(u Unapplied) string { return u.Action + " " + markdown.Code(text.Line(u.Address)) })
	}
	if r.Unmanaged > 0 {
		out.WriteString("\nMore changed outside at places that the configuration does not set, which a plan would leave alone.\n")
	}
	if r.Problem != "" && r.Status != Broken {
		out.WriteString("\nterraform can say what changed, and cannot plan the way back: the run says why.\n")
	}
	return out.String()
}

func list[T any](out *strings.Builder, items []T, text func(T) string) {
	room := maxBeside
	for i, item := range items {
		line := "- " + text(item) + "\n"
		if room -= utf8.RuneCountInString(line); i == maxList || room < 0 {
			fmt.Fprintf(out, "- and %d more\n", len(items)-i)
			return
		}
		out.WriteString(line)
	}
}

// Markdown is the whole report, in at most limit characters: what ends up in
// the step summary and on the terminal.
func (r *Report) Markdown(limit int) string {
	var out strings.Builder
	drifted, broken, overdue := r.Of(Drifted), r.Of(Broken), r.Of(Overdue)
	switch {
	case len(drifted) > 0:
		fmt.Fprintf(&out, "**%d of %s drifted ⚠️**", len(drifted), text.Count(len(r.Roots), "root"))
	default:
		fmt.Fprintf(&out, "**No drift** in %s", text.Count(len(r.Roots)-len(broken), "root"))
	}
	if len(broken) > 0 {
		fmt.Fprintf(&out, " · **%s could not be planned**", text.Count(len(broken), "root"))
	}
	if len(overdue) > 0 {
		fmt.Fprintf(&out, " · **%s not applied for too long ⚠️**", text.Count(len(overdue), "root"))
	}
	out.WriteString("\n\n" + markdown.Row("root", "drift", "not applied", "issue") + "|---|---|---|---|\n")
	for i, root := range r.Roots {
		if i == maxRows {
			fmt.Fprintf(&out, "\n%s more.\n", text.Count(len(r.Roots)-maxRows, "root"))
			break
		}
		out.WriteString(root.row())
	}
	for _, i := range r.Ignores {
		fmt.Fprintf(&out, "\n⚠️ %s\n", i)
	}
	dropped := 0
	for _, root := range slices.Concat(drifted, overdue, broken) {
		text := root.details()
		if utf8.RuneCountInString(out.String())+utf8.RuneCountInString(text)+ending > limit {
			dropped++
			continue
		}
		out.WriteString(text)
	}
	if dropped > 0 {
		fmt.Fprintf(&out, "\nThe details of %s did not fit here.\n", text.Count(dropped, "root"))
	}
	return text.NoCommand(out.String())
}

func (r Root) details() string {
	if r.Status == Broken {
		return "\nThe root " + markdown.Code(text.Line(r.name())) + " could not be planned:\n\n" + markdown.Fence(
			"", text.Cut(r.Problem, maxProblem, "…"),
		)
	}
	shown := "\n" + r.drift(markdown.MaxComment/4) + r.beside()
	if r.Problem != "" {
		shown += "\n" + markdown.Fence("", text.Cut(r.Problem, maxProblem, "…"))
	}
	return shown
}

func (r Root) row() string {
	drift := "none"
	switch {
	case r.Status == Broken:
		drift = "unknown: it cannot be planned"
	case len(r.Drift) > 0:
		drift = "**" + text.Count(len(r.Drift), "resource") + "**"
	}
	if len(r.Ignored) > 0 {
		drift += fmt.Sprintf(", %d accepted", len(r.Ignored))
	}
	if r.Unmanaged > 0 {
		drift += fmt.Sprintf(" (%d unmanaged)", r.Unmanaged)
	}
	unapplied := ""
	if len(r.Unapplied) > 0 {
		unapplied = text.Count(len(r.Unapplied), "resource")
	}
	issue := ""
	if r.Issue != nil {
		issue = markdown.Link(fmt.Sprintf("#%d", r.Issue.Number), r.Issue.URL) + " " + r.Issue.Action
	}
	return markdown.Row(markdown.Code(text.Line(r.name())), drift, unapplied, issue)
}

// Of lists the roots with that status.
func (r *Report) Of(status string) []Root {
	var list []Root
	for _, root := range r.Roots {
		if root.Status == status {
			list = append(list, root)
		}
	}
	return list
}

func (i Ignore) String() string {
	what := "The entry of `terraform.drift.ignore` for " + markdown.Code(text.Line(i.Address)) +
		" (" + markdown.Text(text.Line(i.Reason)) + ")"
	if i.Why == Expired {
		return what + " expired on " + text.Day(i.Expires) + " and ignores nothing any more."
	}
	return what + " matches no drift: take it out."
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// marker begins an issue of ours, where readers do not see it. It counts only
// in an issue that we opened: anybody can write one.
type marker struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
	State     string `json:"state"`            // Drifted or Clean: what we found last
	Digest    string `json:"digest,omitempty"` // of the drift that the issue shows
}

const (
	markerStart = "<!-- waybill:drift "
	markerEnd   = " -->"
)

func (m marker) String() string {
	data, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	// -- would end the comment, and ##[ is a command of the runner's; JSON reads
	// the escaped form of both.
	return markerStart + strings.NewReplacer("--", `\u002d\u002d`, "#", `\u0023`).Replace(string(data)) + markerEnd
}

func readMarker(body string) (m marker, ok bool) {
	first, _, _ := strings.Cut(strings.TrimPrefix(body, "\ufeff"), "\n")
	text, ok := strings.CutPrefix(strings.TrimSuffix(first, "\r"), markerStart)
	if !ok {
		return m, false
	}
	if text, ok = strings.CutSuffix(text, markerEnd); !ok {
		return m, false
	}
	return m, json.Unmarshal([]byte(text), &m) == nil && m.Dir != ""
}
