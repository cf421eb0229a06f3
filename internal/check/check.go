// Package check judges a change of the config repository before it is merged:
// what it would newly deploy is verified again, whatever the pull request says
// of itself.
//
// The rules are those of the base: a change cannot weaken the policy that it
// is judged by. Only what the change brings is reported; without a base,
// everything is. It reads two commits and the registry and writes nothing.
package check

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/configrepo"
	"github.com/waybill-dev/waybill/internal/deployment"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/overlay"
	"github.com/waybill-dev/waybill/internal/promotion"
	"github.com/waybill-dev/waybill/internal/render"
)

// Repository is the config repository, as check uses it.
type Repository interface {
	deployment.Reader
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
}

// Rules beside those of policy and promotion.
const (
	RuleConfig  = "waybill.yaml"
	RuleOverlay = "overlay"
	RuleDigest  = "digest"
	RuleRender  = "render"
)

// Finding is one thing that is wrong, or not yet right, at a place.
type Finding struct {
	File    string         `json:"file"`
	Line    int            `json:"line,omitempty"` // from 1; 0 for the whole file
	App     string         `json:"app,omitempty"`
	Env     string         `json:"env,omitempty"`
	Rule    string         `json:"rule"`
	State   evidence.State `json:"state"` // refused or pending
	Message string         `json:"message"`
}

// Result is everything that was judged.
type Result struct {
	Base, Head string // commits; Base is empty when everything was judged
	Waybills   []evidence.Waybill
	Findings   []Finding
}

// State is the worst of the findings.
func (r Result) State() evidence.State {
	state := evidence.Met
	for _, f := range r.Findings {
		switch f.State {
		case evidence.Refused:
			return evidence.Refused
		case evidence.Pending:
			state = evidence.Pending
		}
	}
	return state
}

// Checker judges changes.
type Checker struct {
	Repo  Repository
	Judge *promotion.Judge
}

// parallel bounds how many digests are verified at once.
const parallel = 8

