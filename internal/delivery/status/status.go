// Package status tells which digest runs where, since when, how far behind
// the environment before it, and which promotion is open.
//
// It reads the config repository and, where there is one, the list of open
// pull requests; no registry and no cluster. Sources of health are asked about what
// would go on to the next environment.
package status

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as status uses it.
type Repository interface {
	history.Reader
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	ReadAhead(ctx context.Context, rev string, paths []string) error
}

// Open is a pull request that would change an environment.
type Open struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Branch string `json:"branch"` // waybill/ENV/APP, or waybill/ENV/+GROUP
}

// Cell is one application in one environment.
type Cell struct {
	Env     string       `json:"env"`
	Image   imageref.Ref `json:"image"`              // zero when it names no digest
	Tag     string       `json:"tag,omitempty"`      // that stands where a digest should
	Since   time.Time    `json:"since,omitzero"`     // when the digest came to the branch
	Behind  int          `json:"behind"`             // deployments of the environment before that are not here
	Pending *Open        `json:"pending,omitempty"`  // the open promotion into this environment
	Back    *Open        `json:"rollback,omitempty"` // the open rollback of this environment
	Held    *hold.Hold   `json:"held,omitempty"`     // what is kept out until somebody lifts it
	Problem string       `json:"problem,omitempty"`  // why the overlay cannot be read
	Waits   []string     `json:"waits,omitempty"`    // what the next digest waits for, but evidence and reviews
	Recent  []Deployment `json:"recent,omitempty"`   // what ran last, newest first
}

// Deployment is a digest that ran in a place.
type Deployment struct {
	Image  imageref.Ref `json:"image"`
	Since  time.Time    `json:"since"`
	Until  time.Time    `json:"until,omitzero"`
	Commit string       `json:"commit"`           // of the config repository
	Source string       `json:"source,omitempty"` // OWNER/NAME@COMMIT, as that commit says
	Run    string       `json:"run,omitempty"`    // URL of the run that made that commit
}

// Row is one application, or one image of an application that has several.
type Row struct {
	App   string `json:"app"`
	Part  string `json:"part,omitempty"` // name of the image, where the application has several
	Cells []Cell `json:"environments"`
}

// Title names the row for people.
func (r Row) Title() string {
	if r.Part == "" {
		return r.App
	}
	return r.App + "/" + r.Part
}

// Table is the state of a config repository at one commit.
type Table struct {
	Commit       string    `json:"commit"`
	At           time.Time `json:"at"`
	Environments []string  `json:"-"`
	Rows         []Row     `json:"apps"`
	// Title and Server are for the page: the repository, and the URL of the GitHub
	// server, which makes links.
	Title  string `json:"-"`
	Server string `json:"-"`
	// Report, if not nil, is shown below the table.
	Report *report.Report `json:"-"`
}

// Request says what to read.
type Request struct {
	Branch string
	Open   []Open // the open pull requests of Waybill's branches
	Now    time.Time
	Recent int // how many deployments of each place to list
	// Judge asks for health and verifications of what would go on; nobody is asked if nil.
	Judge *rules.Judge
}

// Read reads the state at the head of a branch.
func Read(ctx context.Context, repo Repository, req Request) (Table, error) {
	tip, err := history.ReadTip(ctx, repo, req.Branch)
	if err != nil {
		return Table{}, err
	}
	if err := repo.ReadAhead(ctx, tip.Commit, history.Files(tip, tip.Config.AppNames())); err != nil {
		return Table{}, err
	}
	table := Table{Commit: tip.Commit, At: req.Now.UTC(), Environments: tip.Config.EnvironmentNames()}
	for _, name := range slices.SortedFunc(slices.Values(tip.Config.AppNames()), text.Natural) {
		app, err := tip.Config.App(name)
		if err != nil {
			return Table{}, err
		}
		for _, part := range app.Parts() {
			row, err := reader{repo: repo, tip: tip, app: part, whole: app, req: req}.row(ctx)
			if err != nil {
				return Table{}, err
			}
			table.Rows = append(table.Rows, row)
		}
	}
	return table, nil
}

// reader reads the places of one image.
type reader struct {
	repo  Repository
	tip   history.Tip
	app   config.App // as if it had no other image
	whole config.App
	req   Request
}

func (r reader) row(ctx context.Context) (Row, error) {
	row := Row{App: r.app.Name, Part: r.app.Part}
	readable := make(map[string]bool)
	for _, env := range r.app.Environments {
		before := "" // the environment before, if it can be read
		for _, e := range r.tip.Config.Befores(r.app, env) {
			if before == "" && readable[e.Name] {
				before = e.Name
			}
		}
		cell, err := r.cell(ctx, env, before)
		if err != nil {
			return Row{}, err
		}
		readable[env] = cell.Problem == ""
		row.Cells = append(row.Cells, cell)
	}
	return row, nil
}

// promotions is the branch of the pull request that moves the application into env.
func (r reader) promotions(env string) string {
	if group, has := r.tip.Config.GroupOf(r.app.Name, env); has {
		return r.tip.GroupBranch(env, group.Name)
	}
	return r.tip.Branch(env, r.app.Name)
}

