package check

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/checklist"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
)

// checklist holds what a place of the repository deploys against the checklist, and
// reports what is new. at says where; a place's application and environment are in
// it.
func (s *session) checklist(ctx context.Context, at Finding, before, after []render.Object) error {
	minor := max(s.rules.Kubernetes(), s.cfg.Kubernetes())
	kinds, err := s.definitions()
	if err != nil {
		return err
	}
	now := checklist.New(after, kinds, minor)
	var was *checklist.Set
	if s.base != nil {
		was = checklist.New(before, kinds, minor)
	}
	for _, rule := range checklist.Rules() {
		level := s.level(rule.ID)
		if level == config.Off {
			continue
		}
		// A pattern of a definition and a long text can keep a machine busy for hours.
		what := fmt.Sprintf("holding %s against the rule %s", at.File, rule.ID)
		found, err := limit.Do(ctx, what, func() ([]checklist.Problem, error) { return rule.New(was, now), nil })
		if err != nil {
			return err
		}
		for _, p := range found {
			s.ruled(at, rule, level, p)
		}
	}
	return nil
}

// level is what becomes of what a rule finds: a change cannot weaken the rules
// that it is judged by, and what it brings counts for it too.
func (s *session) level(rule string) string {
	base, head := s.rules.ManifestRule(rule), s.cfg.ManifestRule(rule)
	if base == config.Refuse || base == config.Note && head != config.Refuse {
		return base
	}
	return head
}

func (s *session) ruled(at Finding, rule checklist.Rule, level string, p checklist.Problem) {
	f := at
	if f.Line = 0; rule.ID != checklist.Removed { // which stands nowhere
		f = s.locate(at, p.Object)
	}
	f.Rule, f.State = rule.ID, evidence.Refused
	f.Message = render.Visible(fmt.Sprintf("%s: %s. The rule is there because %s → %s", p.Object, p.Message, rule.Why, rule.Fix))
	if !s.first(f) {
		return
	}
	if level == config.Note {
		s.note(f)
		return
	}
	for _, w := range s.rules.ManifestWaivers() {
		if w.Waives(rule.ID, at.App, at.Env, p.Object.String(), s.checker.now()) {
			f.Message += fmt.Sprintf(" (waived until %s: %s)", w.Expires.UTC().Format(time.DateOnly), w.Reason)
			s.note(f)
			return
		}
	}
	s.add(f)
}

// first reports whether something is found for the first time: several
// kustomizations can render one object.
func (s *session) first(f Finding) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprint(f.Rule, f.App, f.Env, f.Message)
	if f.App == "" {
		key = fmt.Sprint(f.Rule, f.Message)
	}
	known := s.said[key]
	s.said[key] = true
	return !known
}
