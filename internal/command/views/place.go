package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/diff"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/replay"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/rollback"
	"github.com/waybill-dev/waybill/internal/delivery/status"
	"github.com/waybill-dev/waybill/internal/delivery/why"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// Bump renders how a bump ended, or the answer of the run that was asked for it.
func Bump(in options.Bump, r bump.Result) show.View {
	v := bumped(r)
	if in.DryRun {
		v.Lines, v.Text = nil, ""
		dry(&v)
	}
	return v
}

func bumped(r bump.Result) show.View {
	var v show.View
	if !r.Waybill.Image.IsZero() {
		v.Markdown = r.Waybill.Markdown()
	}
	for i, w := range r.Waybills {
		if i > 0 {
			v.Markdown += "\n" + w.Markdown()
		}
	}
	if r.Answer != "" {
		v.Linef("answered %s: %s", r.Answer, r.URL)
	}
	if r.Decision == "" {
		return v
	}
	v.Outputs = map[string]string{"decision": r.Decision}
	switch {
	case r.Decision != "allowed":
		return v
	case r.Answer != "":
		v.Text = r.URL + "\n"
		return v
	case r.State != "" && r.Number == 0:
		v.Linef("%s  branch %s, which a pull request brings into the environment", r.State, r.Branch)
		v.Text = r.Branch + "\n"
		v.Outputs["changed"], v.Outputs["pull_request"] = "false", ""
		return v
	case r.State != "":
		v.Linef("%s #%d", r.State, r.Number)
		v.Text = r.URL + "\n"
		v.Outputs["changed"], v.Outputs["pull_request"] = "false", strconv.Itoa(r.Number)
		return v
	case r.Changed:
		v.Linef("bumped   %s: %s", r.File, moved(r.Parts, r.Previous, r.Waybill.Image))
	default:
		v.Linef("current  %s names %s already", r.File, digests(r.Parts, r.Waybill.Image))
	}
	v.Text = r.Commit + "\n"
	v.Outputs["changed"], v.Outputs["commit"], v.Outputs["previous"] = strconv.FormatBool(r.Changed), r.Commit, r.Previous.String()
	return v
}

func short(ref imageref.Ref) string {
	if !history.Runs(ref) {
		return "nothing"
	}
	return ref.Short()
}

// moved says what takes whose place.
func moved(parts []history.Moved, from, to imageref.Ref) string {
	if len(parts) == 0 {
		return short(from) + " → " + to.Short()
	}
	var list []string
	for _, p := range parts {
		list = append(list, p.Part+" "+short(p.Previous)+" → "+p.Image.Short())
	}
	return strings.Join(list, ", ")
}

// digests names an image, or several of one application.
func digests(parts []history.Moved, image imageref.Ref) string {
	if len(parts) == 0 {
		return short(image)
	}
	var list []string
	for _, p := range parts {
		list = append(list, p.Part+" "+short(p.Image))
	}
	return strings.Join(list, ", ")
}

// Promote renders what became of each promotion. Promoting everything that may
// move is done even where something may not: only a promotion that was asked for
// by name refuses or waits.
func Promote(in options.Promote, promotions []promote.Promotion) show.View {
	v := show.View{Outputs: map[string]string{"pull_requests": show.JSON(promotions)}}
	var text, summary, reasons strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	summary.WriteString(markdown.Row("application", "move", "digest", "state", "") + "|---|---|---|---|---|\n")
	for _, p := range promotions {
		where, link, state := p.URL, "", p.State
		if where == "" && p.Commit != "" {
			where = p.Branch
		}
		if p.URL != "" {
			link = markdown.Link(fmt.Sprintf("#%d", p.Number), p.URL)
		}
		if p.Waiting {
			state += ", waiting"
		}
		fmt.Fprintf(out, "%s\t%s → %s\t%s\t%s\t%s\n", p.App, p.From, p.To, digests(p.Parts, p.Image), state, where)
		move := markdown.Text(p.From + " → " + p.To)
		summary.WriteString(
			markdown.Row(markdown.Text(p.App), move, markdown.Code(digests(p.Parts, p.Image)), markdown.Text(p.State), link),
		)
		if p.Reason != "" {
			reasons.WriteString("\n" + markdown.Fence("", p.Reason) + "\n")
			v.Linef("%s: %s → %s: %s", p.App, p.From, p.To, p.Reason)
		}
		if p.Overflow != "" {
			v.Markdown += p.Overflow + "\n"
		}
	}
	_ = out.Flush() // into memory
	v.Text = text.String()
	v.Markdown += summary.String() + reasons.String()
	if in.App != "" && alone(promotions) {
		for _, p := range promotions {
			if v.Verdict = p.Verdict(); v.Verdict != nil {
				break
			}
		}
	}
	if in.DryRun {
		dry(&v)
	}
	return v
}

// alone reports whether all promotions are one: of an application, or of its group.
func alone(promotions []promote.Promotion) bool {
	return len(promotions) > 0 && !slices.ContainsFunc(promotions[1:], func(p promote.Promotion) bool {
		return p.Group == "" || p.Group != promotions[0].Group || p.To != promotions[0].To
	})
}

