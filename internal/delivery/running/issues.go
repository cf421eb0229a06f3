package running

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/keptissue"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Bounds of what an issue says.
const (
	ending   = 2000 // runes kept free for what follows the findings
	maxNotes = 20
)

// Keep brings the issues in line with the report: one for each application of which
// something is to be told. What fails for one does not keep the others from theirs.
func Keep(ctx context.Context, api *github.Client, repo github.Repository, label string, report *Report) error {
	keeper := keptissue.Keeper{API: api, Repo: repo, Label: label, Read: report.readMark}
	ours, err := keeper.Find(ctx)
	if err != nil {
		return fmt.Errorf("keep the issues: %w", err)
	}
	var problems []error
	for i := range report.Apps {
		app := &report.Apps[i]
		app.dir = report.Dir
		kept, err := keeper.Keep(ctx, ours[app.App], app.wanted())
		if err != nil {
			problems = append(problems, fmt.Errorf("keep the issue of %s: %w", app.App, err))
		}
		app.Issue = kept
		delete(ours, app.App)
	}
	if !report.All {
		return outcome.Join(problems...)
	}
	for name, list := range ours {
		for _, one := range list {
			if one.State != "open" {
				continue
			}
			why := markdown.Code(text.Line(name)) + " is no longer one of the applications."
			body := text.NoCommand(mark{App: name, Dir: report.Dir}.String() + "\n" + why + "\n")
			problems = append(problems, keeper.Close(ctx, one, body, "not_planned", text.NoCommand(why)))
		}
	}
	return outcome.Join(problems...)
}

func (a App) wanted() keptissue.Wanted {
	w := keptissue.Wanted{
		Subject: "application", State: keptissue.WantOpen, Title: a.Title(), Body: a.Body(markdown.MaxComment),
		Gone: text.NoCommand(mark{App: a.App, Dir: a.dir}.String() + "\n**Nothing is found any more** in what runs of " +
			markdown.Code(text.Line(a.App)) + ". What it was is in the history of this text.\n"),
		GoneWhy: "Nothing is found any more in what runs: it was fixed, or it is waived.",
	}
	switch {
	case a.reports():
	case len(a.Problems) > 0:
		w.State = keptissue.WantLeft // what could not be scanned may still have it
	default:
		w.State = keptissue.WantGone
	}
	return w
}

// Title of the application's issue.
func (a App) Title() string {
	return text.Cut("Found in what runs of "+text.OneLine(text.Line(a.App))+": "+a.counts(), 200, "…")
}

