package report

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as a report reads it.
type Repository interface {
	history.Reader
	history.Branches
	ReadAhead(ctx context.Context, rev string, paths []string) error
}

// Place is what ran in an environment, newest first.
type Place struct {
	App    string    `json:"app"`
	Env    string    `json:"env"`
	Commit string    `json:"commit"` // head of the config repository
	At     time.Time `json:"at"`
	Steps  []Step    `json:"steps"`
}

// Query asks for the history of a place.
type Query struct {
	Branch, App, Env string
	Limit            int // of steps; 0 is all that are known
	Now              time.Time
}

// Read lists what ran in an environment.
func Read(ctx context.Context, repo Repository, q Query) (Place, error) {
	tip, err := history.ReadTip(ctx, repo, q.Branch)
	if err != nil {
		return Place{}, err
	}
	app, env, err := tip.Config.Place(q.App, q.Env)
	if err != nil {
		return Place{}, err
	}
	list, err := steps(ctx, repo, tip.Commit, app, env.Name)
	if err != nil {
		return Place{}, err
	}
	places := [][]Step{list}
	for _, before := range app.Environments {
		if before == env.Name {
			break
		}
		earlier, err := steps(ctx, repo, tip.Commit, app, before)
		if err != nil {
			return Place{}, err
		}
		places = append(places, earlier)
	}
	trace(places)
	slices.Reverse(list)
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
	}
	return Place{App: app.Name, Env: env.Name, Commit: tip.Commit, At: q.Now.UTC(), Steps: append([]Step{}, list...)}, nil
}

// Text prints the place for people.
func (p Place) Text() string {
	if len(p.Steps) == 0 {
		return fmt.Sprintf("nothing has run of %s in %s\n", p.App, p.Env)
	}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	for _, s := range p.Steps {
		until := p.At
		if !s.Until.IsZero() {
			until = s.Until
		}
		what := s.Verb
		if s.Kind == TakeBack {
			what = strings.TrimPrefix(what+", back", ", ")
		}
		if !s.Restored.IsZero() {
			what = strings.TrimPrefix(what+", taken back", ", ")
		}
		by := s.By
		if s.Pull > 0 {
			by += fmt.Sprintf(" by #%d", s.Pull)
		}
		fmt.Fprintf(
			w, "%s\t%s\t%s\t%s\t%s\t%s\n", text.Time(s.Since), s.Digests(), text.Duration(until.Sub(s.Since)), what, by, s.Source,
		)
	}
	_ = w.Flush() // into memory
	return out.String()
}
