package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/deployment"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/overlay"
	"github.com/waybill-dev/waybill/internal/promotion"
	"github.com/waybill-dev/waybill/internal/render"
)

// place judges one application in one environment.
func (s *session) place(ctx context.Context, p place) error {
	at := Finding{File: p.app.Overlay(p.env.Name), App: p.app.Name, Env: p.env.Name, State: evidence.Refused}
	was, problemBefore := s.before(p)
	now, err := deployment.Read(s.head.Files, p.app, p.env.Name)
	if err != nil {
		if !same(problemBefore, err) {
			at.Rule, at.Message = RuleOverlay, err.Error()
			s.add(at)
		}
		return nil
	}
	at.File, at.Line = now.File, now.Line
	others, err := s.render(ctx, p, at, now)
	if err != nil {
		return err
	}
	for _, ref := range others {
		if err := s.beside(ctx, p, at, ref); err != nil {
			return err
		}
	}
	at.Rule = RuleDigest
	switch {
	case now.Tag != "":
		if now.Tag != was.Tag {
			at.Message = fmt.Sprintf("%s is named by the tag %q, which can be moved; write its digest: waybill bump does", p.app.Image.Name(), now.Tag)
			s.add(at)
		}
		return nil
	case now.Ref == was.Ref && was.Tag == "":
		return nil
	case deployment.Placeholder(now.Ref) && (deployment.Runs(was.Ref) || was.Tag != ""):
		at.Message = fmt.Sprintf("the placeholder digest takes the place of %s: no image has it", named(was))
		s.add(at)
		return nil
	case !deployment.Runs(now.Ref):
		return nil
	}
	return s.digest(ctx, p, at, was, now)
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
	app, known := s.baseApp(p)
	if !known {
		return overlay.Place{}, nil
	}
	was, err := deployment.Read(s.base.Files, app, p.env.Name)
	if err != nil {
		return overlay.Place{}, err
	}
	return was, nil
}

// baseApp is the application as the base has it in the place.
func (s *session) baseApp(p place) (config.App, bool) {
	if s.base == nil || !s.baseReads {
		return config.App{}, false
	}
	app, _, err := s.rules.Place(p.app.Name, p.env.Name)
	return app, err == nil
}

// digest verifies a digest that the head would newly deploy.
func (s *session) digest(ctx context.Context, p place, at Finding, was, now overlay.Place) error {
	rules := s.rulesFor(p)
	waybill, err := s.checker.Judge.By(ctx, s.rules.PolicyFor(rules.App, p.env.Name), p.app.Name, p.env.Name, now.Ref)
	if err != nil {
		return err
	}
	rules.Candidate = waybill
	if deployment.Runs(was.Ref) {
		rules.Deployed = was.Ref
	}
	reasons, returning, err := s.moves(ctx, p, rules)
	if err != nil {
		return err
	}
	if returning {
		waybill = promotion.Returning(waybill)
	}
	if len(reasons) > 0 {
		waybill.Decision = waybill.Decision.And(evidence.Decide(reasons...))
	}
	s.report(waybill, at)
	return nil
}

// beside verifies an image of an application that the rendered manifests run
// beside the one that the overlay names: evidence alone counts for it, order
// and soak are those of its own overlay.
func (s *session) beside(ctx context.Context, p place, at Finding, ref imageref.Ref) error {
	cfg, app := s.rules, config.App{}
	owner, err := cfg.AppForImage(ref.Repository())
	if err != nil {
		cfg = s.cfg
		if owner, err = cfg.AppForImage(ref.Repository()); err != nil {
			owner = app // several have it: what is common to all holds
		}
	}
	waybill, err := s.checker.Judge.By(ctx, cfg.PolicyFor(owner, p.env.Name), p.app.Name, p.env.Name, ref)
	if err != nil {
		return err
	}
	at.Line = 0
	s.report(waybill, at)
	return nil
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
func (s *session) rulesFor(p place) promotion.Move {
	move := promotion.Move{Config: s.cfg, App: p.app, Env: p.env}
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
// come back: that is a rollback.
func (s *session) moves(ctx context.Context, p place, m promotion.Move) (reasons []evidence.Reason, returning bool, err error) {
	if s.base == nil {
		return nil, false, nil
	}
	if app, known := s.baseApp(p); known && !m.Deployed.IsZero() {
		if _, returning, err = deployment.Find(ctx, s.checker.Repo, s.base.Commit, app, p.env.Name, m.Candidate.Image); err != nil || returning {
			return nil, returning, err
		}
	}
	reasons, err = s.checker.Judge.Enter(ctx, s.checker.Repo, m)
	return reasons, false, err
}

// render wants the head to render, and no image without digest that the base
// does not have. It gives the images of applications that run beside the one
// that the overlay names, and did not before.
func (s *session) render(ctx context.Context, p place, at Finding, now overlay.Place) ([]imageref.Ref, error) {
	var known []string
	var problemBefore error
	var before []render.Object
	if app, ok := s.baseApp(p); ok {
		if before, problemBefore = s.baseRender.App(ctx, app, p.env.Name); problemBefore == nil {
			known = render.Images(before)
		}
	}
	objects, err := s.headRender.App(ctx, p.app, p.env.Name)
	for _, e := range []error{err, problemBefore} {
		if errors.As(e, new(*limit.Exceeded)) {
			return nil, e // of this machine, and no verdict
		}
	}
	if err != nil {
		if !same(problemBefore, err) {
			at.Rule, at.Message = RuleRender, err.Error()
			s.add(at)
		}
		return nil, ctx.Err()
	}
	if err := s.manifests(ctx, p, at, before, objects); err != nil {
		return nil, err
	}
	at.Rule, at.Line = RuleDigest, 0
	var others []imageref.Ref
	for _, image := range render.Images(objects) {
		if slices.Contains(known, image) {
			continue
		}
		if strings.Contains(image, "@sha256:") {
			if ref, err := imageref.Parse(withoutTag(image)); err == nil && ref != now.Ref && deployment.Runs(ref) && s.delivers(ref.Repository()) {
				others = append(others, ref)
			}
			continue
		}
		if now.Tag != "" && strings.HasPrefix(image, p.app.Image.Name()+":") {
			continue // said at the overlay's own line
		}
		at.Message = fmt.Sprintf("the rendered manifests run %s, which names no digest: a tag can be moved; write IMAGE@sha256:…", image)
		s.add(at)
	}
	return others, nil
}

// withoutTag cuts the tag off REPOSITORY:TAG@DIGEST: the digest decides.
func withoutTag(image string) string {
	repository, digest, _ := strings.Cut(image, "@")
	if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
		repository = repository[:i]
	}
	return repository + "@" + digest
}

// delivers says whether images of the repository are an application's.
func (s *session) delivers(repository string) bool {
	for _, cfg := range []*config.Config{s.rules, s.cfg} {
		for _, name := range cfg.AppNames() {
			if app, err := cfg.App(name); err == nil && app.Image.Name() == repository {
				return true
			}
		}
	}
	return false
}
