package rules

import (
	"context"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Pull is an open pull request of the config repository.
type Pull struct {
	Number           int
	Title, Body, URL string
	Head             string // commit
}

// Commit is a source commit for people.
type Commit struct{ SHA, Subject, Author, URL string }

// Move is a digest that would enter an environment.
type Move struct {
	Config     *config.Config
	Rev        string // of the config repository that the move starts from
	App        config.App
	Env        config.Environment
	Candidate  evidence.Waybill
	Deployed   imageref.Ref // what runs there now; zero when nothing does
	AllowOlder bool
}

// Enter asks the rules of the environment beside the policy of the image:
// order and soak, holds, freeze, never backwards.
func (j *Judge) Enter(ctx context.Context, repo history.Reader, m Move) ([]evidence.Reason, error) {
	reasons, err := j.before(ctx, repo, m)
	if err != nil {
		return nil, err
	}
	deployed := evidence.Waybill{}
	if !m.Deployed.IsZero() && m.Deployed != m.Candidate.Image && !m.AllowOlder {
		if deployed, err = j.Deployed(ctx, m.Config, m.App.Name, m.Env.Name, m.Deployed); err != nil {
			return nil, err
		}
	}
	held, err := hold.Reasons(ctx, repo, hold.Entry{Rev: m.Rev, App: m.App, Env: m.Env.Name, Image: m.Candidate.Image})
	if err != nil {
		return nil, err
	}
	if m.Deployed != m.Candidate.Image {
		reasons = append(reasons, held...)
	}
	forward, err := j.Forward(ctx, deployed, m.Candidate, m.AllowOlder)
	if err != nil {
		return nil, err
	}
	return append(append(reasons, forward), j.Closed(m.Env)...), nil
}

// before asks for the environments before, in the history.
func (j *Judge) before(ctx context.Context, repo history.Reader, m Move) ([]evidence.Reason, error) {
	return j.Before(ctx, m.Config, m.App, m.Env, func(env string) (history.Period, error) {
		ran, _, err := history.Ran(ctx, repo, history.Where{Rev: m.Rev, App: m.App, Env: env}, m.Candidate.Image)
		return ran, err
	})
}

// Before asks for the environments before env: all of them, or the one that has
// the most to say for the digest where any is enough. ran says when the digest ran
// in one of them; a zero period is never.
func (j *Judge) Before(
	ctx context.Context, cfg *config.Config, app config.App, env config.Environment, ran func(env string) (history.Period, error),
) (reasons []evidence.Reason, err error) {
	best := evidence.Refused
	for i, before := range cfg.Befores(app, env.Name) {
		period, err := ran(before.Name)
		if err != nil {
			return nil, err
		}
		own, err := j.from(ctx, deployment{app: app, env: before, ran: period, soak: env.Soak}, env)
		if err != nil {
			return nil, err
		}
		state := evidence.Decide(own...).State()
		switch {
		case !env.Any:
			reasons = append(reasons, own...)
		case i == 0 || state == evidence.Met || state == evidence.Pending && best == evidence.Refused:
			reasons, best = own, state
		}
		if env.Any && best == evidence.Met {
			break
		}
	}
	return reasons, nil
}

// From asks one environment before env: whether the digest ran there, long enough,
// healthy, and verified.
func (j *Judge) From(
	ctx context.Context, app config.App, before, env config.Environment, ran history.Period,
) ([]evidence.Reason, error) {
	return j.from(ctx, deployment{app: app, env: before, ran: ran, soak: env.Soak}, env)
}

func (j *Judge) from(ctx context.Context, d deployment, env config.Environment) ([]evidence.Reason, error) {
	soaked, healths, err := j.healthy(ctx, d)
	if err != nil {
		return nil, err
	}
	verified, err := j.verified(ctx, d)
	if err != nil {
		return nil, err
	}
	return append(append(j.order(d.env, env, d.ran, soaked), healths...), verified...), nil
}

// Refusal turns a decision that is not "allowed" into an outcome error with
// the reason of every rule; nil when it is allowed.
func Refusal(d evidence.Decision, w evidence.Waybill) error {
	w.Decision = d
	switch d.State() {
	case evidence.Met:
		return nil
	case evidence.Pending:
		return outcome.Pendingf("%s", w.Refusal())
	default:
		return outcome.Refusedf("%s", w.Refusal())
	}
}