// Run judges what head would newly deploy compared with base; an empty base
// judges everything as it stands. An error says nothing of the change: it is
// trouble with a registry or a repository.
func (c *Checker) Run(ctx context.Context, base, head string) (Result, error) {
	s := &session{checker: c, result: Result{Findings: []Finding{}}}
	if err := s.load(ctx, base, head); err != nil {
		return Result{}, err
	}
	if s.cfg == nil { // head cannot be read; said in the findings
		return s.result, nil
	}
	if err := s.run(ctx); err != nil {
		return Result{}, err
	}
	slices.SortStableFunc(s.result.Findings, func(a, b Finding) int {
		if d := strings.Compare(a.File, b.File); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
	slices.SortFunc(s.result.Waybills, func(a, b evidence.Waybill) int {
		return strings.Compare(a.App+"\x00"+a.Env, b.App+"\x00"+b.Env)
	})
	return s.result, nil
}

type session struct {
	checker    *Checker
	base, head *configrepo.Snapshot // base is nil when everything is judged
	rules      *config.Config       // the base's
	cfg        *config.Config       // the head's
	baseRender *render.Renderer
	headRender *render.Renderer

	mu     sync.Mutex
	result Result
}

func (s *session) load(ctx context.Context, base, head string) (err error) {
	if s.head, err = s.checker.Repo.Snapshot(ctx, head); err != nil {
		return fmt.Errorf("read %s: %w", head, err)
	}
	s.result.Head = s.head.Commit
	cfg, problem := deployment.Load(s.head.Files)
	if problem != nil {
		s.configFindings(problem)
		return nil
	}
	s.rules = cfg
	if base != "" {
		if s.base, err = s.checker.Repo.Snapshot(ctx, base); err != nil {
			return fmt.Errorf("read %s: %w", base, err)
		}
		s.result.Base = s.base.Commit
		if s.base.Files[config.FileName] != nil {
			// A base that cannot be read has no policy to offer; the head's mends it.
			if rules, err := deployment.Load(s.base.Files); err == nil {
				s.rules = rules
			}
		}
		if s.baseRender, err = render.New(s.base.Files); err != nil {
			return err
		}
	}
	if s.headRender, err = render.New(s.head.Files); err != nil {
		return err
	}
	s.cfg = cfg
	return nil
}

func (s *session) configFindings(problem error) {
	problems := []error{problem}
	if joined, ok := problem.(interface{ Unwrap() []error }); ok {
		problems = joined.Unwrap()
	}
	for _, p := range problems {
		f := Finding{File: config.FileName, Rule: RuleConfig, State: evidence.Refused, Message: p.Error()}
		if at, ok := p.(*config.Error); ok {
			f.Line, f.Message = at.Line, at.Message
		}
		s.add(f)
	}
}

func (s *session) add(f Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Findings = append(s.result.Findings, f)
}

// place is one application in one environment.
type place struct {
	app config.App
	env config.Environment
}

func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, parallel)
	errs := make(chan error)
	places := s.places()
	for _, p := range places {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs <- s.place(ctx, p)
		}()
	}
	var first error
	for range places {
		if err := <-errs; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

// places lists what the change can touch: all of it, unless every changed file
// lies in the overlay of one place.
func (s *session) places() []place {
	var places []place
	for _, name := range s.cfg.AppNames() {
		app, err := s.cfg.App(name)
		if err != nil {
			continue
		}
		for _, envName := range app.Environments {
			if env, err := s.cfg.Environment(envName); err == nil {
				places = append(places, place{app: app, env: env})
			}
		}
	}
	if s.base == nil {
		return places
	}
	touched := make(map[int]bool)
	for _, file := range s.changed() {
		i := slices.IndexFunc(places, func(p place) bool {
			at := p.app.Overlay(p.env.Name)
			return file == at || strings.HasPrefix(file, at+"/")
		})
		if i < 0 {
			return places
		}
		touched[i] = true
	}
	var only []place
	for i, p := range places {
		if touched[i] {
			only = append(only, p)
		}
	}
	return only
}

func (s *session) changed() []string {
	var files []string
	for name, data := range s.head.Files {
		if before, ok := s.base.Files[name]; !ok || !bytes.Equal(before, data) {
			files = append(files, name)
		}
	}
	for name := range s.base.Files {
		if _, ok := s.head.Files[name]; !ok {
			files = append(files, name)
		}
	}
	return files
}

func (s *session) place(ctx context.Context, p place) error {
	at := Finding{File: p.app.Overlay(p.env.Name), App: p.app.Name, Env: p.env.Name, State: evidence.Refused}
	now, err := deployment.Read(s.head.Files, p.app, p.env.Name)
	if err != nil {
		at.Rule, at.Message = RuleOverlay, err.Error()
		if s.isNew(func() bool {
			_, before := deployment.Read(s.base.Files, p.app, p.env.Name)
			return before != nil && before.Error() == err.Error()
		}) {
			s.add(at)
		}
		return nil
	}
	at.File, at.Line = now.File, now.Line
	was := s.before(p)
	s.render(p, at, was, now)
	switch {
	case now.Tag != "" && (s.base == nil || now.Tag != was.Tag):
		at.Rule = RuleDigest
		at.Message = fmt.Sprintf("%s is named by the tag %q, which can be moved; write its digest: waybill bump does", p.app.Image.Name(), now.Tag)
		s.add(at)
		return nil
	case now.Ref.IsZero() || deployment.Placeholder(now.Ref) || (s.base != nil && now.Ref == was.Ref):
		return nil
	}
	return s.digest(ctx, p, at, was, now)
}

// isNew asks, where there is a base, whether the base had the same.
func (s *session) isNew(same func() bool) bool { return s.base == nil || !same() }

// before is what the base deploys in the place; zero where it has none.
func (s *session) before(p place) overlay.Place {
	if s.base == nil {
		return overlay.Place{}
	}
	was, err := deployment.Read(s.base.Files, p.app, p.env.Name)
	if err != nil {
		return overlay.Place{}
	}
	return was
}

// digest verifies a digest that the head would newly deploy.
func (s *session) digest(ctx context.Context, p place, at Finding, was, now overlay.Place) error {
	judge := s.checker.Judge
	waybill, err := judge.By(ctx, s.rules.PolicyFor(p.app, p.env.Name), p.app.Name, p.env.Name, now.Ref)
	if err != nil {
		return err
	}
	reasons, returning, err := s.moves(ctx, p, waybill, was.Ref)
	if err != nil {
		return err
	}
	if returning {
		waybill = promotion.Returning(waybill)
	}
	decision := waybill.Decision
	if len(reasons) > 0 {
		decision = decision.And(evidence.Decide(reasons...))
	}
	waybill.Decision = decision
	s.mu.Lock()
	s.result.Waybills = append(s.result.Waybills, waybill)
	s.mu.Unlock()
	for _, r := range decision.Reasons {
		if r.State == evidence.Met {
			continue
		}
		f := at
		f.Rule, f.State, f.Message = r.Rule, r.State, r.Detail
		if r.Remedy != "" {
			f.Message += " → " + r.Remedy
		}
		s.add(f)
	}
	return nil
}

// moves asks the rules between environments. They need a base: what stands
// there already has moved. A digest that ran in the environment before may
// come back: that is a rollback.
func (s *session) moves(ctx context.Context, p place, candidate evidence.Waybill, deployed imageref.Ref) (reasons []evidence.Reason, returning bool, err error) {
	if s.base == nil {
		return nil, false, nil
	}
	judge, repo := s.checker.Judge, s.checker.Repo
	if !deployed.IsZero() {
		history, err := deployment.History(ctx, repo, s.base.Commit, p.app, p.env.Name)
		if err != nil {
			return nil, false, err
		}
		if slices.ContainsFunc(history, func(h deployment.Period) bool { return h.Ref == candidate.Image }) {
			return nil, true, nil
		}
	}
	if deployment.Placeholder(deployed) {
		deployed = imageref.Ref{}
	}
	reasons, err = judge.Enter(ctx, repo, promotion.Move{
		Config: s.configFor(p), Rev: s.base.Commit, App: p.app, Env: s.environment(p), Candidate: candidate, Deployed: deployed,
	})
	return reasons, false, err
}

// environment is the base's, if it has it: a change cannot lift its own freeze
// or soak.
func (s *session) environment(p place) config.Environment {
	if env, err := s.rules.Environment(p.env.Name); err == nil {
		return env
	}
	return p.env
}

func (s *session) configFor(p place) *config.Config {
	if _, _, err := s.rules.Place(p.app.Name, p.env.Name); err == nil {
		return s.rules
	}
	return s.cfg
}

// render wants the head to render, and no image without digest that the base
// does not have.
func (s *session) render(p place, at Finding, was, now overlay.Place) {
	at.Rule = RuleRender
	objects, err := s.headRender.App(p.app, p.env.Name)
	if err != nil {
		unchangedFailure := func() bool {
			_, before := s.baseRender.App(p.app, p.env.Name)
			return before != nil && before.Error() == err.Error()
		}
		if s.isNew(unchangedFailure) {
			at.Message = err.Error()
			s.add(at)
		}
		return
	}
	var known []string
	if s.base != nil {
		if before, err := s.baseRender.App(p.app, p.env.Name); err == nil {
			known = render.Images(before)
		}
	}
	at.Rule, at.Line, at.File = RuleDigest, 0, path.Clean(at.File)
	for _, image := range render.Images(objects) {
		if strings.Contains(image, "@sha256:") || slices.Contains(known, image) {
			continue
		}
		if now.Tag != "" && strings.HasPrefix(image, p.app.Image.Name()+":") {
			continue // said at the overlay's own line
		}
		at.Message = fmt.Sprintf("the rendered manifests run %s, which names no digest: a tag can be moved; write IMAGE@sha256:…", image)
		s.add(at)
	}
}
