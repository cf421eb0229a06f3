package promote

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// step names the move of one application, as long as the configuration has it.
type step struct {
	app, from string
	others    []string // that the digest may come from too
}

// trip is what goes into an environment at once: one application, or those of a group.
type trip struct {
	group string // empty for an application on its own
	to    string
	steps []step
}

// String names the trip for people.
func (t trip) String() string {
	if t.group != "" {
		return "the group " + t.group + " to " + t.to
	}
	return t.steps[0].app + " from " + cmp.Or(t.steps[0].from, built) + " to " + t.to
}

type move struct {
	app      config.App
	from, to config.Environment
}

// selectTrips lists what the request names, in the order of applications and
// environments. A group moves where its first application would.
func selectTrips(cfg *config.Config, req Request) ([]trip, error) {
	for _, env := range []string{req.From, req.To} {
		if env != "" {
			if _, err := cfg.Environment(env); err != nil {
				return nil, err
			}
		}
	}
	if len(req.Images) > 0 {
		return selectFirst(cfg, req)
	}
	names := cfg.AppNames()
	if req.App != "" {
		names = []string{req.App}
	}
	var trips []trip
	for _, name := range names {
		app, err := cfg.App(name)
		if err != nil {
			return nil, err
		}
		for _, to := range app.Environments {
			t := trip{to: to}
			s, moves := stepOf(cfg, app, to, req)
			if !moves {
				continue
			}
			t.steps = []step{s}
			if group, ok := cfg.GroupOf(name, to); ok {
				t = groupTrip(cfg, group, to, req)
			}
			known := slices.ContainsFunc(trips, func(o trip) bool { return t.group != "" && o.group == t.group && o.to == t.to })
			if !known && (req.App != "" || req.Shard.has(cmp.Or(t.group, name))) {
				trips = append(trips, t)
			}
		}
	}
	return trips, nil
}

// groupTrip is the move of a whole group, of whichever application it was asked.
func groupTrip(cfg *config.Config, group config.Group, to string, req Request) trip {
	t := trip{group: group.Name, to: to}
	for _, name := range group.Apps {
		app, err := cfg.App(name)
		if err != nil {
			continue
		}
		if s, moves := stepOf(cfg, app, to, Request{From: req.From}); moves && app.RunsIn(to) {
			t.steps = append(t.steps, s)
		}
	}
	return t
}

// stepOf is the move of an application into an environment; false where the request does
// not name it, or nothing comes before the environment.
func stepOf(cfg *config.Config, app config.App, to string, req Request) (step, bool) {
	var froms []string
	for _, before := range cfg.Befores(app, to) {
		if req.From == "" || req.From == before.Name {
			froms = append(froms, before.Name)
		}
	}
	if len(froms) == 0 || req.To != "" && req.To != to {
		return step{}, false
	}
	return step{app: app.Name, from: froms[0], others: froms[1:]}, true
}

// selectFirst is the move of images into the first environment.
func selectFirst(cfg *config.Config, req Request) ([]trip, error) {
	app, env, err := cfg.Place(req.App, req.To)
	if err != nil {
		return nil, err
	}
	if len(cfg.Befores(app, env.Name)) > 0 {
		return nil, outcome.Refusedf("%s takes what runs in the environment before it: use waybill promote", env.Name)
	}
	return []trip{{to: env.Name, steps: []step{{app: app.Name}}}}, nil
}

// load is what one commit would bring into an environment: the candidates of a trip.
type load struct {
	group  string
	branch string
	to     config.Environment
	list   []candidate  // those that have something to move
	apps   []config.App // all of the trip
}

// trip moves what the trip names, or says why not.
func (p *Promoter) trip(ctx context.Context, now view, t trip, req Request) ([]Promotion, error) {
	l := load{group: t.group}
	var results []Promotion
	waits := ""
	files := now
	for _, s := range t.steps {
		c, result, err := p.prepare(ctx, now, files, preparation{t, s, req})
		if err != nil {
			return nil, err
		}
		l.to, l.branch = c.to, result.Branch
		l.apps = append(l.apps, c.app)
		if result.State == "" {
			c.at = len(results)
			l.list = append(l.list, c)
			if len(t.steps) > 1 {
				files = files.with(c.change)
			}
		}
		waits = cmp.Or(waits, result.Reason)
		results = append(results, result)
	}
	if len(l.list) == 0 || waits != "" {
		for i := range results {
			results[i].State = Current
			results[i].Reason = cmp.Or(results[i].Reason, map[bool]string{true: "the group waits: " + waits}[waits != ""])
		}
		if waits == "" {
			return results, p.settle(ctx, now, l, results)
		}
		return results, nil
	}
	if err := p.judgeAll(ctx, now, &l, req); err != nil {
		return nil, err
	}
	one := Promotion{Branch: l.branch, Waiting: l.decision().State() == evidence.Pending}
	one, err := p.deliver(ctx, now, l, req, one)
	if err != nil {
		return nil, err
	}
	for _, c := range l.list {
		l.into(c, &results[c.at], one)
	}
	for i := range results { // that have nothing to move themselves
		results[i].State = cmp.Or(results[i].State, Current)
	}
	return results, nil
}