func (a App) counts() string {
	var parts []string
	for _, s := range evidence.Severities() {
		n := 0
		for _, f := range a.Findings {
			if f.Severity == s {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if n := len(a.Notes); n > 0 {
		parts = append(parts, text.Count(n, "note"))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Body is what the issue says, in at most limit characters. It holds nothing that
// differs from run to run: what has not changed edits nothing.
func (a App) Body(limit int) string {
	shown := a.table(limit - ending)
	var out strings.Builder
	out.WriteString(mark{App: a.App, Dir: a.dir, Digest: digest(shown)}.String() + "\n" + shown)
	if a.Source != "" {
		out.WriteString("\nBuilt from " + markdown.Code(text.Line(a.Source)) + ".\n")
	}
	if len(a.Problems) > 0 {
		fmt.Fprintf(&out, "\nMore may be there: %s could not be scanned, and the run says why.\n", text.Count(len(a.Problems), "place"))
	}
	out.WriteString("\nTo end this: deliver the application with the fixed versions or a newer base image and promote it, " +
		"or waive a finding for a time in `waybill.yaml` under `policy.waivers`. This issue is closed when nothing is found any more.\n")
	return text.NoCommand(out.String())
}

func (a App) table(limit int) string {
	var out strings.Builder
	fmt.Fprintf(&out, "**%s** in what runs of %s, by the policy of each environment.\n", a.counts(), markdown.Code(text.Line(a.App)))
	if len(a.Findings) > 0 {
		out.WriteString("\n" + markdown.Row("severity", "finding", "package", "fixed in", "runs in") + "|---|---|---|---|---|\n")
	}
	for i, f := range a.Findings {
		row := markdown.Row(string(f.Severity), markdown.Link(markdown.Text(text.Line(f.ID)), f.URL),
			markdown.Code(text.Line(f.Package+" "+f.Version)), fixed(f), markdown.Text(text.Line(strings.Join(f.Environments, ", "))))
		if utf8.RuneCountInString(out.String())+utf8.RuneCountInString(row) > limit {
			fmt.Fprintf(&out, "\n%s more.\n", text.Count(len(a.Findings)-i, "finding"))
			break
		}
		out.WriteString(row)
	}
	out.WriteString(a.advice())
	for _, n := range a.Notes[:min(len(a.Notes), maxNotes)] {
		out.WriteString("\n- " + markdown.Text(text.Line(text.Cut(n, 500, "…"))) + "\n")
	}
	return out.String()
}

func fixed(f Finding) string {
	if f.FixedVersion == "" {
		return "no fix"
	}
	return markdown.Code(text.Line(f.FixedVersion))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// mark begins an issue of ours, where readers do not see it.
type mark struct {
	App    string `json:"app"`
	Dir    string `json:"dir,omitempty"`    // of the repository; another one's issues are not ours
	Digest string `json:"digest,omitempty"` // of what the issue shows; empty where there is nothing
}

const markStart, markEnd = "<!-- waybill:running ", " -->"

func (m mark) String() string {
	data, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return markStart + strings.NewReplacer("--", `\u002d\u002d`, "#", `\u0023`).Replace(string(data)) + markEnd
}

func (r *Report) readMark(body string) (keptissue.Mark, bool) {
	first, _, _ := strings.Cut(strings.TrimPrefix(body, "\ufeff"), "\n")
	inner, ok := strings.CutPrefix(strings.TrimSuffix(first, "\r"), markStart)
	if inner, ok = cutSuffix(inner, ok); !ok {
		return keptissue.Mark{}, false
	}
	var m mark
	ok = json.Unmarshal([]byte(inner), &m) == nil && m.App != "" && m.Dir == r.Dir
	return keptissue.Mark{Key: m.App, Digest: m.Digest, Gone: m.Digest == ""}, ok
}

func cutSuffix(inner string, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, markEnd)
}

// Markdown is the whole report, for the step summary and the terminal.
func (r *Report) Markdown() string {
	var out strings.Builder
	out.WriteString(markdown.Row("application", "images", "found", "issue") + "|---|---|---|---|\n")
	for _, a := range r.Apps {
		found, issue := a.counts(), ""
		if len(a.Problems) > 0 {
			found += fmt.Sprintf(", **%s not scanned**", text.Count(len(a.Problems), "place"))
		}
		if a.Issue != nil {
			issue = markdown.Link(fmt.Sprintf("#%d", a.Issue.Number), a.Issue.URL) + " " + a.Issue.Action
		}
		out.WriteString(markdown.Row(markdown.Code(text.Line(a.App)), fmt.Sprint(len(a.Images)), found, issue))
	}
	for _, a := range r.Apps {
		if a.reports() {
			out.WriteString("\n" + a.table(markdown.MaxComment/4))
		}
	}
	return text.NoCommand(out.String())
}

// Found reports whether anything is to be told of any application.
func (r *Report) Found() bool { return slices.ContainsFunc(r.Apps, App.reports) }

// Broken is an error where something that runs could not be scanned.
func (r *Report) Broken() error {
	var problems []string
	for _, a := range r.Apps {
		for _, p := range a.Problems {
			problems = append(problems, a.App+" in "+p)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s of what runs could not be scanned:\n%s", text.Count(len(problems), "place"), strings.Join(problems, "\n"))
}
