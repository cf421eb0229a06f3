package scan

import (
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// inSummary is how many findings the step summary lists.
const inSummary = 200

// Summary is the result as Markdown for the step summary.
func (r Result) Summary() string {
	var out strings.Builder
	icon := "✅ "
	if r.Refused() {
		icon = "❌ "
	}
	fmt.Fprintf(&out, "### %s%s %s\n\n", icon, markdown.Code(r.Report.Image), r.verdictLine())
	counts := r.Report.Counts()
	out.WriteString(markdown.Row("critical", "high", "medium", "low", "unknown", "database", "scanner"))
	out.WriteString(markdown.Row("---", "---", "---", "---", "---", "---", "---"))
	cells := make([]string, 0, 7)
	for _, s := range evidence.Severities() {
		cells = append(cells, fmt.Sprint(counts[s]))
	}
	cells = append(cells, text.Time(r.Report.Database.UpdatedAt), markdown.Text(r.Report.Scanner.Name+" "+r.Report.Scanner.Version))
	out.WriteString(markdown.Row(cells...))
	if c := r.Baseline; c != nil {
		fmt.Fprintf(
			&out, "\nAgainst %s: %s; %s.\n", markdown.Code(c.Image.Short()), markdown.Text(listed("new", c.New)),
			markdown.Text(listed("fixed", c.Fixed)),
		)
	}
	for _, line := range r.notes() {
		fmt.Fprintf(&out, "\n%s\n", markdown.Text(line))
	}
	findings := r.Report.Distinct()
	if len(findings) == 0 {
		return out.String()
	}
	fmt.Fprintf(&out, "\n<details><summary>%d findings</summary>\n\n", len(findings))
	out.WriteString(markdown.Row("severity", "id", "package", "version", "fixed in", "platforms", ""))
	out.WriteString(markdown.Row("---", "---", "---", "---", "---", "---", "---"))
	platformsOf := r.platforms()
	for i, f := range findings {
		if i == inSummary {
			fmt.Fprintf(&out, "\n%d more are in the report.\n", len(findings)-i)
			break
		}
		note := f.Title
		if f.Waived != "" {
			note = f.Waived
		}
		out.WriteString(markdown.Row(severityWord(f), markdown.Link(markdown.Text(f.ID), f.URL), markdown.Code(f.Package),
			markdown.Code(f.Version),
			markdown.Code(f.FixedVersion), markdown.Text(strings.Join(platformsOf[f.Key()], ", ")),
			markdown.Text(text.Cut(note, 120, "…"))))
	}
	out.WriteString("\n</details>\n")
	return out.String()
}

// Annotation is one blocking finding in a line.
func Annotation(f evidence.Finding) string {
	return fmt.Sprintf("%s %s: %s", f.Severity, text.OneLine(f.ID), describe(f))
}