// into gives an application's result what became of the whole load.
func (l load) into(c candidate, result *Promotion, one Promotion) {
	decision := c.decision
	result.Decision = &decision
	result.State, result.Waiting, result.Branch, result.Commit = one.State, one.Waiting, one.Branch, one.Commit
	result.Number, result.URL, result.Reason = one.Number, one.URL, one.Reason
	if l.group != "" && (one.State == Refused || one.State == Pending) && len(l.culprits()) > 0 {
		result.Reason = cmp.Or(c.refusal(), "the group "+l.group+" waits for "+text.List(l.culprits(), shownApps))
	}
	if c.at == l.list[0].at { // once is enough
		result.Body, result.Overflow = one.Body, one.Overflow
	}
}

// culprits are the applications that hold up the load.
func (l load) culprits() (names []string) {
	for _, c := range l.list {
		if !c.decision.Allowed {
			names = append(names, c.app.Name)
		}
	}
	return names
}

// deliver commits the load, or brings its pull request about.
func (p *Promoter) deliver(ctx context.Context, now view, l load, req Request, result Promotion) (Promotion, error) {
	if l.decision().State() == evidence.Refused {
		result.State, result.Reason = Refused, l.list[0].refusal()
		return result, p.reportRefused(ctx, now, l, &result)
	}
	if l.to.Promotion == config.Auto {
		return p.commit(ctx, now, l, req, result)
	}
	return p.pullRequest(ctx, now, l, req, result)
}

// preparation is the step of a trip that is prepared.
type preparation struct {
	trip trip
	step step
	req  Request
}

// prepare finds what an application would move, where before is the tip with what the
// applications before it move. The result has a state where there is nothing to move.
func (p *Promoter) prepare(ctx context.Context, now, before view, of preparation) (c candidate, result Promotion, err error) {
	t, s, req := of.trip, of.step, of.req
	if c.app, err = now.Config.App(s.app); err != nil {
		return c, result, err
	}
	if _, c.to, err = now.Config.Place(s.app, t.to); err != nil {
		return c, result, err
	}
	if s.from != "" {
		if c.from, err = p.chooseFrom(ctx, now, c.move, s); err != nil {
			return c, result, err
		}
	}
	result = Promotion{App: c.app.Name, Group: t.group, From: c.origin(), To: c.to.Name, Branch: t.branch(now.Tip)}
	to, err := history.ReadSet(now.Files, c.app, c.to.Name)
	if err != nil {
		return c, result, err
	}
	c.base, c.was = now.Commit, to.Set()
	missing := ""
	if s.from == "" {
		if c.moving, err = p.proposed(ctx, now, c, result.Branch, req.Images); err != nil {
			return c, result, err
		}
	} else {
		from, err := history.ReadSet(now.Files, c.app, c.from.Name)
		if err != nil {
			return c, result, err
		}
		missing, c.moving = from.Missing(c.app, c.from.Name), from.Set()
	}
	result.Image, result.Previous = c.moving.Only(), to.Set().Only()
	copies, err := c.copies(now)
	if err != nil {
		return c, result, err
	}
	changed := to.Lack(c.moving)
	switch {
	case missing != "":
		result.State, result.Reason = Current, missing
		return c, result, nil
	case len(changed.Images()) == 0 && len(copies) == 0:
		result.State = Current
		return c, result, nil
	case len(changed.Images()) > 0:
		c.moving = changed
	}
	result.Parts = history.MovedParts(c.app, c.moving, c.was)
	if c.change, err = history.Prepare(ctx, before.rendering(copies), c.app, c.to.Name, c.moving); err != nil {
		return c, result, err
	}
	return c, result, c.change.WithCopies(ctx, before.Files, c.app, c.to.Name, copies)
}

// proposed are the images that are proposed for a first environment: those that are
// named, and of the others those that the open pull request brings. Each image of an
// application can be delivered on its own.
func (p *Promoter) proposed(ctx context.Context, now view, c candidate, branch string, images []imageref.Ref) (history.Set, error) {
	set, err := history.Named(c.app, images)
	if err != nil || !c.app.Several() {
		return set, err
	}
	pull, err := now.pull(branch)
	if err != nil || pull == nil {
		return set, err
	}
	own, err := rules.Own(ctx, p.Repo, pull.Head, []config.App{c.app}, c.to.Name)
	if err != nil || own == nil {
		return set, err
	}
	return own.Images[c.app.Name].With(set), nil
}

// branch is the branch of the pull request that the trip is made by. No application's
// name has a plus.
func (t trip) branch(tip history.Tip) string {
	if t.group != "" {
		return tip.GroupBranch(t.to, t.group)
	}
	return tip.Branch(t.to, t.steps[0].app)
}

// with is the view with a change made.
func (v view) with(change history.Change) view {
	after := history.Copied(v.Files, change.Copies)
	if len(change.Edits) > 0 {
		after = history.With(after, change.Place.File, change.After)
	}
	snapshot := *v.Snapshot
	snapshot.Files = after
	if v.Snapshot = &snapshot; len(change.Copies) > 0 {
		v.renderer = render.New(after)
	} else if len(change.Edits) > 0 {
		v.renderer = v.renderer.With(change.Place.File, change.After)
	}
	return v
}

// names are the applications that have something to move.
func (l load) names() (names []string) {
	for _, c := range l.list {
		names = append(names, c.app.Name)
	}
	return names
}

// name is the application's, or the group's.
func (l load) name() string { return cmp.Or(l.group, strings.Join(l.names(), ", ")) }
