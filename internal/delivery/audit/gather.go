package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/replay"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// maxLog is how many commits of one file are read.
const maxLog = 5000

// Request says what to audit.
type Request struct {
	Repository, Branch, Env string
	Since, Until, Now       time.Time
	Server, Version         string
}

// Work is an audit that has read the history of the repository.
type Work struct {
	doc     Document
	repo    report.Repository
	archive *Archive
	configs map[string]*config.Config           // by commit; nil where it cannot be read
	ran     map[string]map[string][]report.Step // by application and environment
}

// Begin reads the history of the environment.
func Begin(ctx context.Context, repo report.Repository, req Request) (*Work, error) {
	if !req.Since.Before(req.Until) {
		return nil, outcome.Usagef("the period ends at %s, which is not after its begin %s", text.Time(req.Until), text.Time(req.Since))
	}
	tip, err := history.ReadTip(ctx, repo, req.Branch)
	if err != nil {
		return nil, err
	}
	if _, err := tip.Config.Environment(req.Env); err != nil {
		return nil, outcome.Usagef("--env: %w", err)
	}
	w := &Work{
		repo: repo, archive: newArchive(), configs: make(map[string]*config.Config), ran: make(map[string]map[string][]report.Step),
		doc: Document{
			Schema: Schema, Version: req.Version, Repository: req.Repository, Server: req.Server, Branch: req.Branch, Commit: tip.Commit,
			Env: req.Env, Since: req.Since.UTC(), Until: req.Until.UTC(), Made: req.Now.UTC(), Deployments: []Deployment{}, Holds: []Hold{},
			Rules: []Rules{}, Terraform: []Terraform{}, Gaps: []string{},
		},
	}
	if req.Until.After(req.Now) {
		w.gap("the period ends at %s, after the audit was made: what comes later is not in it", text.Time(req.Until))
	}
	if err := repo.ReadAhead(ctx, tip.Commit, history.Files(tip, tip.Config.AppNames())); err != nil {
		return nil, err
	}
	for _, name := range tip.Config.AppNames() {
		if err := w.app(ctx, tip, name); err != nil {
			return nil, err
		}
	}
	return w, w.rules(ctx, tip)
}

func (w *Work) gap(format string, args ...any) {
	if gap := fmt.Sprintf(format, args...); !slices.Contains(w.doc.Gaps, gap) {
		w.doc.Gaps = append(w.doc.Gaps, gap)
	}
}

// app reads what ran of an application, and what was held.
func (w *Work) app(ctx context.Context, tip history.Tip, name string) error {
	app, err := tip.Config.App(name)
	if err != nil || !slices.Contains(app.Environments, w.doc.Env) {
		return err
	}
	if w.ran[name], err = report.Steps(ctx, w.repo, tip.Commit, app); err != nil {
		return err
	}
	for _, part := range app.Parts() {
		places := w.ran[name]
		if app.Several() {
			if places, err = report.Steps(ctx, w.repo, tip.Commit, part); err != nil {
				return err
			}
		}
		for _, step := range places[w.doc.Env] {
			if !step.Since.Before(w.doc.Until) || !step.Until.IsZero() && !step.Until.After(w.doc.Since) {
				continue
			}
			d := Deployment{App: name, Part: part.Part, Step: step, Earlier: step.Since.Before(w.doc.Since), Verdict: Unknown}
			d.Kind = w.whole(d).Kind
			if err := w.at(ctx, step.Commit); err != nil {
				return err
			}
			w.doc.Deployments = append(w.doc.Deployments, d)
		}
	}
	return w.holds(ctx, tip.Commit, name)
}

// whole is the step of all images of the application by which one of them came: order and
// soak are about what ran together.
func (w *Work) whole(d Deployment) report.Step {
	step := d.Step
	if d.Part == "" {
		return step
	}
	for _, s := range w.ran[d.App][w.doc.Env] {
		if !s.Since.After(d.Since) {
			step = s
		}
	}
	return step
}

// at reads waybill.yaml as of a commit.
func (w *Work) at(ctx context.Context, commit string) error {
	if _, known := w.configs[commit]; known {
		return nil
	}
	data, err := w.repo.File(ctx, commit, config.FileName)
	if err != nil && !errors.Is(err, configrepo.ErrNotFound) {
		return fmt.Errorf("read %s at %s: %w", config.FileName, text.Commit(commit), err)
	}
	cfg, parseErr := config.Parse(config.FileName, data)
	if err != nil || parseErr != nil {
		w.gap("%s at commit %s cannot be read: what came by that commit could not be judged", config.FileName, commit)
		cfg = nil
	}
	w.configs[commit] = cfg
	return nil
}

