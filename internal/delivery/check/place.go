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
	now, err := history.Read(s.head.Files, p.app, p.env.Name)
	if err != nil {
		if !same(problemBefore, err) {
			at.Rule, at.Message = RuleOverlay, err.Error()
			s.add(at)
		}
		return s.rendered(ctx, p, at, versions{was: was}, err)
	}
	at.File, at.Line = now.File, now.Line
	if err := s.rendered(ctx, p, at, versions{was, now}, nil); err != nil {
		return err
	}
	at.Rule = RuleDigest
	switch {
	case now.Tag != "":
		if now.Tag != was.Tag {
			at.Message = fmt.Sprintf(
				"%s is named by the tag %q, which can be moved; write its digest: waybill bump does", p.app.Image.Name(), now.Tag,
			)
			s.add(at)
		}
		return nil
	case now.Ref == was.Ref && was.Tag == "":
		return nil
	case history.Placeholder(now.Ref) && (history.Runs(was.Ref) || was.Tag != ""):
		at.Message = fmt.Sprintf("the placeholder digest takes the place of %s: no image has it", named(was))
		s.add(at)
		return nil
	case !history.Runs(now.Ref):
		return nil
	}
	return s.digest(ctx, p, at, was.Ref, now.Ref)
}

func named(p overlay.Place) string {
	if p.Tag != "" {
		return p.Tag
	}
	return p.Ref.Short()
}

func same(a, b error) bool { return a != nil && b != nil && a.Error() == b.Error() }

// before is what the base deploys in the place, by the base's own
// configuration; zero where it has none.
func (s *session) before(p place) (overlay.Place, error) {
	if !p.had {
		return overlay.Place{}, nil
	}
	was, err := history.Read(s.base.Files, p.was, p.env.Name)
	if err != nil {
		return overlay.Place{}, err
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

// digest verifies a digest that the head would newly deploy.
func (s *session) digest(ctx context.Context, p place, at Finding, was, now imageref.Ref) error {
	waybill, err := s.judge(ctx, p, was, now)
	if err != nil {
		return err
	}
	s.report(waybill, at)
	return nil
}

// judge holds a digest of the place's application against everything that it
// must meet there: evidence, and the rules between environments.
func (s *session) judge(ctx context.Context, p place, was, now imageref.Ref) (evidence.Waybill, error) {
	move := s.rulesFor(p)
	waybill, err := s.checker.Judge.By(ctx, s.rules.PolicyFor(move.App, p.env.Name), p.app.Name, p.env.Name, now)
	if err != nil {
		return waybill, err
	}
	move.Candidate = waybill
	if history.Runs(was) {
		move.Deployed = was
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
		f.Rule, f.State, f.Message = r.Rule, r.State, waybill.Image.Short()+": "+r.Detail
		if r.Remedy != "" {
			f.Message += " → " + r.Remedy
		}
		s.add(f)
	}
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
		if _, returning, err = history.Ran(
			ctx, s.checker.Repo, history.Where{Rev: s.base.Commit, App: p.was, Env: p.env.Name}, m.Candidate.Image,
		); err != nil {
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

// held adds the holds of a digest that other names and environments have.
func (s *session) held(image imageref.Ref, reasons []evidence.Reason) []evidence.Reason {
	for _, r := range hold.Among(s.base.Files, image.Digest()) {
		if !slices.Contains(reasons, r) {
			reasons = append(reasons, r)
		}
	}
	return reasons
}
