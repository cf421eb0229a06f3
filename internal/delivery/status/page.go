package status

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
)

// pageTemplate is one file with everything that it needs: nothing is fetched, so
// that the page can be published, archived and mailed as it is. Its policy
// (Content-Security-Policy) lets nothing else in either.
//
//go:embed page.html
var pageTemplate string

// Marks of a place, worst first. The page sorts and filters by them.
const (
	markBroken  = "broken"
	markTag     = "tag"
	markHeld    = "held"
	markWaits   = "waits"
	markBehind  = "behind"
	markEmpty   = "empty"
	markCurrent = "current"
)

// marks are their signs and what they mean, for the legend.
var marks = []struct{ Name, Sign, Means string }{
	{markBroken, "✗", "the overlay cannot be read"},
	{markTag, "!", "named by a tag, which can be moved"},
	{markHeld, "‖", "held until somebody lifts it"},
	{markWaits, "…", "a promotion or a rollback is open"},
	{markBehind, "↑", "behind the environment before it"},
	{markEmpty, "–", "nothing is deployed"},
	{markCurrent, "✓", "nothing is waiting"},
}

func (c Cell) mark() string {
	switch {
	case c.Problem != "":
		return markBroken
	case c.Tag != "":
		return markTag
	case c.Held != nil:
		return markHeld
	case c.Pending != nil || c.Back != nil:
		return markWaits
	case c.Image.IsZero():
		return markEmpty
	case c.Behind > 0:
		return markBehind
	}
	return markCurrent
}

// Style is how this page looks, for other pages that look alike.
func Style() template.CSS {
	_, after, _ := strings.Cut(pageTemplate, "<style>")
	style, _, _ := strings.Cut(after, "</style>")
	return template.CSS(style) //nolint:gosec // embedded in this program, no input
}

// HTML writes the page.
func (t Table) HTML(w io.Writer) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"age": func(since time.Time) string {
			if since.IsZero() {
				return ""
			}
			return text.Duration(t.At.Sub(since))
		},
		"stamp":  text.Time,
		"digest": func(ref imageref.Ref) string { return ref.Hex()[:8] },
		"mark":   Cell.mark,
		"sign": func(mark string) string {
			for _, m := range marks {
				if m.Name == mark {
					return m.Sign
				}
			}
			return ""
		},
		"marks":  func() any { return marks },
		"commit": t.commitURL,
		"find":   Row.find,
		"bars":   bars,
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	if err := page.Execute(w, t); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// bar is a week of the chart, in its units.
type bar struct {
	X, Y, Height      int // of all deployments
	BackY, BackHeight int // of those that were taken back
	Says              string
}

// Size of the chart.
const (
	barWidth    = 10
	chartHeight = 48
)

// bars draws weeks; the highest fills the chart.
func bars(weeks []report.Week) (list []bar) {
	most := 1
	for _, w := range weeks {
		most = max(most, w.Deployments)
	}
	for i, w := range weeks {
		height, back := w.Deployments*chartHeight/most, w.TakenBack*chartHeight/most
		list = append(list, bar{
			X: i * barWidth, Y: chartHeight - height, Height: height, BackY: chartHeight - back, BackHeight: back,
			Says: fmt.Sprintf("week of %s: %d, %d taken back", w.Begin.Format(time.DateOnly), w.Deployments, w.TakenBack),
		})
	}
	return list
}

// find is the row's cell of an environment; nil where the application has none.
func (r Row) find(env string) *Cell {
	for i := range r.Cells {
		if r.Cells[i].Env == env {
			return &r.Cells[i]
		}
	}
	return nil
}

// Urgent lists the places that need somebody, worst first.
func (t Table) Urgent() (list []struct{ App, Env, Mark, Why string }) {
	for _, m := range marks[:4] {
		for _, row := range t.Rows {
			for _, c := range row.Cells {
				one := struct{ App, Env, Mark, Why string }{row.App, c.Env, m.Name, c.why()}
				if m.Name == markBroken || m.Name == markTag || len(c.Waits) > 0 {
					one.App = row.Title()
				}
				if c.mark() == m.Name && !slices.Contains(list, one) { // said once for all images of an application
					list = append(list, one)
				}
			}
		}
	}
	return list
}

func (c Cell) why() string {
	switch c.mark() {
	case markBroken:
		return c.Problem
	case markTag:
		return "the tag " + c.Tag + " stands where a digest should"
	case markHeld:
		return c.Held.What()
	}
	var open []string
	if c.Pending != nil {
		open = append(open, fmt.Sprintf("#%d waits to enter", c.Pending.Number))
	}
	if c.Back != nil {
		open = append(open, fmt.Sprintf("#%d would roll back", c.Back.Number))
	}
	return strings.Join(append(open, c.Waits...), "; ")
}

// commitURL is the page of OWNER/NAME@COMMIT; empty where there is none.
func (t Table) commitURL(source string) string {
	repository, commit, ok := strings.Cut(source, "@")
	if !ok || t.Server == "" || strings.Count(repository, "/") != 1 {
		return ""
	}
	return t.Server + "/" + repository + "/commit/" + commit
}
