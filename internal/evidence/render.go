package evidence

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// Lines are the reasons for people: each rule that is not met on a line of its
// own, with what would make it pass, then all that are met on one.
func (d Decision) Lines() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	var met []string
	for _, r := range d.Reasons {
		if r.State == Met {
			met = append(met, text.OneLine(r.Rule)+"  ok")
			continue
		}
		remedy := r.Remedy
		if at := "passes " + text.Time(r.Until); !r.Until.IsZero() && !strings.HasPrefix(remedy, at) {
			remedy = strings.TrimSpace(at + "  " + remedy)
		}
		fmt.Fprintf(table, "  %s\t%s\n", text.OneLine(r.Rule), text.OneLine(r.Detail))
		if remedy != "" {
			fmt.Fprintf(table, "  \t→ %s\n", text.OneLine(remedy))
		}
	}
	table.Flush()
	if len(met) > 0 {
		out.WriteString("  " + strings.Join(met, "    ") + "\n")
	}
	return out.String()
}

// Refusal is the text of a decision that is not allowed: what may not be done,
// then Lines. subject is such as "demo-api sha256:9f2c… may not enter prod".
func (d Decision) Refusal(subject string) string {
	return text.OneLine(subject) + "\n" + strings.TrimRight(d.Lines(), "\n")
}

// subject is the first line.
func (w Waybill) subject() string {
	name := w.App
	if name == "" {
		name = w.Image.Repository()
	}
	verb := map[State]string{Met: "may", Refused: "may not", Pending: "may not yet"}[w.Decision.State()]
	what := "be deployed"
	if w.Env != "" {
		what = "enter " + w.Env
	}
	return fmt.Sprintf("%s %s %s %s", name, w.Image.Short(), verb, what)
}

// Refusal is the text of a waybill whose verdict is not "allowed".
func (w Waybill) Refusal() string { return w.Decision.Refusal(w.subject()) }

// Text renders the waybill for a terminal: verdict, what it is, reasons.
func (w Waybill) Text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s\n", verdict(w.Decision), text.OneLine(w.subject()))
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, row := range w.facts() {
		fmt.Fprintf(table, "  %s\t%s\n", row[0], text.OneLine(row[1]))
	}
	table.Flush()
	out.WriteByte('\n')
	table = tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, r := range w.Decision.Reasons {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", text.OneLine(r.Rule), r.State, text.OneLine(r.Detail))
		if r.State != Met && r.Remedy != "" {
			fmt.Fprintf(table, "  \t\t→ %s\n", text.OneLine(r.Remedy))
		}
	}
	table.Flush()
	if rest := w.otherProblems(); len(rest) > 0 {
		out.WriteString("\n  found and not counted:\n")
		for _, p := range rest {
			fmt.Fprintf(&out, "  - %s\n", text.OneLine(p.String()))
		}
	}
	return out.String()
}

// Markdown renders the waybill for a step summary or a comment.
func (w Waybill) Markdown() string {
	var out strings.Builder
	icon := map[State]string{Met: "✅", Refused: "❌", Pending: "⏳"}
	fmt.Fprintf(
		&out, "**%s %s:** %s\n\n", icon[w.Decision.State()], strings.ToUpper(verdict(w.Decision)[:1])+verdict(w.Decision)[1:],
		markdown.Text(w.subject()),
	)
	out.WriteString("| | |\n|---|---|\n")
	for _, row := range w.facts() {
		out.WriteString(markdown.Row(markdown.Text(row[0]), w.factMarkdown(row)))
	}
	out.WriteByte('\n')
	for _, r := range w.Decision.Reasons {
		fmt.Fprintf(&out, "- %s **%s** %s", icon[r.State], markdown.Text(r.Rule), markdown.Text(r.Detail))
		if r.State != Met && r.Remedy != "" {
			fmt.Fprintf(&out, " → %s", markdown.Text(r.Remedy))
		}
		out.WriteByte('\n')
	}
	if rest := w.otherProblems(); len(rest) > 0 {
		fmt.Fprintf(&out, "\n<details><summary>Found and not counted: %d</summary>\n\n", len(rest))
		for _, p := range rest {
			fmt.Fprintf(&out, "- %s\n", markdown.Text(p.String()))
		}
		out.WriteString("\n</details>\n")
	}
	return out.String()
}

// otherProblems are those that no reason tells already.
func (w Waybill) otherProblems() []Problem {
	return slices.DeleteFunc(slices.Clone(w.Problems), func(p Problem) bool {
		return slices.ContainsFunc(
			w.Decision.Reasons, func(r Reason) bool { return r.State != Met && strings.Contains(r.Detail, p.Detail) },
		)
	})
}

// String is the problem on one line.
func (p Problem) String() string {
	if p.Kind == "" {
		return p.Detail
	}
	return string(p.Kind) + ": " + p.Detail
}

func (w Waybill) facts() [][2]string {
	facts := [][2]string{{"image", w.Image.String()}}
	if len(w.Platforms) > 0 {
		var platforms []string
		for platform := range w.Platforms {
			platforms = append(platforms, platform)
		}
		slices.Sort(platforms)
		facts = append(facts, [2]string{"platforms", strings.Join(platforms, ", ")})
	}
	if w.Signer != nil {
		facts = append(facts, [2]string{"signer", w.Signer.Name()})
	}
	if w.Source.Repository != "" {
		source := w.Source.Repository
		if w.Source.Commit != "" {
			source += " at " + w.Source.Commit
		}
		if w.Source.Ref != "" {
			source += " (" + w.Source.Ref + ")"
		}
		facts = append(facts, [2]string{"source", source})
	}
	if w.RunURL != "" {
		facts = append(facts, [2]string{"built by", w.RunURL})
	}
	for _, base := range w.BaseImages {
		facts = append(facts, [2]string{"base image", base.Name + "@" + base.Digest})
	}
	if w.Packages > 0 {
		facts = append(facts, [2]string{"packages", fmt.Sprint(w.Packages)})
	}
	if w.Scan != nil {
		c := w.Scan.Counts
		facts = append(facts,
			[2]string{"findings", fmt.Sprintf("%d critical, %d high, %d medium, %d low", c[Critical], c[High], c[Medium], c[Low])},
			[2]string{
				"scanned",
				text.Time(w.Scan.FinishedAt) + ", database of " + text.Time(w.Scan.Database.UpdatedAt) + describeOrigin(w.Scan.Database),
			})
	}
	return facts
}

func (w Waybill) factMarkdown(row [2]string) string {
	switch row[0] {
	case "image", "base image":
		return markdown.Code(row[1])
	case "built by":
		return markdown.Link(markdown.Text(strings.TrimPrefix(row[1], DefaultServer+"/")), row[1])
	case "source":
		if w.Source.Commit != "" {
			inline := markdown.Text(strings.TrimPrefix(
				w.Source.Repository, DefaultServer+"/",
			)) + " " + markdown.Code(shortCommit(w.Source.Commit))
			return markdown.Link(inline, w.Source.Repository+"/commit/"+w.Source.Commit)
		}
	}
	return markdown.Text(row[1])
}

func verdict(d Decision) string {
	return map[State]string{Met: "allowed", Refused: "refused", Pending: "pending"}[d.State()]
}
