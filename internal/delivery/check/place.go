package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// place judges one application in one environment.
func (s *session) place(ctx context.Context, p place) error {
	at := Finding{File: p.app.Overlay(p.env.Name), App: p.app.Name, Env: p.env.Name, State: evidence.Refused}
	was, problemBefore := s.before(p)
	now, err := history.ReadSet(s.head.Files, p.app, p.env.Name)
	if err != nil {
		if !same(problemBefore, err) {
			at.Rule, at.Message = RuleOverlay, err.Error()
			s.add(at)
		}
		return s.rendered(ctx, p, at, versions{was: was}, err)
	}
	at.File, at.Line = now.File(), now[0].Line
	if err := s.rendered(ctx, p, at, versions{was, now}, nil); err != nil {
		return err
	}
	for i, part := range p.app.Parts() {
		if at.Line = now[i].Line; at.Line == 0 {
			at.Line = now[0].Line
		}
		if err := s.part(ctx, p, at, named{part, was[i], now[i], now.Set()}); err != nil {
			return err
		}
	}
	return nil
}

// named is one image of a place, as base and head name it.
type named struct {
	part     config.App
	was, now overlay.Place
	set      history.Set // all that the head names
}

// part judges one image of a place.
func (s *session) part(ctx context.Context, p place, at Finding, n named) error {
	at.Rule = RuleDigest
	switch {
	case n.now.Tag != "":
		if n.now.Tag != n.was.Tag {
			at.Message = fmt.Sprintf(
				"%s is named by the tag %q, which can be moved; write its digest: waybill bump does", n.part.Image.Name(), n.now.Tag,
			)
			s.add(at)
		}
		return nil
	case n.now.Ref == n.was.Ref && n.was.Tag == "":
		return nil
	case history.Placeholder(n.now.Ref) && (history.Runs(n.was.Ref) || n.was.Tag != ""):
		at.Message = fmt.Sprintf("the placeholder digest takes the place of %s: no image has it", written(n.was))
		s.add(at)
		return nil
	case !history.Runs(n.now.Ref):
		return nil
	}
	waybill, err := s.judge(ctx, p, entering{n.was.Ref, n.now.Ref, n.set})
	if err != nil {
		return err
	}
	s.report(waybill, at)
	return nil
}

func written(p overlay.Place) string {
	if p.Tag != "" {
		return p.Tag
	}
	return p.Ref.Short()
}

func same(a, b error) bool { return a != nil && b != nil && a.Error() == b.Error() }

// before is what the base deploys in the place, for each image that the head has there;
// zero where it has none. An image that the base's configuration did not name yet is
// read too: what runs there already is not new.
func (s *session) before(p place) (history.Places, error) {
	parts := p.app.Parts()
	was := make(history.Places, len(parts))
	if !p.had {
		return was, nil
	}
	before, err := history.ReadSet(s.base.Files, p.was, p.env.Name)
	if err != nil {
		return was, err
	}
	moved := p.was.Overlay(p.env.Name) != p.app.Overlay(p.env.Name)
	for i, part := range parts {
		at := slices.IndexFunc(p.was.Parts(), func(o config.App) bool { return o.Image == part.Image })
		if at < 0 { // one that got another repository
			at = slices.IndexFunc(p.was.Parts(), func(o config.App) bool { return o.Part == part.Part })
		}
		if at >= 0 {
			was[i] = before[at]
		} else if place, err := history.Read(s.base.Files, part, p.env.Name); err == nil && !moved {
			was[i] = place
		}
	}
	return was, nil
}

// baseApp is the application as the base has it in an environment.
func (s *session) baseApp(app, env string) (config.App, bool) {
	if s.base == nil || !s.baseReads {
		return config.App{}, false
	}
	a, _, err := s.rules.Place(app, env)
	return a, err == nil
}

// entering is a digest that a place would run, and what it runs now.
type entering struct {
	was, now imageref.Ref
	set      history.Set // all that the place would run, in the order of its parts
}

// judge holds a digest of the place's application against everything that it
// must meet there: evidence, and the rules between environments.
func (s *session) judge(ctx context.Context, p place, e entering) (evidence.Waybill, error) {
	move := s.rulesFor(p)
	waybill, err := s.checker.Judge.By(ctx, s.rules.PolicyFor(move.App, p.env.Name), p.app.Name, p.env.Name, e.now)
	if err != nil {
		return waybill, err
	}
	move.Candidate, move.Set = waybill, aligned(move.App, p.app, e.set)
	move.Beside = s.companions(p)
	if history.Runs(e.was) {
		move.Deployed = e.was
	}
	reasons, returning, err := s.moves(ctx, p, move)
	if err != nil {
		return waybill, err
	}
	if returning {
		waybill = rules.Returning(waybill)
	}
	if len(reasons) > 0 {
		waybill.Decision = waybill.Decision.And(evidence.Decide(reasons...))
	}
	return waybill, nil
}

