package promote

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// bodyReserve is kept free for the note on what did not fit.
const bodyReserve = 400

// text writes title and body of a promotion's pull request. It holds only what
// is the same whenever it is written, such as times instead of ages, so that
// running again gives the same text. overflow is what did not fit.
func (p *Promoter) text(ctx context.Context, c candidate) (title, body, overflow string, err error) {
	commits, total, known, err := p.commits(ctx, c)
	if err != nil {
		return "", "", "", err
	}
	title = fmt.Sprintf("%s: %s → %s", c.app.Name, c.origin(), c.to.Name)
	if known {
		title += ", " + text.Count(total, "commit")
	}
	title += " (" + c.image.Short() + ")"

	must := []string{
		c.verdict() + "\n",
		p.table(c),
		c.reasons(false),
	}
	may := []string{
		c.packageSection(),
		p.commitSection(c, commits, total, known),
		c.renderSection(),
	}
	end := c.reasons(true) + fmt.Sprintf("\nRoll back after merging: `waybill rollback --app %s --env %s`, or run the *rollback* "+
		"workflow.\n\n<!-- waybill:promotion %s %s %s -->\n",
		c.app.Name, c.to.Name, c.app.Name, c.to.Name, c.image.Digest())
	b := markdown.NewBudget(markdown.MaxComment - bodyReserve - utf8.RuneCountInString(end))
	for _, section := range must {
		b.Must(section + "\n")
	}
	for _, section := range may {
		if section != "" {
			b.May(section + "\n")
		}
	}
	if overflow = b.Rest(); overflow != "" {
		end = "_Not all of it fits here; the rest is in the summary of the promote run, and in a comment below._\n\n" + end
	}
	return title, b.String() + end, overflow, nil
}

func (c candidate) verdict() string {
	what := fmt.Sprintf("`%s` from **%s** to **%s**", c.app.Name, c.origin(), c.to.Name)
	switch c.decision.State() {
	case evidence.Refused:
		return "❌ **Refused.** " + what + " must not be merged as it stands: " + names(c.decision, evidence.Refused) + "."
	case evidence.Pending:
		return "⏳ **Not yet.** " + what + " waits for: " + names(c.decision, evidence.Pending) + "."
	}
	said := "✅ **Ready to promote.** " + what + ", image built once, signed"
	if s := c.waybill.Scan; s != nil {
		said += ", scanned " + text.Time(s.FinishedAt)
		if added, _, known := c.findings(); known {
			switch len(added) {
			case 0:
				said += ", no new finding"
			default:
				said += ", " + text.Count(len(added), "new finding")
			}
		}
	}
	return said + "."
}

func names(d evidence.Decision, state evidence.State) string {
	var rules []string
	for _, r := range d.Reasons {
		if r.State == state {
			rules = append(rules, r.Rule)
		}
	}
	return strings.Join(rules, ", ")
}

func (p *Promoter) table(c candidate) string {
	var out strings.Builder
	out.WriteString(markdown.Row("", "in "+markdown.Text(c.to.Name)+" now", "this pull request"))
	out.WriteString("|---|---|---|\n")
	row := func(name, old, changed string) { out.WriteString(markdown.Row(name, old, changed)) }
	row("digest", digest(c.change.Place.Ref), digest(c.image))
	row("source", p.source(c.deployed), p.source(c.waybill))
	row("platforms", platforms(c.deployed), platforms(c.waybill))
	row("critical / high / medium / low", counts(c.deployed, nil), counts(c.waybill, &c.deployed))
	return out.String()
}

func digest(ref imageref.Ref) string {
	if ref.IsZero() || history.Placeholder(ref) {
		return "—"
	}
	return markdown.Code(ref.Digest())
}

func (p *Promoter) source(w evidence.Waybill) string {
	if w.Source.Commit == "" {
		return "—"
	}
	shown := markdown.Code(text.Commit(w.Source.Commit))
	if p.Forge != nil {
		if link := p.Forge.Link(rules.RepositoryPath(w.Source.Repository), w.Source.Commit); link != "" {
			shown = markdown.Link(shown, link)
		}
	}
	if at := rules.SignedAt(w); !at.IsZero() {
		shown += " · " + text.Time(at)
	}
	return shown
}

