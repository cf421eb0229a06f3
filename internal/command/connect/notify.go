package connect

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/desk"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/notice"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/rollback"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/webhook"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Bumped is what is told of a bump.
func Bumped(req bump.Request, r bump.Result, err error) (events []notice.Event) {
	e := notice.Event{App: req.App, Env: req.Env, Previous: r.Previous, Commit: r.Commit, Pull: r.Number, URL: req.Run, Parts: r.Parts}
	if len(req.Images) == 1 && len(r.Parts) == 0 {
		e.Image = req.Images[0]
	}
	switch {
	case outcome.Code(err) == outcome.Refused:
		e.Event, e.Reason = config.EventRefused, err.Error()
	case err == nil && r.Changed:
		e.Event = config.EventDeployed
	case err == nil && r.State == promote.Opened:
		e.Event, e.URL = config.EventWaiting, r.URL
	default:
		return nil
	}
	return []notice.Event{e}
}

// Promoted is what is told of promotions that were made. Refusals are found again every
// hour: NewlyRefused tells those.
func Promoted(list []promote.Promotion, run string) (events []notice.Event) {
	for _, p := range list {
		e := notice.Event{
			App: p.App, Env: p.To, Image: p.Image, Previous: p.Previous, Parts: p.Parts, Commit: p.Commit, Pull: p.Number, URL: p.URL,
			Reason: p.Reason,
		}
		switch p.State {
		case promote.Committed:
			e.Event, e.URL = config.EventDeployed, run
		case promote.Opened:
			e.Event = config.EventWaiting
		default:
			continue
		}
		events = append(events, e)
	}
	return events
}

// RolledBack is what is told of a rollback: that it was made, or waits for a merge.
func RolledBack(req rollback.Request, r rollback.Result) (events []notice.Event) {
	e := notice.Event{
		App: req.App, Env: req.Env, Image: r.Image, Previous: r.Previous, Parts: r.Parts, Commit: r.Commit, Pull: r.Number, URL: r.URL,
		Reason: req.Reason,
		Event:  config.EventRolledBack,
	}
	switch {
	case !r.Changed:
		return nil
	case r.Number != 0 || !req.Direct:
		e.Event = config.EventWaiting
	default:
		e.URL = req.Run
	}
	return []notice.Event{e}
}

// Judged is what is told of a check: that it refuses a head, once.
func Judged(v desk.Verdict, run string) []notice.Event {
	if v.News == "" {
		return nil
	}
	var reasons []string
	for _, f := range v.Findings {
		if f.State == evidence.Refused {
			reasons = append(reasons, f.Rule+": "+f.Message)
		}
	}
	return []notice.Event{{
		Event: config.EventRefused, Commit: v.News, Pull: v.Pull, URL: run, Reason: text.List(reasons, 5),
	}}
}

// notifyWithin bounds all notifications of a command together.
const notifyWithin = 15 * time.Second

// Notify tells those whom waybill.yaml at rev names. It never fails, and waits no
// longer than notifyWithin.
func (a Access) Notify(ctx context.Context, repo ConfigRepository, rev string, events ...notice.Event) {
	if len(events) == 0 || a.DryRun {
		return
	}
	listeners := listenersOf(ctx, repo, rev)
	if len(listeners) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, notifyWithin)
	defer cancel()
	for _, e := range events {
		if e.Repository, e.Path = repo.Title(a.Dir), repo.Path; repo.HasForge() {
			e.Repository = repo.GitHub.String()
		}
		for _, to := range listeners {
			if to.Wants(e.Event, e.Env) {
				a.tell(ctx, to, e)
			}
		}
	}
}

