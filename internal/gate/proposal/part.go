package proposal

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// part is what a job that planned one group says to the job that joins, beside its
// sealed plan. It holds no more than the plan comment shows.
type part struct {
	Group      string         `json:"group"`
	Repository string         `json:"repository"`
	Head       string         `json:"head"`
	At         time.Time      `json:"at"` // when it was planned
	Roots      []partRoot     `json:"roots"`
	Parts      plan.Parts     `json:"parts"` // fingerprints of the roots
	Waits      []plan.Waiting `json:"waits,omitempty"`
	Failed     string         `json:"failed,omitempty"` // why there is no plan
	Refused    bool           `json:"refused,omitempty"`
}

type partRoot struct {
	Record  plan.RootRecord `json:"record"` // without digests of changes
	Summary summary.Summary `json:"summary"`
	Sources *roots.Sources  `json:"sources"`
	Moves   []string        `json:"moves,omitempty"`
	Modules []string        `json:"modules,omitempty"`
}

// noPlan stands in the place of a sealed plan where there is none.
var noPlan = []byte("no plan\n")

// keepPart keeps what the job planned of its group.
func (p *Prepared) keepPart(ctx context.Context, made *Result) error {
	sealed := noPlan
	if len(p.r.Seal.Recipients) > 0 {
		var err error
		if sealed, err = seal.Seal(seal.Of(made.Result, time.Now(), p.r.Seal.Lifetime), p.r.Seal.Recipients); err != nil {
			return err
		}
	}
	said := p.say(made.Result)
	said.Group = p.group.String()
	return p.r.savePart(ctx, said, sealed)
}

// say is what is said of roots that were planned here.
func (p *Prepared) say(made *plan.Result) part {
	said := part{
		Repository: p.r.Site.Name(), Head: made.Document.Head, At: time.Now().UTC(),
		Parts: made.Parts, Waits: made.Waits,
	}
	for _, r := range made.Roots {
		record := r.Record
		record.Changes, record.Plan = "", ""
		said.Roots = append(said.Roots, partRoot{record, r.Summary, r.Sources, r.Moves, r.Modules})
	}
	return said
}

// plan is the root as its part says it.
func (r partRoot) plan() plan.RootPlan {
	return plan.RootPlan{Record: r.Record, Summary: r.Summary, Sources: r.Sources, Moves: r.Moves, Modules: r.Modules}
}

func (r Request) savePart(ctx context.Context, said part, sealed []byte) error {
	number, _, _ := strings.Cut(r.Spread.Group, "/")
	name, err := r.partName(number)
	if err != nil {
		return err
	}
	data, err := json.Marshal(said)
	if err != nil {
		return err
	}
	return r.Seal.Place.SavePart(ctx, r.Seal.client(), name, sealed, data)
}

func (r Request) partName(number string) (string, error) {
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return "", outcome.Usagef("--group %q: give N/M, as plan --list does", r.Spread.Group)
	}
	return seal.PartName(r.Spread.Run, number)
}

// failedPart tells the job that joins why this one has no plan.
func (r Request) failedPart(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	said := part{Group: r.Spread.Group, Failed: text.Printable(why.Error()), Refused: outcome.Code(why) == outcome.Refused}
	if r.Site != nil {
		said.Repository = r.Site.Name()
	}
	return r.savePart(ctx, said, noPlan)
}

