package rules

import (
	"cmp"
	"context"
	"slices"
	"strings"

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
	// Set is what the application would run there after the move, the candidate among it:
	// what must have run together before. Not needed for an application of one image.
	Set history.Set
	// Beside are the applications of its group.
	Beside []Companion
}

// Companion is an application that enters an environment together with another.
type Companion struct {
	App config.App
	Set history.Set // that it would run there after the move
}

// Arriving are the applications of a group, each with what it would enter env with: what
// runs in the first environment before. Where that is not known, it is what runs in env.
func Arriving(cfg *config.Config, files map[string][]byte, app, env string) []Companion {
	moving := make(map[string]history.Set)
	group, _ := cfg.GroupOf(app, env)
	for _, name := range group.Apps {
		other, err := cfg.App(name)
		if err != nil {
			continue
		}
		for _, before := range cfg.Befores(other, env) {
			if places, err := history.ReadSet(files, other, before.Name); err == nil && places.Missing(other, before.Name) == "" {
				moving[name] = places.Set()
				break
			}
		}
	}
	return Companions(cfg, files, group, env, moving)
}

// Companions are the applications of a group that enter env together, by the files of a
// commit. What of them moves is in moving.
func Companions(
	cfg *config.Config, files map[string][]byte, group config.Group, env string, moving map[string]history.Set,
) (list []Companion) {
	for _, name := range group.Apps {
		other, _, err := cfg.Place(name, env)
		if err != nil || len(cfg.Befores(other, env)) == 0 {
			continue
		}
		set := moving[name]
		if set == nil {
			if places, err := history.ReadSet(files, other, env); err == nil {
				set = places.Set()
			}
		}
		list = append(list, Companion{App: other, Set: set})
	}
	return list
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
		return j.ran(ctx, repo, m, env)
	})
}

// ran is when the candidate ran in an environment together with the rest of its set.
func (j *Judge) ran(ctx context.Context, repo history.Reader, m Move, env string) (history.Period, error) {
	where := history.Where{Rev: m.Rev, App: m.App, Env: env}
	if m.App.Several() && slices.Contains(m.Set, m.Candidate.Image) {
		together, found, err := j.together(ctx, repo, where, m.Set)
		if err != nil {
			return history.Period{}, err
		}
		if found {
			together.Ref, together.With = m.Candidate.Image, m.others()
			return j.beside(ctx, repo, m, where, together)
		}
	}
	ran, found, err := history.Ran(ctx, repo, where, m.Candidate.Image)
	if err != nil || !found {
		return ran, err
	}
	if m.App.Several() {
		ran.Alone = cmp.Or(m.others(), "the others")
		return ran, nil
	}
	return j.beside(ctx, repo, m, where, ran)
}

// beside wants the other applications of the group to have run at one time with the
// candidate what they would run beside it.
func (j *Judge) beside(
	ctx context.Context, repo history.Reader, m Move, where history.Where, ran history.Period,
) (history.Period, error) {
	for _, other := range m.Beside {
		if other.App.Name == m.App.Name || !other.App.RunsIn(where.Env) { // the latter comes from elsewhere
			continue
		}
		if !other.Set.Runs() {
			ran.Alone = other.App.Name + " as " + m.Env.Name + " would run it"
			return ran, nil
		}
		its, found, err := j.together(ctx, repo, history.Where{Rev: where.Rev, App: other.App, Env: where.Env}, other.Set)
		if err != nil {
			return ran, err
		}
		if !found || !its.Overlaps(ran) {
			ran.Alone = other.App.Name + " " + other.Set.Short()
			return ran, nil
		}
	}
	return ran, nil
}

// together is history.Together, asked once: each application of a group asks for all the
// others.
func (j *Judge) together(ctx context.Context, repo history.Reader, where history.Where, set history.Set) (history.Period, bool, error) {
	key := strings.Join([]string{where.Rev, where.App.Name, where.App.Overlay(where.Env), where.Env, set.Key()}, "\n")
	j.ranMu.Lock()
	defer j.ranMu.Unlock()
	if known, asked := j.ranAt[key]; asked {
		return known.period, known.found, nil
	}
	period, found, err := history.Together(ctx, repo, where, set)
	if err == nil {
		if j.ranAt == nil {
			j.ranAt = make(map[string]togetherness)
		}
		j.ranAt[key] = togetherness{period, found}
	}
	return period, found, err
}

// togetherness is when a set ran, if it did.
type togetherness struct {
	period history.Period
	found  bool
}

// others names what would run beside the candidate.
func (m Move) others() string {
	var list []string
	for i, part := range m.App.Parts() {
		switch {
		case i < len(m.Set) && m.Set[i] == m.Candidate.Image:
		case i < len(m.Set) && !m.Set[i].IsZero():
			list = append(list, part.Part+" "+m.Set[i].Short())
		default:
			list = append(list, part.Part+", of which no digest is named")
		}
	}
	return strings.Join(list, ", ")
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
