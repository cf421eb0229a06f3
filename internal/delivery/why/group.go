package why

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// RuleGroup is what another application of a group has to meet first.
const RuleGroup = "group"

// others says which applications of the group hold up the one that is asked about: none
// enters while another may not.
func (q question) others(
	ctx context.Context, repo history.Reader, judge *rules.Judge, group config.Group, beside []rules.Companion,
) (reasons []evidence.Reason, err error) {
	for _, name := range group.Apps {
		app, env, err := q.Config.Place(name, q.req.Env)
		if err != nil || name == q.app.Name || len(q.Config.Befores(app, q.req.Env)) == 0 {
			continue
		}
		other, err := question{q.Tip, app, Request{App: name, Env: env.Name}}.candidate(ctx, repo)
		if err != nil {
			return nil, fmt.Errorf("look at %s, which is in the group %s too: %w", name, group.Name, err)
		}
		reason := evidence.Reason{
			Rule: RuleGroup, State: evidence.Pending, Remedy: fmt.Sprintf("waybill why %s %s says more", name, env.Name),
		}
		switch {
		case other.arrived:
			continue
		case len(other.moving.Images()) == 0:
			reason.Detail = fmt.Sprintf("%s enters %s at the same time, and runs nothing in %s yet", name, env.Name, other.From)
		default:
			move := rules.Move{Config: q.Config, Rev: q.Commit, App: app, Env: env, Beside: beside}
			entries, err := judge.Proven(ctx, move, other.moving)
			if err != nil {
				return nil, err
			}
			if err := judge.EnterAll(ctx, repo, move, other.was, entries); err != nil {
				return nil, err
			}
			if reason.State = entries.Decision().State(); reason.State == evidence.Met {
				continue
			}
			reason.Detail = fmt.Sprintf("%s enters %s at the same time, and may not yet: %s", name, env.Name, first(entries.Decision()))
		}
		reasons = append(reasons, reason)
	}
	return reasons, nil
}

// first is the first rule that is not met.
func first(d evidence.Decision) string {
	for _, r := range d.Reasons {
		if r.State == d.State() {
			return r.Rule + ": " + r.Detail
		}
	}
	return ""
}
