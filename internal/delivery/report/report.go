package report

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// Spread is how long something took, in seconds. Half took at most Median, nine of
// ten at most P90.
type Spread struct {
	Known  int   `json:"known"` // of how many it is known
	Median int64 `json:"median_seconds"`
	P90    int64 `json:"p90_seconds"`
}

// Figures are the four that tell how delivery goes.
// https://dora.dev/guides/dora-metrics-four-keys/
type Figures struct {
	Deployments int     `json:"deployments"`
	PerWeek     float64 `json:"per_week"`
	// Lead is from the source commit until its digest came to the environment.
	Lead Spread `json:"lead"`
	// TakenBack counts the deployments after which the place went back to a digest
	// that had run there before.
	TakenBack int `json:"taken_back"`
	// Restore is from such a deployment until the place was back.
	Restore Spread `json:"restore"`
}

// Week is the deployments of one week.
type Week struct {
	Begin       time.Time `json:"begin"` // Monday, UTC
	Deployments int       `json:"deployments"`
	TakenBack   int       `json:"taken_back"`
}

// Row is the figures of an application in an environment, or of all applications.
type Row struct {
	App string `json:"app,omitempty"` // empty is all
	Env string `json:"env"`
	Figures
	Weeks []Week `json:"weeks,omitempty"` // of all applications only
}

// Report is how delivery went in a period.
type Report struct {
	Commit       string    `json:"commit"` // head of the config repository
	From         time.Time `json:"from"`
	Until        time.Time `json:"until"`
	Environments []Row     `json:"environments"`
	Applications []Row     `json:"applications"` // without those that did not move
}

// Request says what to measure. Empty names mean all.
type Request struct {
	Branch, App, Env string
	Period           time.Duration // back from now
	Now              time.Time
}

// Measure reads the history of every place and counts.
func Measure(ctx context.Context, repo Repository, req Request) (Report, error) {
	tip, err := history.ReadTip(ctx, repo, req.Branch)
	if err != nil {
		return Report{}, err
	}
	names := tip.Config.AppNames()
	if req.App != "" {
		names = []string{req.App}
	}
	if req.Env != "" {
		if _, err := tip.Config.Environment(req.Env); err != nil {
			return Report{}, err
		}
	}
	if err := repo.ReadAhead(ctx, tip.Commit, history.Files(tip, names)); err != nil {
		return Report{}, err
	}
	r := Report{Commit: tip.Commit, Until: req.Now.UTC(), From: req.Now.Add(-req.Period).UTC()}
	all := make(map[string][]Step)
	for _, name := range names {
		app, err := tip.Config.App(name)
		if err != nil {
			return Report{}, err
		}
		places, err := Steps(ctx, repo, tip.Commit, app)
		if err != nil {
			return Report{}, err
		}
		for _, env := range app.Environments {
			counted := r.deployments(places[env])
			if len(counted) > 0 && (req.Env == "" || req.Env == env) {
				r.Applications = append(r.Applications, Row{App: name, Env: env, Figures: r.figures(counted)})
				all[env] = append(all[env], counted...)
			}
		}
	}
	for _, env := range tip.Config.EnvironmentNames() {
		if req.Env == "" || req.Env == env {
			r.Environments = append(r.Environments, Row{Env: env, Figures: r.figures(all[env]), Weeks: r.weeks(all[env])})
		}
	}
	return r, nil
}

// deployments are the steps of the period that count as one.
func (r Report) deployments(list []Step) (counted []Step) {
	for _, s := range list {
		if s.Kind == Deploy && !s.Since.Before(r.From) && s.Since.Before(r.Until) {
			counted = append(counted, s)
		}
	}
	return counted
}

const week = 7 * 24 * time.Hour

func (r Report) figures(list []Step) Figures {
	f := Figures{Deployments: len(list), PerWeek: float64(len(list)) / (float64(r.Until.Sub(r.From)) / float64(week))}
	var lead, restore []time.Duration
	for _, s := range list {
		if !s.Committed.IsZero() && !s.Committed.After(s.Since) {
			lead = append(lead, s.Since.Sub(s.Committed))
		}
		if !s.Restored.IsZero() {
			f.TakenBack++
			restore = append(restore, s.Restored.Sub(s.Since))
		}
	}
	f.Lead, f.Restore = spread(lead), spread(restore)
	return f
}