// companions are the applications of the place's group as the head would run them, read
// once for each group: a change can move all of a large one.
func (s *session) companions(p place) []rules.Companion {
	group, has := s.rules.GroupOf(p.app.Name, p.env.Name)
	if !has || s.base == nil {
		return nil
	}
	key := group.Name + " " + p.env.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	known, read := s.groups[key]
	if !read {
		known = rules.Companions(s.rules, s.head.Files, group, p.env.Name, nil)
		s.groups[key] = known
	}
	return known
}

// aligned is a set of one application in the order of another's parts, each found by its
// repository.
func aligned(app, of config.App, set history.Set) history.Set {
	ordered := make(history.Set, len(app.Parts()))
	for i, part := range app.Parts() {
		for j, own := range of.Parts() {
			if j < len(set) && own.Image == part.Image {
				ordered[i] = set[j]
			}
		}
	}
	return ordered
}

// report keeps a waybill, and what is not met of it as findings.
func (s *session) report(waybill evidence.Waybill, at Finding) {
	s.mu.Lock()
	s.result.Waybills = append(s.result.Waybills, waybill)
	s.mu.Unlock()
	for _, r := range waybill.Decision.Reasons {
		if r.State == evidence.Met {
			continue
		}
		f := at
		f.Rule, f.State, f.Message = r.Rule, r.State, s.shown(waybill)+": "+r.Detail
		if r.Remedy != "" {
			f.Message += " → " + r.Remedy
		}
		s.add(f)
	}
}

// shown is a digest for people, with the name of the image where the application has
// several.
func (s *session) shown(w evidence.Waybill) string {
	if app, err := s.cfg.App(w.App); err == nil {
		if part, has := app.PartOf(w.Image.Repository()); has && part.Part != "" {
			return part.Part + " " + w.Image.Short()
		}
	}
	return w.Image.Short()
}

// rulesFor is what decides over a place: the base's configuration as far as it
// knows the application and the environment. A change cannot lift its own
// freeze or soak, name another source, or take an environment out of the order
// that it would have to pass.
func (s *session) rulesFor(p place) rules.Move {
	move := rules.Move{Config: s.cfg, App: p.app, Env: p.env}
	if s.base == nil {
		return move
	}
	move.Rev = s.base.Commit
	env, unknown := s.rules.Environment(p.env.Name)
	if unknown == nil {
		move.Env = env
	}
	app, err := s.rules.App(p.app.Name)
	if err != nil {
		return move
	}
	if unknown == nil {
		move.Config = s.rules
	}
	var environments []string
	for _, name := range move.Config.EnvironmentNames() {
		if name == p.env.Name || app.RunsIn(name) {
			environments = append(environments, name)
		}
	}
	app.Environments = environments
	move.App = app
	return move
}

// moves asks the rules between environments. They need a base: what stands
// there already has moved. A digest that ran in the environment before may
// come back, unless it is held: that is a rollback.
func (s *session) moves(ctx context.Context, p place, m rules.Move) (reasons []evidence.Reason, returning bool, err error) {
	if s.base == nil {
		return nil, false, nil
	}
	defer func() { reasons = s.held(m.Candidate.Image, reasons) }()
	if p.had && !m.Deployed.IsZero() {
		if returning, err = s.returns(ctx, p, m); err != nil {
			return nil, false, err
		}
		if returning {
			entry := hold.Entry{Rev: m.Rev, App: m.App, Env: p.env.Name, Image: m.Candidate.Image, Returning: true}
			reasons, err = hold.Reasons(ctx, s.checker.Repo, entry)
			return reasons, true, err
		}
	}
	reasons, err = s.checker.Judge.Enter(ctx, s.checker.Repo, m)
	return reasons, false, err
}

// returns reports whether a digest ran in the place before; of an application with
// several images, together with all that would run beside it.
func (s *session) returns(ctx context.Context, p place, m rules.Move) (bool, error) {
	where := history.Where{Rev: s.base.Commit, App: p.was, Env: p.env.Name}
	if !p.was.Several() {
		_, ran, err := history.Ran(ctx, s.checker.Repo, where, m.Candidate.Image)
		return ran, err
	}
	set := aligned(p.was, m.App, m.Set)
	if !slices.Contains(set, m.Candidate.Image) {
		return false, nil
	}
	_, ran, err := history.Together(ctx, s.checker.Repo, where, set)
	return ran, err
}

// held adds the holds of a digest that other names and environments have.
func (s *session) held(image imageref.Ref, reasons []evidence.Reason) []evidence.Reason {
	for _, r := range hold.Among(s.base.Files, image.Digest()) {
		if !slices.Contains(reasons, r) {
			reasons = append(reasons, r)
		}
	}
	return reasons
}
