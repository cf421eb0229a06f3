// Package replay runs another waybill.yaml over what was deployed, and says which
// deployments it would have refused or held up. So a policy can be tightened
// without a surprise.
//
// Every deployment is judged as of the time at which it came: by the evidence that
// the registry has today, by how long the digest had run in the environments
// before, and by the freezes of that day. Holds, and which of two digests is newer,
// do not depend on waybill.yaml and are not asked again; what was healthy then is
// not known any more, and taken as healthy.
package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// Request says what to judge. Empty names mean all.
type Request struct {
	Branch, App, Env string
	Policy           *config.Config // to judge by
	Period           time.Duration  // back from now
	Now              time.Time
	Most             int // how many deployments to judge, the newest; 0 is all
}

// Verdict is a deployment that the other waybill.yaml would not have let in.
type Verdict struct {
	App  string      `json:"app"`
	Env  string      `json:"env"`
	Step report.Step `json:"deployment"`
	// State is refused, or pending where time alone would have let it in.
	State   evidence.State    `json:"state"`
	Reasons []evidence.Reason `json:"reasons"`
	// Already says that today's waybill.yaml would not let it in either.
	Already bool `json:"already,omitempty"`
}

// Result is what another waybill.yaml would have done.
type Result struct {
	Commit  string         `json:"commit"` // head of the config repository
	From    time.Time      `json:"from"`
	Until   time.Time      `json:"until"`
	Judged  int            `json:"judged"`
	Gone    []string       `json:"gone,omitempty"` // images that the registry does not have any more: nothing is known of them
	Stopped []Verdict      `json:"stopped"`        // newest first
	Rules   map[string]int `json:"rules"`          // how many deployments each rule would newly have stopped
}

// Run judges what was deployed.
func Run(ctx context.Context, repo report.Repository, judge *rules.Judge, req Request) (Result, error) {
	tip, err := history.ReadTip(ctx, repo, req.Branch)
	if err != nil {
		return Result{}, err
	}
	return Over(ctx, repo, tip, judge, req)
}

// Reader reads the history of a config repository.
type Reader interface {
	history.Reader
	ReadAhead(ctx context.Context, rev string, paths []string) error
}

// Over judges what was deployed until a commit.
func Over(ctx context.Context, repo Reader, tip history.Tip, judge *rules.Judge, req Request) (Result, error) {
	names := tip.Config.AppNames()
	if req.App != "" {
		names = []string{req.App}
	}
	if err := repo.ReadAhead(ctx, tip.Commit, history.Files(tip, names)); err != nil {
		return Result{}, err
	}
	r := run{judge: judge, req: req, today: tip.Config, result: Result{
		Commit: tip.Commit, From: req.Now.Add(-req.Period).UTC(), Until: req.Now.UTC(), Stopped: []Verdict{}, Rules: map[string]int{},
	}}
	for _, name := range names {
		app, err := tip.Config.App(name)
		if err != nil {
			return Result{}, err
		}
		places, err := report.Steps(ctx, repo, tip.Commit, app)
		if err != nil {
			return Result{}, err
		}
		r.gather(app, places)
	}
	slices.SortStableFunc(r.deployments, func(a, b Deployment) int { return b.Step.Since.Compare(a.Step.Since) })
	if req.Most > 0 && len(r.deployments) > req.Most {
		r.deployments = r.deployments[:req.Most]
	}
	for _, p := range r.deployments {
		if err := r.step(ctx, p); err != nil {
			return Result{}, fmt.Errorf("judge %s in %s: %w", p.Step.Set().Short(), p.Env, err)
		}
	}
	return r.result, nil
}

type run struct {
	judge  *rules.Judge
	req    Request
	today  *config.Config
	result Result

	deployments []Deployment
}

// gather lists the deployments of an application that are judged.
func (r *run) gather(app config.App, places map[string][]report.Step) {
	for _, env := range app.Environments {
		if r.req.Env != "" && r.req.Env != env {
			continue
		}
		for _, step := range places[env] {
			if step.Kind == report.Deploy && !step.Since.Before(r.result.From) {
				r.deployments = append(r.deployments, Deployment{app.Name, env, step, places})
			}
		}
	}
}

// Deployment is one deployment, and what ran of its application anywhere.
type Deployment struct {
	App, Env string
	Step     report.Step
	All      map[string][]report.Step
}