// spread takes the nearest ranks: figures that were measured, not means of them.
func spread(list []time.Duration) Spread {
	if len(list) == 0 {
		return Spread{}
	}
	slices.Sort(list)
	rank := func(percent int) int64 { return int64(list[(len(list)*percent+99)/100-1] / time.Second) }
	return Spread{Known: len(list), Median: rank(50), P90: rank(90)}
}

// weeks counts by week, those without a deployment too.
func (r Report) weeks(list []Step) []Week {
	monday := func(t time.Time) time.Time {
		day := t.Truncate(24 * time.Hour)
		return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	}
	var weeks []Week
	for begin := monday(r.From); begin.Before(r.Until); begin = begin.Add(week) {
		w := Week{Begin: begin}
		for _, s := range list {
			if monday(s.Since).Equal(begin) {
				w.Deployments++
				if !s.Restored.IsZero() {
					w.TakenBack++
				}
			}
		}
		weeks = append(weeks, w)
	}
	return weeks
}

// Rate is the part of the deployments that was taken back, in percent; a dash
// without any.
func (f Figures) Rate() string {
	if f.Deployments == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(f.TakenBack)/float64(f.Deployments))
}

// String gives median and ninth tenth; a dash where nothing is known.
func (s Spread) String() string {
	if s.Known == 0 {
		return "–"
	}
	return text.Duration(time.Duration(s.Median)*time.Second) + " / " + text.Duration(time.Duration(s.P90)*time.Second)
}

var columns = []string{"deployments", "a week", "lead time", "taken back", "time to restore"}

func (r Row) cells() []string {
	return []string{fmt.Sprint(r.Deployments), fmt.Sprintf("%.1f", r.PerWeek), r.Lead.String(), r.Rate(), r.Restore.String()}
}

// head is the first line.
func (r Report) head() string {
	return fmt.Sprintf(
		"Deliveries from %s to %s, commit %s. Times are median / 90 %%.", text.Time(r.From), text.Time(r.Until), text.Commit(r.Commit),
	)
}

// unknown says how many lead times are not known, and why.
func (r Report) unknown() string {
	total, known := 0, 0
	for _, e := range r.Environments {
		total, known = total+e.Deployments, known+e.Lead.Known
	}
	if total == known {
		return ""
	}
	return fmt.Sprintf(
		"The lead time of %d of %d deployments is unknown: no commit says when their source was committed.", total-known, total,
	)
}

// Text prints the report for a terminal.
func (r Report) Text() string {
	var out strings.Builder
	fmt.Fprintln(&out, r.head())
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\t\t%s\n", strings.Join(columns, "\t"))
	for _, row := range slices.Concat(r.Environments, r.Applications) {
		fmt.Fprintf(w, "%s\t%s\t%s\n", named(row.App), row.Env, strings.Join(row.cells(), "\t"))
	}
	_ = w.Flush() // into memory
	if u := r.unknown(); u != "" {
		fmt.Fprintln(&out, u)
	}
	return out.String()
}

func named(app string) string {
	if app == "" {
		return "all"
	}
	return app
}

// Markdown is the report for a step summary.
func (r Report) Markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\n", markdown.Text(r.head()))
	out.WriteString(markdown.Row(append([]string{"application", "environment"}, columns...)...) + "|---|---|---|---|---|---|---|\n")
	for _, row := range slices.Concat(r.Environments, r.Applications) {
		cells := []string{markdown.Text(named(row.App)), markdown.Text(row.Env)}
		for _, c := range row.cells() {
			cells = append(cells, markdown.Text(c))
		}
		out.WriteString(markdown.Row(cells...))
	}
	if u := r.unknown(); u != "" {
		fmt.Fprintf(&out, "\n%s\n", markdown.Text(u))
	}
	return out.String()
}