// listenersOf are those whom waybill.yaml at rev names; none where it cannot be read.
func listenersOf(ctx context.Context, repo ConfigRepository, rev string) []config.Notify {
	data, err := repo.declaration(ctx, rev)
	if err != nil {
		return nil
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil {
		return nil
	}
	return cfg.Notify
}

// toldStatus begins the name of the commit status that remembers who was told.
const toldStatus = "waybill/told/"

// NewlyRefused is what is told of promotions that were refused: once for a digest and the
// rules against it. A status on the commit that brought the digest remembers that. Where
// it cannot be read or set, nobody is told, so that nobody is told every hour.
func (a Access) NewlyRefused(
	ctx context.Context, repo ConfigRepository, rev string, list []promote.Promotion, run string,
) (events []notice.Event) {
	listeners := listenersOf(ctx, repo, rev)
	for _, p := range list {
		wanted := func(to config.Notify) bool { return to.Wants(config.EventRefused, p.To) }
		culprit := p.State == promote.Refused && p.Decision != nil && p.Decision.State() == evidence.Refused // not the rest of its group
		if !culprit || !repo.HasForge() || !slices.ContainsFunc(listeners, wanted) {
			continue
		}
		fresh, err := remember(ctx, repo, rev, p, run)
		if err != nil {
			a.Call.Sayf("note     nobody was told that %s is refused in %s: %v", p.App, p.To, err)
		}
		if fresh && err == nil {
			events = append(events, notice.Event{
				Event: config.EventRefused, App: p.App, Env: p.To, Image: p.Image, Previous: p.Previous, Parts: p.Parts, Pull: p.Number,
				URL: run, Reason: p.Reason,
			})
		}
	}
	return events
}

// remember reports whether a refusal was not told yet, and keeps that it is from now on.
func remember(ctx context.Context, repo ConfigRepository, rev string, p promote.Promotion, run string) (fresh bool, err error) {
	tip, err := history.ReadTip(ctx, repo, rev)
	if err != nil {
		return false, err
	}
	app, err := tip.Config.App(p.App)
	if err != nil {
		return false, err
	}
	set := history.Set{p.Image}
	if app.Several() {
		places, err := history.ReadSet(tip.Files, app, p.From)
		if err != nil {
			return false, err
		}
		set = places.Set()
	}
	came, found, err := history.Stands(ctx, repo, history.Where{Rev: tip.Commit, App: app, Env: p.From}, set)
	if err != nil || !found {
		return false, err
	}
	var against []string
	for _, r := range p.Decision.Reasons {
		if r.State == evidence.Refused {
			against = append(against, r.Rule)
		}
	}
	told := github.Status{
		Context: toldStatus + path.Join(repo.Path, p.To, p.App), State: "success", TargetURL: run,
		Description: "told that " + p.To + " refuses it: " + strings.Join(against, ", "),
	}
	statuses, err := repo.API.Statuses(ctx, repo.GitHub, came.Commit)
	if err != nil || slices.ContainsFunc(statuses, func(s github.Status) bool {
		return s.Context == told.Context && s.Description == told.Description
	}) {
		return false, err
	}
	return true, repo.API.SetStatus(ctx, repo.GitHub, came.Commit, told)
}

func (a Access) tell(ctx context.Context, to config.Notify, e notice.Event) {
	m := webhook.Message{Event: e.Event, URL: a.Call.Env(contract.EnvVar{Name: to.Webhook})}
	if to.Secret != "" {
		m.Secret = a.Call.Env(contract.EnvVar{Name: to.Secret})
	}
	switch {
	case m.URL == "":
		a.Call.Sayf("note     nobody was told of %s: the environment variable %s is empty", e.Event, to.Webhook)
		return
	case to.Secret != "" && m.Secret == "":
		a.Call.Sayf("note     nobody was told of %s: the environment variable %s is empty", e.Event, to.Secret)
		return
	}
	for _, secret := range []string{m.URL, m.Secret} {
		if err := a.Call.Runner.Mask(secret); err != nil {
			return
		}
	}
	var err error
	if m.Body, m.ID, err = notice.Body(e, to.Format); err == nil {
		err = webhook.Send(ctx, m)
	}
	if err != nil {
		a.Call.Sayf("note     the address in %s was not told of %s: %v", to.Webhook, e.Event, err)
	}
}