// Configs are the rules of every deployment of the period.
func (w *Work) Configs() (list []*config.Config) {
	for _, cfg := range w.configs {
		if cfg != nil {
			list = append(list, cfg)
		}
	}
	return list
}

// holds reads when the place was held, and when that was lifted.
func (w *Work) holds(ctx context.Context, head, app string) error {
	file := hold.Path(app, w.doc.Env)
	entries, err := w.repo.Log(ctx, head, file, maxLog)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(entries) {
		if e.Since.Before(w.doc.Since) || !e.Since.Before(w.doc.Until) {
			continue
		}
		h := Hold{App: app, At: e.Since.UTC(), By: e.AuthorName, Commit: e.SHA, What: reason(e.Message)}
		data, err := w.repo.File(ctx, e.SHA, file)
		switch {
		case errors.Is(err, configrepo.ErrNotFound):
			h.Lifted = true
		case err != nil:
			return err
		default:
			held := hold.Parse(file, data, app, w.doc.Env)
			h.What = held.What()
		}
		w.doc.Holds = append(w.doc.Holds, h)
	}
	return nil
}

// rules reads how waybill.yaml changed, and which applications it lost.
func (w *Work) rules(ctx context.Context, tip history.Tip) error {
	entries, err := w.repo.Log(ctx, tip.Commit, config.FileName, maxLog)
	if err != nil {
		return err
	}
	var before *config.Config
	for _, e := range slices.Backward(entries) {
		if !e.Since.Before(w.doc.Until) {
			continue
		}
		inPeriod := !e.Since.Before(w.doc.Since)
		if err := w.at(ctx, e.SHA); err != nil {
			return err
		}
		after := w.configs[e.SHA]
		if after == nil {
			continue
		}
		for _, name := range after.AppNames() {
			app, err := after.App(name)
			if gone := w.ran[name] == nil; err == nil && gone && slices.Contains(app.Environments, w.doc.Env) {
				w.gap("application %s was in %s, and is there no more: what ran of it is not listed", name, config.FileName)
			}
		}
		if inPeriod && before != nil {
			w.doc.Rules = append(w.doc.Rules, change(e, before, after))
		}
		before = after
	}
	return nil
}

func change(e configrepo.Entry, before, after *config.Config) Rules {
	r := Rules{Commit: e.SHA, At: e.Since.UTC(), By: e.AuthorName}
	for _, weaker := range config.Weaker(before, after, e.Since) {
		r.Weaker = append(r.Weaker, weaker.Change)
	}
	for _, a := range after.Acknowledged(before) {
		r.Reasons = append(r.Reasons, a.Change+": "+a.Reason)
	}
	return r
}

// reason is the paragraph of a commit message between its subject and its trailers.
func reason(message string) string {
	var said []string
	for i, paragraph := range strings.Split(strings.TrimSpace(message), "\n\n") {
		if i > 0 && !strings.HasPrefix(paragraph, "Waybill-") {
			said = append(said, strings.Join(strings.Fields(paragraph), " "))
		}
	}
	return strings.Join(said, " ")
}

// judge says what the rules said of a deployment.
func (w *Work) judge(ctx context.Context, d *Deployment) error {
	cfg := w.configs[d.Commit]
	if cfg == nil {
		return nil
	}
	order, known, err := replay.Rules(ctx, cfg, replay.Deployment{App: d.App, Env: w.doc.Env, Step: w.whole(*d), All: w.ran[d.App]})
	if err != nil {
		return err
	}
	if !known {
		w.gap("%s at commit %s does not have %s in %s: nothing judged %s", config.FileName, d.Commit, d.App, w.doc.Env, d.Step.Image)
		return nil
	}
	if d.Kind == report.TakeBack {
		order = nil // what ran there before may return at any time
	}
	if d.Order = order; d.Proof == nil {
		return nil
	}
	d.Verdict, d.BreakGlass = verdict(*d)
	return nil
}

// verdict joins what evidence and history said.
func verdict(d Deployment) (verdict, broke string) {
	decision := d.Proof.Waybill.Decision.And(evidence.Decide(d.Order...))
	if len(d.Order) == 0 {
		decision = d.Proof.Waybill.Decision
	}
	switch decision.State() {
	case evidence.Refused:
		verdict = Refused
	case evidence.Pending:
		verdict = Pending
	default:
		return Allowed, ""
	}
	var against []string
	for _, r := range decision.Reasons {
		if r.State != evidence.Met {
			against = append(against, r.Rule+": "+r.Detail)
		}
	}
	return verdict, "it came although a rule was against it: " + strings.Join(against, "; ")
}

// by names who is responsible for a deployment, for people.
func (d Deployment) by() string {
	if d.Merge != nil {
		return cmp.Or(d.Merge.MergedBy, d.By)
	}
	return d.By
}
