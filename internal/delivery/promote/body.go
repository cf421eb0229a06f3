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

// shownApps is how many applications of a group are told of one by one: a train can have a
// thousand, and a pull request's body has bounds.
const shownApps = 20

// bodyReserve is kept free for the note on what did not fit.
const bodyReserve = 400

// text writes title and body of a promotion's pull request. It holds only what
// is the same whenever it is written, such as times instead of ages, so that
// running again gives the same text. overflow is what did not fit.
func (p *Promoter) text(ctx context.Context, l load) (title, body, overflow string, err error) {
	var must, may []string
	for _, c := range l.list {
		if len(l.list) > 1 {
			must = append(must, "### "+markdown.Text(c.app.Name)+"\n")
		}
		for _, i := range c.items {
			var log log
			if len(l.list) <= shownApps { // each is a request
				if log, err = p.commits(ctx, i); err != nil {
					return "", "", "", err
				}
			}
			if title == "" && len(l.list) == 1 && len(c.items) == 1 && log.known {
				title = ", " + text.Count(log.total, "commit")
			}
			if i.part != "" {
				must = append(must, "**"+markdown.Text(i.part)+"**\n")
			}
			must = append(must, p.table(i), i.rules())
			may = append(may, l.named(c.app.Title(), i.part, i.packageSection()))
			if len(l.list) <= shownApps {
				may = append(may, l.named(c.app.Title(), i.part, i.commitSection(log)))
			}
		}
		may = append(may, l.named(c.app.Title(), "", c.renderSection()))
	}
	title = l.title(title)
	end := l.end()
	b := markdown.NewBudget(markdown.MaxComment - bodyReserve - utf8.RuneCountInString(end))
	b.Must(l.verdict() + "\n\n")
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

// title is what GitHub takes of "demo-api: staging → prod, 3 commits (sha256:…)".
func (l load) title(commits string) string {
	return text.Cut(fmt.Sprintf("%s: %s → %s%s (%s)", l.name(), l.origin(), l.to.Name, commits, l.digests()), markdown.MaxTitle, "…")
}

// named puts the name of what a section is about in front of it, where it could be about
// another.
func (l load) named(app, part, section string) string {
	var names []string
	if len(l.list) > 1 {
		names = append(names, app)
	}
	if part != "" {
		names = append(names, part)
	}
	if section == "" || len(names) == 0 {
		return section
	}
	return "**" + markdown.Text(strings.Join(names, "/")) + "**\n\n" + section
}

// origin is where the load comes from; the applications of a group may come from several
// environments.
func (l load) origin() string {
	var all []string
	for _, c := range l.list {
		if o := c.origin(); !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return strings.Join(all, ", ")
}

// digests names the images of the load, as many as a title can hold.
func (l load) digests() string {
	const shown = 3
	var all history.Set
	for _, c := range l.list {
		all = append(all, c.moving.Images()...)
	}
	if len(all) > shown {
		return text.Count(len(all), "image")
	}
	return all.Short()
}

// end says when, how to go back, and what a machine finds again.
func (l load) end() string {
	var times, back, marks strings.Builder
	for i, c := range l.list[:min(len(l.list), shownApps)] {
		if len(l.list) > 1 {
			fmt.Fprintf(&times, "%s:\n\n", markdown.Text(c.app.Name))
		}
		times.WriteString(c.times())
		if len(l.list) > 1 {
			times.WriteByte('\n')
		}
		if i > 0 {
			back.WriteString(" and ")
		}
		fmt.Fprintf(&back, "`waybill rollback --app %s --env %s`", c.app.Name, c.to.Name)
		for _, image := range c.moving.Images() {
			fmt.Fprintf(&marks, "<!-- waybill:promotion %s %s %s -->\n", c.app.Name, c.to.Name, image.Digest())
		}
	}
	if more := len(l.list) - shownApps; more > 0 {
		fmt.Fprintf(&times, "… and %s more\n\n", text.Count(more, "application"))
		back.Reset()
		fmt.Fprintf(&back, "`waybill rollback --app APP --env %s`", l.to.Name)
	}
	if len(l.to.Reviewers) > 0 {
		fmt.Fprintf(&times, "- 👀 **review** asked of %s\n", prose(strings.Join(l.to.Reviewers, ", ")))
	}
	return times.String() + "\nRoll back after merging: " + back.String() + ", or run the *rollback* workflow.\n\n" + marks.String()
}

func (l load) verdict() string {
	what := fmt.Sprintf("`%s` from **%s** to **%s**", l.name(), l.origin(), l.to.Name)
	decision := l.decision()
	if len(l.list) > 1 || len(l.list[0].items) > 1 { // a rule is named once for all of them
		decision.Reasons = slices.CompactFunc(slices.SortedStableFunc(slices.Values(decision.Reasons), byRule), sameRule)
	}
	switch decision.State() {
	case evidence.Refused:
		return "❌ **Refused.** " + what + " must not be merged as it stands: " + names(decision, evidence.Refused) + "."
	case evidence.Pending:
		return "⏳ **Not yet.** " + what + " waits for: " + names(decision, evidence.Pending) + "."
	}
	said := "✅ **Ready to promote.** " + what
	if l.group != "" {
		said += ", with " + text.List(l.names(), shownApps) + ": all enter, or none"
	}
	return said + l.proven() + "."
}

// byRule puts the reasons of one rule and state together.
func byRule(a, b evidence.Reason) int {
	return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.State, b.State))
}

