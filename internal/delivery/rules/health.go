package rules

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// RuleHealth wants a digest to be healthy where it runs, before it goes on.
const RuleHealth = "health"

// Said is what was said last of a deployment by a source of health.
type Said struct {
	State       string    // success, pending, failure or error; empty if nothing was said
	Description string    // in the words of who said it
	By          string    // login; of a status alone
	Since       time.Time // when that began to be said without a break
	// Throughout is true if it was said for all of the time that was asked about, which
	// may be shorter than the deployment is old.
	Throughout bool
}

// Healths asks what was said of a deployment.
type Healths func(ctx context.Context, status string, period history.Period) (Said, error)

// Asked is a question to a source of health that is no status.
type Asked struct {
	Source config.Health
	App    config.App
	Env    string
	Ran    history.Period
	// Soak is how long it has to be healthy; nobody needs to look further back.
	Soak time.Duration
}

// Sources asks Argo CD and Prometheus. A source that cannot be asked here says so in a
// description, without a state. Trouble is an error.
type Sources func(ctx context.Context, asked Asked) (Said, error)

// deployment is a digest in an environment, which goes on to another.
type deployment struct {
	app  config.App
	env  config.Environment
	ran  history.Period
	soak time.Duration
}

// healthy asks for the health of a digest in an environment before, and gives the
// period in which it was healthy: that is what soaks.
func (j *Judge) healthy(ctx context.Context, d deployment) (history.Period, []evidence.Reason, error) {
	ran := d.ran
	if ran.Ref.IsZero() {
		return ran, nil, nil // order says so
	}
	var reasons []evidence.Reason
	for _, h := range d.env.Health {
		reason, since, err := j.asked(ctx, d, h)
		if err != nil {
			app, env := d.app.Name, d.env.Name
			return ran, nil, fmt.Errorf("ask %s for the health of %s in %s: %w", h.Name(app, env), app, env, err)
		}
		if reason.State == evidence.Met && since.After(ran.Since) {
			ran.Since = since
		}
		reasons = append(reasons, reason)
	}
	if !ran.Until.IsZero() && ran.Since.After(ran.Until) {
		ran.Since = ran.Until
	}
	return ran, reasons, nil
}

// Healthy asks for the health of a deployment.
func (j *Judge) Healthy(ctx context.Context, app config.App, env config.Environment, ran history.Period) ([]evidence.Reason, error) {
	_, reasons, err := j.healthy(ctx, deployment{app: app, env: env, ran: ran})
	return reasons, err
}

// asked is what one source says.
func (j *Judge) asked(ctx context.Context, d deployment, h config.Health) (reason evidence.Reason, since time.Time, err error) {
	said, err := j.said(ctx, d, h)
	if err != nil || said == nil {
		return evidence.Reason{
			Rule: RuleHealth, State: evidence.Pending, Detail: "nobody can be asked here for " + h.Name(d.app.Name, d.env.Name),
			Remedy: "name the repository on GitHub with --repo",
		}, time.Time{}, err
	}
	return said.reason(h, d), said.Since, nil
}

// said asks one source; nil where nobody can be asked.
func (j *Judge) said(ctx context.Context, d deployment, h config.Health) (*Said, error) {
	var said Said
	var err error
	switch {
	case h.IsStatus() && j.Health != nil:
		said, err = j.Health(ctx, h.For(d.app.Name, d.env.Name), d.ran)
	case !h.IsStatus() && j.Sources != nil:
		said, err = j.Sources(ctx, Asked{Source: h, App: d.app, Env: d.env.Name, Ran: d.ran, Soak: d.soak})
	default:
		return nil, nil
	}
	return &said, err
}

func (s Said) reason(h config.Health, d deployment) evidence.Reason {
	env, source := d.env.Name, h.Name(d.app.Name, d.env.Name)
	r := evidence.Reason{
		Rule: RuleHealth, State: evidence.Pending, Remedy: "passes when " + source + " says that the deployment is healthy",
	}
	if h.IsStatus() {
		source, r.Remedy = h.For(d.app.Name, env), "passes when "+source+" of the deployment is success"
	}
	words := ""
	if s.Description != "" {
		words = ": " + text.Cut(text.Line(s.Description), 300, "…")
	}
	switch {
	case s.State == "":
		r.Detail = fmt.Sprintf("%s has not said yet that it is healthy%s", env, words)
	case h.From != "" && !strings.EqualFold(h.From, s.By):
		r.Detail = fmt.Sprintf("%s was said last by %s, and only %s counts", source, s.By, h.From)
	case s.State != "success" && s.Since.IsZero():
		r.Detail = fmt.Sprintf("%s says %s%s", source, s.State, words)
	case s.State != "success":
		r.Detail = fmt.Sprintf("%s says %s since %s%s", source, s.State, text.Time(s.Since), words)
	case s.Throughout:
		r.State, r.Remedy = evidence.Met, ""
		r.Detail = fmt.Sprintf("healthy in %s, as %s says", env, source)
	default:
		r.State, r.Remedy = evidence.Met, ""
		r.Detail = fmt.Sprintf("healthy in %s since %s", env, text.Time(s.Since))
	}
	return r
}