// cell is what runs in env; before is the environment before it, if that can be
// read.
func (r reader) cell(ctx context.Context, env, before string) (Cell, error) {
	cell := Cell{Env: env}
	for _, o := range r.req.Open {
		switch o.Branch {
		case r.promotions(env):
			cell.Pending = &o
		case r.tip.Branch("rollback", env, r.app.Name):
			cell.Back = &o
		}
	}
	if file := hold.Path(r.app.Name, env); r.tip.Files[file] != nil {
		held := hold.Parse(file, r.tip.Files[file], r.app.Name, env)
		cell.Held = &held
	}
	place, err := history.Read(r.tip.Files, r.app, env)
	if err != nil {
		cell.Problem = err.Error()
		return cell, nil
	}
	cell.Tag = place.Tag
	if !history.Placeholder(place.Ref) {
		cell.Image = place.Ref
	}
	if history.Runs(cell.Image) {
		period, found, err := history.Find(ctx, r.repo, history.Where{Rev: r.tip.Commit, App: r.app, Env: env}, cell.Image)
		if err != nil {
			return cell, err
		}
		if found {
			cell.Since = period.Since.UTC()
		}
	}
	if cell.Recent, err = r.recent(ctx, env); err != nil || before == "" {
		return cell, err
	}
	cell.Behind, cell.Waits, err = r.behind(ctx, before, env, cell.Image)
	return cell, err
}

// recent lists what ran last in env.
func (r reader) recent(ctx context.Context, env string) ([]Deployment, error) {
	var list []Deployment
	if r.req.Recent == 0 {
		return nil, nil
	}
	for p, err := range history.History(ctx, r.repo, history.Where{Rev: r.tip.Commit, App: r.app, Env: env}) {
		if err != nil {
			return nil, err
		}
		if history.Placeholder(p.Ref) {
			continue
		}
		list = append(list, Deployment{
			Image: p.Ref, Since: p.Since.UTC(), Until: p.Until, Commit: p.Commit,
			Source: history.Trailer(p.Message, history.TrailerSource), Run: history.Trailer(p.Message, history.TrailerRun),
		})
		if len(list) == r.req.Recent {
			break
		}
	}
	return list, nil
}

// behind counts the deployments of the environment before that came after the
// one that runs in env, and says what the newest of them waits for.
func (r reader) behind(ctx context.Context, before, env string, ref imageref.Ref) (n int, waits []string, err error) {
	var next history.Period
	for p, err := range history.History(ctx, r.repo, history.Where{Rev: r.tip.Commit, App: r.app, Env: before}) {
		if err != nil {
			return 0, nil, err
		}
		if p.Ref == ref || history.Placeholder(p.Ref) {
			break
		}
		if n == 0 {
			next = p
		}
		n++
	}
	if n == 0 {
		return 0, nil, nil
	}
	if next, err = r.together(ctx, before, next); err != nil {
		return 0, nil, err
	}
	_, from, err := r.tip.Config.Place(r.app.Name, before)
	if err != nil {
		return 0, nil, err
	}
	_, to, err := r.tip.Config.Place(r.app.Name, env)
	if err != nil {
		return 0, nil, err
	}
	judge := r.req.Judge
	if judge == nil {
		judge = &rules.Judge{Now: func() time.Time { return r.req.Now }}
	}
	reasons, err := judge.From(ctx, r.app, from, to, next)
	if err != nil { // trouble with one source keeps nobody from seeing the rest
		reasons = append(judge.Order(from, to, next), evidence.Reason{
			Rule: rules.RuleHealth, State: evidence.Pending, Detail: err.Error(), Remedy: "passes when that can be asked",
		})
	}
	for _, reason := range append(reasons, judge.Closed(to)...) {
		if reason.State != evidence.Met {
			waits = append(waits, reason.Rule+": "+reason.Detail+" ("+reason.Remedy+")")
		}
	}
	return n, waits, nil
}

// together is the period in which all images of the application run as they do now, where
// it has several: that is what waits.
func (r reader) together(ctx context.Context, env string, next history.Period) (history.Period, error) {
	if !r.whole.Several() {
		return next, nil
	}
	places, err := history.ReadSet(r.tip.Files, r.whole, env)
	if err != nil {
		return next, nil //nolint:nilerr // its cell says so
	}
	set, found, err := history.Stands(ctx, r.repo, history.Where{Rev: r.tip.Commit, App: r.whole, Env: env}, places.Set())
	if found {
		next = set.Of(next.Ref)
	}
	return next, err
}

// Text prints the table for people.
func (t Table) Text(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(out, "\t%s\t\n", strings.Join(t.Environments, "\t"))
	for i, row := range t.Rows {
		fmt.Fprint(out, row.Title())
		var waits []string
		for _, env := range t.Environments {
			fmt.Fprint(out, "\t"+row.cell(env, t.At, &waits))
		}
		if i > 0 && t.Rows[i-1].App == row.App {
			waits = nil // they are those of the application, said beside its first image
		}
		fmt.Fprintf(out, "\t%s\n", strings.Join(waits, "  "))
	}
	return out.Flush()
}

func (r Row) cell(env string, now time.Time, waits *[]string) string {
	for _, c := range r.Cells {
		if c.Env != env {
			continue
		}
		if c.Pending != nil {
			*waits = append(*waits, fmt.Sprintf("⏳ #%d waits to enter %s", c.Pending.Number, env))
		}
		if c.Back != nil {
			*waits = append(*waits, fmt.Sprintf("↩ #%d would roll back %s", c.Back.Number, env))
		}
		if c.Held != nil {
			*waits = append(*waits, "⏸ "+env+" "+c.Held.What())
		}
		switch {
		case c.Problem != "":
			return "unreadable"
		case c.Image.IsZero() && c.Tag != "":
			return "tag " + c.Tag
		case c.Image.IsZero():
			return "—"
		}
		shown := c.Image.Hex()[:8]
		if !c.Since.IsZero() {
			shown += "  " + text.Duration(now.Sub(c.Since))
		}
		if c.Behind > 0 {
			shown += fmt.Sprintf("  (%d behind)", c.Behind)
		}
		return shown
	}
	return ""
}