func platforms(w evidence.Waybill) string {
	if len(w.Platforms) == 0 {
		return "—"
	}
	var list []string
	for platform := range w.Platforms {
		list = append(list, markdown.Text(platform))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// counts shows the findings by severity, in bold where they differ from what
// runs there.
func counts(w evidence.Waybill, than *evidence.Waybill) string {
	if w.Scan == nil {
		return "—"
	}
	var list []string
	for _, s := range []evidence.Severity{evidence.Critical, evidence.High, evidence.Medium, evidence.Low} {
		n := fmt.Sprint(w.Scan.Counts[s])
		if than != nil && than.Scan != nil && than.Scan.Counts[s] != w.Scan.Counts[s] {
			n = "**" + n + "**"
		}
		list = append(list, n)
	}
	return strings.Join(list, " / ")
}

func (c candidate) findings() (added, fixed []evidence.Finding, known bool) {
	head, ok := c.waybill.ScanReport()
	if !ok {
		return nil, nil, false
	}
	base, ok := c.deployed.ScanReport()
	if !ok {
		return nil, nil, false
	}
	added, fixed = evidence.CompareScans(base, head)
	return added, fixed, true
}

const shownFindings = 20

func ids(findings []evidence.Finding) string {
	if len(findings) == 0 {
		return "none"
	}
	var list []string
	for _, f := range findings {
		if id := markdown.Text(f.ID); !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	if more := len(list) - shownFindings; more > 0 {
		list = append(list[:shownFindings], fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}

const shownCommits = 100

func (p *Promoter) commits(ctx context.Context, c candidate) ([]rules.Commit, int, bool, error) {
	from, to := c.deployed.Source, c.waybill.Source
	if p.Forge == nil || from.Commit == "" || to.Commit == "" || from.Repository != to.Repository {
		return nil, 0, false, nil
	}
	commits, total, known, err := p.Forge.Commits(ctx, rules.RepositoryPath(to.Repository), from.Commit, to.Commit)
	return commits, total, known, err
}

func (p *Promoter) commitSection(c candidate, commits []rules.Commit, total int, known bool) string {
	repository := rules.RepositoryPath(c.waybill.Source.Repository)
	switch {
	case c.waybill.Source.Commit == "" || c.deployed.Source.Commit == "":
		return ""
	case !known:
		return fmt.Sprintf("The commits of %s between the two cannot be listed with this token.\n", markdown.Code(repository))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "<details><summary>%s from %s</summary>\n\n", text.Count(total, "commit"), markdown.HTML(repository))
	for i, commit := range commits {
		if i == shownCommits {
			fmt.Fprintf(&out, "- … and %d more\n", total-shownCommits)
			break
		}
		fmt.Fprintf(&out, "- %s %s", markdown.Link(markdown.Code(text.Commit(commit.SHA)), commit.URL), markdown.Text(commit.Subject))
		if commit.Author != "" {
			fmt.Fprintf(&out, " · %s", markdown.Text(commit.Author))
		}
		out.WriteByte('\n')
	}
	out.WriteString("\n</details>\n")
	return out.String()
}

func (c candidate) renderSection() string {
	objects, fields := len(c.change.Objects), 0
	for _, o := range c.change.Objects {
		fields += len(o.Fields)
	}
	copied := ""
	if n := len(c.change.Copies); n > 0 {
		copied = fmt.Sprintf("%s copied from %s, as `promote.paths` says:\n\n%s\n", text.Count(n, "file"), markdown.Text(c.from.Name),
			markdown.Fence("", text.List(slices.Sorted(maps.Keys(c.change.Copies)), 50)))
	}
	return fmt.Sprintf("%s<details><summary>What changes in the cluster: %s, %s</summary>\n\n%s\n</details>\n", copied,
		text.Count(objects, "object"), text.Count(fields, "field"), markdown.Fence("diff", render.Text(c.change.Objects)))
}

func (c candidate) packageSection() string {
	head, ok := c.waybill.ScanReport()
	if !ok {
		return ""
	}
	base, ok := c.deployed.ScanReport()
	if !ok {
		return ""
	}
	changes := evidence.ComparePackages(base, head)
	if len(changes) == 0 {
		return "Packages: no difference.\n"
	}
	tally := make(map[string]int)
	var out strings.Builder
	for _, change := range changes {
		tally[change.Kind]++
		old, now := strings.Join(change.Old, ", "), strings.Join(change.New, ", ")
		out.WriteString(markdown.Row(markdown.Text(change.Name), markdown.Text(cmp.Or(old, "—")), markdown.Text(cmp.Or(now, "—"))))
	}
	var parts []string
	for _, kind := range []string{evidence.PackageAdded, evidence.PackageRemoved, evidence.PackageUpdated} {
		if tally[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", tally[kind], kind))
		}
	}
	return "<details><summary>Packages: " + strings.Join(parts, ", ") + "</summary>\n\n" +
		markdown.Row("package", "now", "this pull request") + "|---|---|---|\n" + out.String() + "\n</details>\n"
}