func sameRule(a, b evidence.Reason) bool { return byRule(a, b) == 0 }

// proven says in a few words what is known of the images.
func (l load) proven() string {
	var all []item
	for _, c := range l.list {
		all = append(all, c.items...)
	}
	said, added, known := ", image", 0, true
	if len(all) > 1 {
		said = ", " + text.Count(len(all), "image")
	}
	said += proof(all)
	if len(all) == 1 && all[0].waybill.Scan != nil {
		said += ", scanned " + text.Time(all[0].waybill.Scan.FinishedAt)
	}
	for _, i := range all {
		fresh, _, compared := i.findings()
		added, known = added+len(fresh), known && compared
	}
	switch {
	case !known:
	case added == 0:
		said += ", no new finding"
	default:
		said += ", " + text.Count(added, "new finding")
	}
	return said
}

// proof says of images what signatures and provenance prove of all of them. A policy may
// require neither.
func proof(all []item) string {
	lacks := func(kind evidence.Kind) bool {
		return slices.ContainsFunc(all, func(i item) bool {
			return !slices.ContainsFunc(i.waybill.Records, func(r evidence.Record) bool { return r.Kind == kind })
		})
	}
	switch unsigned, unknown := lacks(evidence.Signature), lacks(evidence.Provenance); {
	case unsigned && unknown:
		return " without signature and provenance"
	case unsigned:
		return " built once, without signature"
	case unknown:
		return " signed, without provenance"
	}
	return " built once, signed"
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

func (p *Promoter) table(i item) string {
	var out strings.Builder
	out.WriteString(markdown.Row("", "in "+markdown.Text(i.to.Name)+" now", "this pull request"))
	out.WriteString("|---|---|---|\n")
	row := func(name, old, changed string) { out.WriteString(markdown.Row(name, old, changed)) }
	row("digest", digest(i.previous), digest(i.waybill.Image))
	row("source", p.source(i.deployed), p.source(i.waybill))
	row("platforms", platforms(i.deployed), platforms(i.waybill))
	row("critical / high / medium / low", counts(i.deployed, nil), counts(i.waybill, &i.deployed))
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

func (i item) findings() (added, fixed []evidence.Finding, known bool) {
	head, ok := i.waybill.ScanReport()
	if !ok {
		return nil, nil, false
	}
	base, ok := i.deployed.ScanReport()
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

// log are the source commits that an image brings.
type log struct {
	commits []rules.Commit
	total   int
	known   bool
}

func (p *Promoter) commits(ctx context.Context, i item) (l log, err error) {
	from, to := i.deployed.Source, i.waybill.Source
	if p.Forge == nil || from.Commit == "" || to.Commit == "" || from.Repository != to.Repository {
		return l, nil
	}
	l.commits, l.total, l.known, err = p.Forge.Commits(ctx, rules.RepositoryPath(to.Repository), from.Commit, to.Commit)
	return l, err
}

func (i item) commitSection(l log) string {
	repository := rules.RepositoryPath(i.waybill.Source.Repository)
	switch {
	case i.waybill.Source.Commit == "" || i.deployed.Source.Commit == "":
		return ""
	case !l.known:
		return fmt.Sprintf("The commits of %s between the two cannot be listed with this token.\n", markdown.Code(repository))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "<details><summary>%s from %s</summary>\n\n", text.Count(l.total, "commit"), markdown.HTML(repository))
	for n, commit := range l.commits {
		if n == shownCommits {
			fmt.Fprintf(&out, "- … and %d more\n", l.total-shownCommits)
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

func (i item) packageSection() string {
	head, ok := i.waybill.ScanReport()
	if !ok {
		return ""
	}
	base, ok := i.deployed.ScanReport()
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
