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

// Said is what was said last of a deployment under a status's name.
type Said struct {
	State       string    // success, pending, failure or error; empty if nothing was said
	Description string    // in the words of who said it
	By          string    // login
	Since       time.Time // when that began to be said without a break
}

// Healths asks what was said of a deployment.
type Healths func(ctx context.Context, status string, period history.Period) (Said, error)

// healthy asks for the health of a digest in an environment before, and gives the
// period in which it was healthy: that is what soaks.
func (j *Judge) healthy(
	ctx context.Context, app string, env config.Environment, ran history.Period,
) (history.Period, []evidence.Reason, error) {
	if ran.Ref.IsZero() {
		return ran, nil, nil // order says so
	}
	var reasons []evidence.Reason
	for _, h := range env.Health {
		status := h.For(app, env.Name)
		if j.Health == nil {
			reasons = append(reasons, evidence.Reason{
				Rule: RuleHealth, State: evidence.Pending, Detail: "nobody can be asked here for the status " + status,
				Remedy: "name the repository on GitHub with --repo",
			})
			continue
		}
		said, err := j.Health(ctx, status, ran)
		if err != nil {
			return ran, nil, fmt.Errorf("ask for the health of %s in %s: %w", app, env.Name, err)
		}
		reason := said.reason(h, env.Name, status)
		if reason.State == evidence.Met && said.Since.After(ran.Since) {
			ran.Since = said.Since
		}
		reasons = append(reasons, reason)
	}
	if !ran.Until.IsZero() && ran.Since.After(ran.Until) {
		ran.Since = ran.Until
	}
	return ran, reasons, nil
}

func (s Said) reason(h config.Health, env, status string) evidence.Reason {
	r := evidence.Reason{
		Rule: RuleHealth, State: evidence.Pending, Remedy: "passes when the status " + status + " of the deployment is success",
	}
	switch {
	case s.State == "":
		r.Detail = fmt.Sprintf("%s has not said yet that it is healthy", env)
	case h.From != "" && !strings.EqualFold(h.From, s.By):
		r.Detail = fmt.Sprintf("%s was said last by %s, and only %s counts", status, s.By, h.From)
	case s.State != "success":
		r.Detail = fmt.Sprintf("%s says %s since %s", status, s.State, text.Time(s.Since))
		if s.Description != "" {
			r.Detail += ": " + text.Cut(text.Line(s.Description), 140, "…")
		}
	default:
		r.State, r.Remedy = evidence.Met, ""
		r.Detail = fmt.Sprintf("healthy in %s since %s", env, text.Time(s.Since))
	}
	return r
}
