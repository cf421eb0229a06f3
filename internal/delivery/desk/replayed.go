package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/replay"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// RuleReplay names the note about past deployments.
const RuleReplay = "replay"

// Bounds of what a check replays by itself; waybill replay has none.
const (
	replayPeriod = 30 * 24 * time.Hour
	replayPlaces = 100
	replayMost   = 50
)

// replayed says, where a change touches the rules, which past deployments the new
// rules would have stopped. It is a note: it holds up nothing, and neither does
// trouble with it.
func (d Desk) replayed(ctx context.Context, judge *rules.Judge, base, head string) ([]check.Finding, error) {
	tip, policy := d.rules(ctx, base), d.rules(ctx, head)
	if tip == nil || policy == nil || tip.SameRules(policy) {
		return nil, nil
	}
	places := 0
	for _, name := range tip.AppNames() {
		if app, err := tip.App(name); err == nil {
			places += len(app.Environments)
		}
	}
	note := check.Finding{File: config.FileName, Rule: RuleReplay, State: evidence.Met}
	if places > replayPlaces {
		note.Message = fmt.Sprintf("the rules change; waybill replay says which of the deployments so far they would have stopped "+
			"(not done here for more than %d places)", replayPlaces)
		return []check.Finding{note}, nil
	}
	snapshot, err := d.Repo.Snapshot(ctx, base)
	if err != nil {
		return nil, err
	}
	result, err := replay.Over(ctx, d.Repo, history.Tip{Snapshot: snapshot, Config: tip}, judge, replay.Request{
		Policy: policy, Period: replayPeriod, Now: judge.Now(), Most: replayMost,
	})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		note.Message = "the rules change, and what they would have stopped could not be found out: " + err.Error()
	case result.Judged == 0:
		return nil, nil
	default:
		note.Message = fmt.Sprintf(
			"these rules would newly have stopped %d of the last %s", result.Newly(), text.Count(result.Judged, "deployment"),
		)
		var by []string
		for _, rule := range slices.Sorted(maps.Keys(result.Rules)) {
			by = append(by, fmt.Sprintf("%s %d", rule, result.Rules[rule]))
		}
		if len(by) > 0 {
			note.Message += " (" + strings.Join(by, ", ") + "): waybill replay lists them"
		}
	}
	return []check.Finding{note}, nil
}

// rules is the configuration of a revision; nil where it cannot be read, which
// check says.
func (d Desk) rules(ctx context.Context, rev string) *config.Config {
	data, err := d.Repo.File(ctx, rev, config.FileName)
	if err != nil {
		return nil
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil {
		return nil
	}
	return cfg
}