func (r *run) step(ctx context.Context, p Deployment) error {
	step := p.Step
	decision, known, err := r.decide(ctx, r.req.Policy, p)
	if registry.IsNotFound(err) {
		for _, image := range step.Set() {
			r.result.Gone = append(r.result.Gone, image.String())
		}
		return nil
	}
	if err != nil || !known {
		return err
	}
	r.result.Judged++
	if decision.State() == evidence.Met {
		return nil
	}
	v := Verdict{App: p.App, Env: p.Env, Step: step, State: decision.State()}
	for _, reason := range decision.Reasons {
		if reason.State != evidence.Met {
			v.Reasons = append(v.Reasons, reason)
		}
	}
	was, known, err := r.decide(ctx, r.today, p)
	if err != nil {
		return err
	}
	if v.Already = known && was.State() != evidence.Met; !v.Already {
		for _, reason := range v.Reasons {
			r.result.Rules[reason.Rule]++
		}
	}
	r.result.Stopped = append(r.result.Stopped, v)
	return nil
}

// decide judges by a configuration, as of the time of the step; false where the
// configuration does not know the place.
func (r *run) decide(ctx context.Context, cfg *config.Config, p Deployment) (evidence.Decision, bool, error) {
	reasons, known, err := Rules(ctx, cfg, p)
	if err != nil || !known {
		return evidence.Decision{}, false, err
	}
	then := &rules.Judge{Collect: r.judge.Evidence, Server: r.judge.Server, Now: func() time.Time { return p.Step.Since }}
	app, err := cfg.App(p.App)
	if err != nil {
		return evidence.Decision{}, false, err
	}
	var entries rules.Entries
	for _, image := range p.Step.Set() {
		waybill, err := then.Image(ctx, cfg, p.App, p.Env, image)
		if err != nil {
			return evidence.Decision{}, false, err
		}
		part, _ := app.PartOf(image.Repository())
		entries = append(entries, rules.Entry{Part: part.Part, Waybill: waybill})
	}
	return entries.Decision().And(evidence.Decide(reasons...)), true, nil
}

// Rules are what order, soak and the calendar of a configuration said of a
// deployment at its time; false where the configuration does not know the place.
func Rules(ctx context.Context, cfg *config.Config, p Deployment) ([]evidence.Reason, bool, error) {
	app, env, err := cfg.Place(p.App, p.Env)
	if err != nil {
		return nil, false, nil //nolint:nilerr // the other file may have fewer places
	}
	then := &rules.Judge{
		Now: func() time.Time { return p.Step.Since },
		// Nobody knows any more what was said then.
		Health: func(context.Context, string, history.Period) (rules.Said, error) {
			return rules.Said{State: "success"}, nil
		},
		Sources: func(context.Context, rules.Asked) (rules.Said, error) { return rules.Said{State: "success"}, nil },
		Verified: func(context.Context, config.Verification, string, string, history.Period) (rules.Verification, error) {
			return rules.Verification{State: rules.VerifyPassed}, nil
		},
	}
	reasons, err := then.Before(ctx, cfg, app, env, func(before string) (history.Period, error) {
		return ranBy(p.All[before], p.Step), nil
	})
	return append(reasons, then.Closed(env)...), true, err
}

// ranBy is when a digest last began to run in an environment before a step.
func ranBy(list []report.Step, step report.Step) history.Period {
	var p history.Period
	for _, s := range list {
		if !s.Same(step) || s.Since.After(step.Since) {
			continue
		}
		p = history.Period{Ref: s.Set()[0], Set: s.Set(), Commit: s.Commit, Since: s.Since}
		if !s.Until.IsZero() && s.Until.Before(step.Since) {
			p.Until = s.Until
		}
	}
	return p
}

// Newly counts the deployments that only the other waybill.yaml would have stopped.
func (r Result) Newly() (n int) {
	for _, v := range r.Stopped {
		if !v.Already {
			n++
		}
	}
	return n
}

// Text prints the result for people.
func (r Result) Text() string {
	var out strings.Builder
	newly := r.Newly()
	fmt.Fprintf(
		&out, "%d of %d deployments since %s would newly have been stopped.\n", newly, r.Judged, text.Time(r.From),
	)
	for _, rule := range slices.Sorted(maps.Keys(r.Rules)) {
		fmt.Fprintf(&out, "  %s: %d\n", rule, r.Rules[rule])
	}
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	for _, v := range r.Stopped {
		if v.Already {
			continue
		}
		for i, reason := range v.Reasons {
			when, what := text.Time(v.Step.Since), v.App+" in "+v.Env+"\t"+v.Step.Digests()+"\t"+string(v.State)
			if i > 0 {
				when, what = "", "\t\t"
			}
			fmt.Fprintf(w, "%s\t%s\t%s: %s\n", when, what, reason.Rule, reason.Detail)
		}
	}
	_ = w.Flush() // into memory
	if already := len(r.Stopped) - newly; already > 0 {
		fmt.Fprintf(&out, "%d more would be stopped by today's waybill.yaml already.\n", already)
	}
	if len(r.Gone) > 0 {
		fmt.Fprintf(&out, "%d images are gone from the registry, and were not judged: %s\n", len(r.Gone), text.List(r.Gone, 3))
	}
	return out.String()
}
