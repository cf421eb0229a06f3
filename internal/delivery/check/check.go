// Package check judges a change of the config repository before it is merged:
// what it would newly deploy is verified again, whatever the pull request says
// of itself.
//
// The rules are those of the base: a change cannot weaken the policy that it
// is judged by. What it renders is also held against the admission policies of
// the repository, the base's and its own. Only what the change brings is
// reported; without a base, everything is. It reads two commits and the registry and writes nothing.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as check uses it.
type Repository interface {
	history.Reader
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	// MergeBase is the newest commit that both descend from.
	MergeBase(ctx context.Context, a, b string) (string, error)
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
	// Notes are worth saying and hold up nothing: what could not be evaluated,
	// warnings, what was there before.
	Notes []Finding
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

// Count counts the findings of a state.
func (r Result) Count(state evidence.State) int {
	n := 0
	for _, f := range r.Findings {
		if f.State == state {
			n++
		}
	}
	return n
}

// Verified counts the digests whose evidence was verified.
func (r Result) Verified() string {
	return text.Count(len(r.Waybills), "digest") + " verified"
}

// Checker judges changes.
type Checker struct {
	Repo  Repository
	Judge *rules.Judge
}

func (c *Checker) now() time.Time {
	if c.Judge != nil && c.Judge.Now != nil {
		return c.Judge.Now()
	}
	return time.Now()
}

// parallel bounds how many digests are verified at once.
const parallel = 8

// Run judges what merging head into base would newly deploy; an empty base
// judges everything as it stands. An error says nothing of the change: it is
// trouble with a registry or a repository.
func (c *Checker) Run(ctx context.Context, base, head string) (Result, error) {
	s := newSession(c)
	if err := s.load(ctx, base, head); err != nil {
		return Result{}, err
	}
	if s.cfg == nil { // head cannot be read; said in the findings
		return s.result, nil
	}
	if err := s.run(ctx); err != nil {
		return Result{}, err
	}
	for _, list := range [][]Finding{s.result.Findings, s.result.Notes} {
		slices.SortStableFunc(list, func(a, b Finding) int {
			if d := strings.Compare(a.File, b.File); d != 0 {
				return d
			}
			return a.Line - b.Line
		})
	}
	s.result.Findings, s.result.Notes = most(s.result.Findings), most(s.result.Notes)
	slices.SortFunc(s.result.Waybills, func(a, b evidence.Waybill) int {
		return strings.Compare(a.App+"\x00"+a.Env, b.App+"\x00"+b.Env)
	})
	return s.result, nil
}

// maxFindings is as many as anybody reads, and as GitHub takes in a summary.
const maxFindings = 300

// most keeps as many findings as can be shown, the refused first, and says how
// many more there are.
func most(findings []Finding) []Finding {
	if len(findings) <= maxFindings {
		return findings
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return strings.Compare(string(b.State), string(a.State)) })
	last := findings[maxFindings]
	last.Line, last.Message = 0, fmt.Sprintf("and %d more findings: mend these first", len(findings)-maxFindings)
	return append(findings[:maxFindings:maxFindings], last)
}

type session struct {
	checker    *Checker
	base       *configrepo.Snapshot // nil when everything is judged
	was        map[string][]byte    // the base's files; nil when everything is judged
	head       *configrepo.Snapshot // as merged into the base
	rules      *config.Config       // the base's
	baseReads  bool                 // and can be read; else rules are the head's
	cfg        *config.Config       // the head's
	baseRender *render.Renderer
	headRender *render.Renderer
	outer      map[outerKey]outerObjects // of kustomizations outside of overlays
	policies   policies

	changedOnce  sync.Once
	changedFiles []string
	placesOnce   sync.Once
	schemasOnce  sync.Once
	schemas      *schema.Schemas
	schemasErr   error
	reachedOnce  sync.Once
	reachedDirs  map[string]bool
	namedBy      map[string][]string // the directories whose kustomizations name a path
	broughtOnce  sync.Once
	brought      map[string][]string // the files that newly hold an object, by its id
	namedOnce    sync.Once
	namedDirs    map[string]bool // that kustomizations have as resources
	inHead, gone []place

	mu     sync.Mutex
	result Result
	lines  map[string]map[string]int // where the objects of files stand
	sets   map[string]rendering      // what the places run, by place.key
	groups map[string][]rules.Companion

	said  map[string]bool // once
	added map[Finding]bool

	deployers *deployers.Change
	compared  []deployers.Comparison // what holds deployers
}

func newSession(c *Checker) *session {
	return &session{
		checker: c, result: Result{Findings: []Finding{}}, sets: make(map[string]rendering), groups: make(map[string][]rules.Companion),
		outer: make(map[outerKey]outerObjects),
		said:  make(map[string]bool), added: make(map[Finding]bool), lines: make(map[string]map[string]int),
	}
}

func (s *session) load(ctx context.Context, base, head string) (err error) {
	if s.head, err = s.checker.Repo.Snapshot(ctx, head); err != nil {
		return fmt.Errorf("read %s: %w", head, err)
	}
	s.result.Head = s.head.Commit
	if base != "" {
		if s.base, err = s.checker.Repo.Snapshot(ctx, base); err != nil {
			return fmt.Errorf("read %s: %w", base, err)
		}
		s.result.Base = s.base.Commit
		if s.head, err = merged(ctx, s.checker.Repo, s.base, s.head); err != nil {
			return err
		}
	}
	cfg, problem := history.Load(s.head)
	if problem != nil {
		s.configFindings(problem)
		return nil
	}
	s.rules = cfg
	if s.base != nil {
		if s.base.Files[config.FileName] != nil {
			// A base that cannot be read has no policy to offer; protection says so.
			if rules, err := history.Load(s.base); err == nil {
				s.rules, s.baseReads = rules, true
			}
		}
		s.was = s.base.Files
	}
	s.baseRender = render.New(s.was)
	s.headRender = render.New(s.head.Files)
	s.cfg = cfg
	s.loadDeployers()
	s.loadPolicies()
	return nil
}

func (s *session) configFindings(problem error) {
	problems := []error{problem}
	var joined interface{ Unwrap() []error }
	if errors.As(problem, &joined) {
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
	if s.added[f] { // of several deployers of one name, say
		return
	}
	s.added[f] = true
	s.result.Findings = append(s.result.Findings, f)
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
	if first != nil {
		return first
	}
	if err := s.outside(ctx); err != nil {
		return err
	}
	if err := s.upgraded(ctx); err != nil {
		return err
	}
	for _, w := range s.deployers.Compare(s.compared) {
		s.weaker(w.File, 0, w.Change)
	}
	s.written()
	return s.protection()
}