// join makes one plan of what the jobs planned. It selects the roots by itself: each of
// them must stand in exactly the part of its group, of the commit that is checked out.
func (p *Prepared) join(ctx context.Context) (*Result, error) {
	groups, err := p.divide(ctx)
	if err != nil {
		return nil, err
	}
	head, err := p.Head(ctx)
	if err != nil {
		return nil, err
	}
	all := p.joining(head)
	var problems []error
	for _, g := range groups {
		where, said, err := p.r.findPart(ctx, g)
		if err == nil {
			err = said.check(g, all.made.Document)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all.add(where, said)
	}
	if err := outcome.Join(problems...); err != nil {
		return nil, &plan.PartialError{Cause: err, Roots: all.made.Roots}
	}
	return p.joined(ctx, all)
}

// joining is a plan that is being made of parts.
type joining struct {
	made   *plan.Result
	index  seal.Joined
	byRoot map[string]plan.Fingerprint
	from   map[string]int // number of the part, from 1
}

func (p *Prepared) joining(head string) *joining {
	return &joining{
		made: &plan.Result{Document: plan.Document{
			Version: plan.DocumentVersion, Repository: p.r.Site.Name(), Head: head, Removed: p.Removed,
		}},
		index:  seal.Joined{Removed: p.Removed},
		byRoot: make(map[string]plan.Fingerprint), from: make(map[string]int),
	}
}

// add adds all roots of a part.
func (j *joining) add(where string, said part) {
	for i, r := range said.Roots {
		j.root(where, r, said.Parts[i])
	}
	if len(said.Roots) == 0 {
		j.index.Parts = append(j.index.Parts, where) // all of it waits
	}
	j.made.Waits = append(j.made.Waits, said.Waits...)
}

// root adds one root of a part.
func (j *joining) root(where string, r partRoot, f plan.Fingerprint) {
	at := slices.Index(j.index.Parts, where)
	if at < 0 {
		at, j.index.Parts = len(j.index.Parts), append(j.index.Parts, where)
	}
	name := nameOf(r.Record.Dir, r.Record.Workspace)
	j.made.Roots, j.byRoot[name], j.from[name] = append(j.made.Roots, r.plan()), f, at+1
}

// joined makes one plan of the parts, and of the roots that keep their plans.
func (p *Prepared) joined(ctx context.Context, all *joining) (*Result, error) {
	for _, k := range p.kept {
		all.root(k.where, k.partRoot, k.print)
	}
	made := all.made
	if err := wait(made); err != nil {
		return nil, &plan.PartialError{Cause: err, Roots: made.Roots}
	}
	p.sort(made)
	removed, err := made.Document.Parts()
	if err != nil {
		return nil, err
	}
	for _, r := range made.Roots {
		name := nameOf(r.Record.Dir, r.Record.Workspace)
		root := seal.JoinedRoot{Dir: r.Record.Dir, Workspace: r.Record.Workspace}
		if len(p.kept) > 0 {
			root.From = all.from[name]
		}
		made.Parts, all.index.Order = append(made.Parts, all.byRoot[name]), append(all.index.Order, root)
		made.Document.Roots = append(made.Document.Roots, r.Record)
	}
	made.Parts = append(made.Parts, removed...)
	if made.Fingerprint, err = made.Parts.Fingerprint(); err != nil {
		return nil, err
	}
	data, err := all.index.Bytes()
	if err != nil {
		return nil, err
	}
	return p.result(ctx, made, seal.Kept{Sealed: data})
}

func nameOf(dir, workspace string) string { return roots.Owner{Dir: dir, Workspace: workspace}.Name() }

func (r Request) findPart(ctx context.Context, g group) (where string, said part, err error) {
	name, err := r.partName(fmt.Sprint(g.number))
	if err != nil {
		return "", said, err
	}
	where, data, found, err := r.Seal.Place.FindPart(ctx, r.Seal.client(), name)
	if err != nil {
		return "", said, err
	}
	if !found {
		return "", said, fmt.Errorf("%s has no plan: its job did not run to its end. It should plan %s", g.title(), g.names())
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return "", said, outcome.Refusedf("%s: its part cannot be read: %v. Plan again", g.title(), err)
	}
	return where, said, nil
}

func (g group) title() string { return fmt.Sprintf("group %s (%s)", g, g.environment.Name) }

func (g group) names() string {
	var names []string
	for _, r := range g.roots {
		names = append(names, nameOf(r.Dir, workspaceOf(r)))
	}
	return text.List(names, 10)
}

func workspaceOf(r roots.Root) string {
	if r.Workspace == "" {
		return roots.DefaultWorkspace
	}
	return r.Workspace
}

// check refuses a part that is not of this group, of this commit, or whose roots are
// not those of the group, each exactly once.
func (s part) check(g group, of plan.Document) error {
	if s.Failed != "" {
		if s.Refused {
			return outcome.Refusedf("%s: %s", g.title(), s.Failed)
		}
		return fmt.Errorf("%s: %s", g.title(), s.Failed)
	}
	refuse := func(format string, args ...any) error {
		return outcome.Refusedf("%s: %s. Plan again", g.title(), fmt.Sprintf(format, args...))
	}
	switch {
	case s.Group != g.String():
		return refuse("its part is of group %.20q", s.Group)
	case s.Head != of.Head:
		return refuse("its part is of commit %.7s, and the others are of %.7s", s.Head, of.Head)
	case s.Repository != of.Repository:
		return refuse("its part is of repository %.100q", s.Repository)
	case len(s.Parts) != len(s.Roots):
		return refuse("its part has %d fingerprints for %d roots", len(s.Parts), len(s.Roots))
	}
	seen := make(map[string]int)
	for _, r := range s.Roots {
		seen[nameOf(r.Record.Dir, r.Record.Workspace)]++
		if r.Sources == nil {
			return refuse("its part does not say which files %s reads", r.Record.Dir)
		}
	}
	for _, w := range s.Waits {
		seen[nameOf(w.Dir, w.Workspace)]++
	}
	for _, r := range g.roots {
		name := nameOf(r.Dir, workspaceOf(r))
		if seen[name] != 1 {
			return refuse("its part holds %s %d times, and should hold it once", name, seen[name])
		}
		delete(seen, name)
	}
	for name := range seen {
		return refuse("its part holds %.200s, which belongs to another group or was not selected", name)
	}
	return nil
}

// wait keeps a root waiting that comes after one that the plan changes. Any other that
// could not be planned has failed.
func wait(made *plan.Result) error {
	var errs []error
	for i, w := range made.Waits {
		var after []string
		for _, dir := range w.After {
			if slices.ContainsFunc(made.Roots, func(r plan.RootPlan) bool {
				return r.Record.Dir == path.Clean(dir) && r.Summary.Changes()
			}) {
				after = append(after, path.Clean(dir))
			}
		}
		if made.Waits[i].After = after; len(after) == 0 {
			errs = append(errs, fmt.Errorf("%s", w.Why))
		}
	}
	return outcome.Join(errs...)
}

// sort puts the roots in the order of the selection, in which they are applied.
func (p *Prepared) sort(made *plan.Result) {
	at := make(map[string]int)
	for i, r := range p.every {
		at[nameOf(r.Dir, workspaceOf(r))] = i
	}
	slices.SortFunc(made.Roots, func(a, b plan.RootPlan) int {
		return at[nameOf(a.Record.Dir, a.Record.Workspace)] - at[nameOf(b.Record.Dir, b.Record.Workspace)]
	})
}