// Diff renders how places differ.
func Diff(_ options.Diff, places []diff.Place) show.View {
	objects := 0
	var text strings.Builder
	for _, p := range places {
		objects += len(p.Changes)
		fmt.Fprintf(
			&text, "#### %s in %s\n\n%s\n", markdown.Text(p.App), markdown.Text(p.Env),
			markdown.Fence("diff", render.Text(p.Changes)),
		)
	}
	if len(places) == 0 {
		text.WriteString("No difference in what would be deployed.\n")
	}
	return show.View{
		Markdown: text.String(),
		Outputs:  map[string]string{"objects": strconv.Itoa(objects), "changed": strconv.FormatBool(objects > 0)},
	}
}

// Rollback renders what an environment returns to.
func Rollback(in options.Rollback, r rollback.Result) show.View {
	v := show.View{
		Text:    imageref.Lines(r.Set) + "\n",
		Outputs: map[string]string{"pull_request": "", "commit": r.Commit, "digest": r.Image.Digest()},
	}
	to := digests(r.Parts, r.Image)
	if r.Number != 0 {
		v.Outputs["pull_request"] = strconv.Itoa(r.Number)
	}
	switch {
	case in.DryRun:
		dry(&v)
	case r.URL != "":
		v.Linef("rollback to %s: %s", to, r.URL)
	case r.Changed:
		v.Linef("rollback to %s: commit %s on %s", to, r.Commit, r.Branch)
	default:
		v.Linef("rollback to %s: nothing to do", to)
	}
	if r.Note != "" {
		v.Linef("%s", r.Note)
	}
	return v
}

// Hold renders what is held, or was lifted.
func Hold(in options.Hold, r hold.Result) show.View {
	v := show.View{Text: r.Commit + "\n", Outputs: map[string]string{"changed": strconv.FormatBool(r.Changed), "commit": r.Commit}}
	switch {
	case in.Lift && r.Changed:
		v.Linef("lifted   %s in %s was held: %s", in.App, in.Env, r.Hold.Reason)
	case in.Lift:
		v.Linef("current  nothing holds %s in %s", in.App, in.Env)
	case r.Changed:
		v.Linef("held     %s in %s: %s", in.App, in.Env, r.Hold.Reason)
	default:
		v.Linef("current  %s in %s is held already: %s", in.App, in.Env, r.Hold.Reason)
	}
	return v
}

// Status renders what runs where.
func Status(_ options.Status, t status.Table) show.View {
	var text strings.Builder
	_ = t.Text(&text) // into memory
	return show.View{
		Text: text.String(), HTML: t.HTML, Markdown: markdown.Fence("", text.String()), Outputs: map[string]string{"status": show.JSON(t)},
	}
}

// Why renders what stands between a digest and an environment. That something
// does is the answer, and no failure.
func Why(_ options.Why, r why.Result) show.View {
	return show.View{
		Text: r.Text(), Markdown: markdown.Fence("", r.Text()),
		Outputs: map[string]string{"allowed": strconv.FormatBool(r.Decision.Allowed)},
	}
}

// History renders what ran in an environment.
func History(_ options.History, p report.Place) show.View {
	return show.View{Text: p.Text(), Markdown: markdown.Fence("", p.Text())}
}

// Report renders how delivery went.
func Report(_ options.Report, r report.Report) show.View {
	return show.View{Text: r.Text(), Markdown: r.Markdown(), Outputs: map[string]string{"report": show.JSON(r)}}
}

// Replay renders what another waybill.yaml would have stopped. That it would is the
// answer, and no failure.
func Replay(_ options.Replay, r replay.Result) show.View {
	return show.View{
		Text: r.Text(), Markdown: markdown.Fence("", r.Text()), Outputs: map[string]string{"stopped": strconv.Itoa(r.Newly())},
	}
}

// dryRun is the last line of a command that only says what it would do.
const dryRun = "dry run: nothing was written"

// dry makes the view that of a dry run: no step after it may take it for the real one.
func dry(v *show.View) { v.Last, v.Outputs = dryRun, nil }

// Init renders what was written, and what people do next.
func Init(in options.Init, r starter.Result) show.View {
	written := append(r.Written, r.Replaced...)
	v := show.View{Outputs: map[string]string{"files": strings.Join(written, "\n")}}
	for _, f := range written {
		v.Text += f + "\n"
	}
	for _, f := range r.Replaced {
		v.Linef("replaced %s", f)
	}
	for _, f := range r.Kept {
		v.Linef("kept     %s: it is there already and differs from the starter file (--force replaces it)", f)
	}
	if in.DryRun {
		dry(&v)
	}
	if len(r.Next) == 0 {
		return v
	}
	v.Linef("%d files written, %d replaced, %d the same already, %d kept.", len(r.Written), len(r.Replaced), len(r.Same), len(r.Kept))
	v.Linef("\nNext:")
	for i, step := range r.Next {
		v.Linef("%d. %s", i+1, step)
	}
	return v
}
