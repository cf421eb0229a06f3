package connect

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/desk"
	"github.com/waybill-dev/waybill/internal/delivery/notice"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/rollback"
	"github.com/waybill-dev/waybill/internal/door/webhook"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Bumped is what is told of a bump.
func Bumped(req bump.Request, r bump.Result, err error) (events []notice.Event) {
	e := notice.Event{App: req.App, Env: req.Env, Image: req.Image, Previous: r.Previous, Commit: r.Commit, Pull: r.Number, URL: req.Run}
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

// Promoted is what is told of promotions. A refusal is found again every hour, so it
// is told by the check of the pull request alone.
func Promoted(list []promote.Promotion, run string) (events []notice.Event) {
	for _, p := range list {
		e := notice.Event{
			App: p.App, Env: p.To, Image: p.Image, Previous: p.Previous, Commit: p.Commit, Pull: p.Number, URL: p.URL, Reason: p.Reason,
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
		App: req.App, Env: req.Env, Image: r.Image, Previous: r.Previous, Commit: r.Commit, Pull: r.Number, URL: r.URL, Reason: req.Reason,
		Event: config.EventRolledBack,
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
	if len(events) == 0 {
		return
	}
	data, err := repo.File(ctx, rev, config.FileName)
	if err != nil {
		return
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil || len(cfg.Notify) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, notifyWithin)
	defer cancel()
	for _, e := range events {
		if e.Repository, e.Path = repo.Title(a.Dir), repo.Path; repo.HasForge() {
			e.Repository = repo.GitHub.String()
		}
		for _, to := range cfg.Notify {
			if to.Wants(e.Event, e.Env) {
				a.tell(ctx, to, e)
			}
		}
	}
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
