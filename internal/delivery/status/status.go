// Package status tells which digest runs where, since when, how far behind
// the environment before it, and which promotion is open.
//
// It reads the config repository and, where there is one, the list of open
// pull requests; no registry and no cluster.
package status

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Repository is the config repository, as status uses it.
type Repository interface {
	history.Reader
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
}

// Open is a pull request that would change an environment.
type Open struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Branch string `json:"branch"` // waybill/ENV/APP
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
}

// Row is one application.
type Row struct {
	App   string `json:"app"`
	Cells []Cell `json:"environments"`
}

// Table is the state of a config repository at one commit.
type Table struct {
	Commit       string    `json:"commit"`
	At           time.Time `json:"at"`
	Environments []string  `json:"-"`
	Rows         []Row     `json:"apps"`
}

// Read reads the state at the head of a branch.
func Read(ctx context.Context, repo Repository, branch string, open []Open, now time.Time) (Table, error) {
	tip, err := history.ReadTip(ctx, repo, branch)
	if err != nil {
		return Table{}, err
	}
	table := Table{Commit: tip.Commit, At: now.UTC(), Environments: tip.Config.EnvironmentNames()}
	for _, name := range tip.Config.AppNames() {
		app, err := tip.Config.App(name)
		if err != nil {
			return Table{}, err
		}
		row, err := row(ctx, repo, tip.Snapshot, app, open)
		if err != nil {
			return Table{}, err
		}
		table.Rows = append(table.Rows, row)
	}
	return table, nil
}

func row(ctx context.Context, repo Repository, snapshot *configrepo.Snapshot, app config.App, open []Open) (Row, error) {
	row := Row{App: app.Name}
	before := "" // the environment before, if it can be read
	for _, env := range app.Environments {
		cell := Cell{Env: env}
		for _, o := range open {
			switch o.Branch {
			case "waybill/" + env + "/" + app.Name:
				cell.Pending = &o
			case "waybill/rollback/" + env + "/" + app.Name:
				cell.Back = &o
			}
		}
		if file := hold.Path(app.Name, env); snapshot.Files[file] != nil {
			held := hold.Parse(file, snapshot.Files[file], app.Name, env)
			cell.Held = &held
		}
		place, err := history.Read(snapshot.Files, app, env)
		if err != nil {
			cell.Problem = err.Error()
			row.Cells = append(row.Cells, cell)
			before = ""
			continue
		}
		cell.Tag = place.Tag
		if !history.Placeholder(place.Ref) {
			cell.Image = place.Ref
		}
		if history.Runs(cell.Image) {
			period, found, err := history.Find(ctx, repo, snapshot.Commit, app, env, cell.Image)
			if err != nil {
				return Row{}, err
			}
			if found {
				cell.Since = period.Since.UTC()
			}
		}
		if before != "" {
			if cell.Behind, err = behind(history.History(ctx, repo, snapshot.Commit, app, before), cell.Image); err != nil {
				return Row{}, err
			}
		}
		before = env
		row.Cells = append(row.Cells, cell)
	}
	return row, nil
}

// behind counts the deployments of the environment before that came after ref,
// which runs here.
func behind(before iter.Seq2[history.Period, error], ref imageref.Ref) (int, error) {
	n := 0
	for p, err := range before {
		if err != nil {
			return 0, err
		}
		if p.Ref == ref || history.Placeholder(p.Ref) {
			break
		}
		n++
	}
	return n, nil
}

// Text prints the table for people.
func (t Table) Text(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(out, "\t%s\t\n", strings.Join(t.Environments, "\t"))
	for _, row := range t.Rows {
		fmt.Fprint(out, row.App)
		var waits []string
		for _, env := range t.Environments {
			fmt.Fprint(out, "\t"+row.cell(env, t.At, &waits))
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
		text := c.Image.Hex()[:8]
		if !c.Since.IsZero() {
			text += "  " + rules.Duration(now.Sub(c.Since))
		}
		if c.Behind > 0 {
			text += fmt.Sprintf("  (%d behind)", c.Behind)
		}
		return text
	}
	return ""
}
