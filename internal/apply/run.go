package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/terraform"
)

// States that a root can be left in.
const (
	Applied   = "applied"
	Unchanged = "unchanged" // the plan changes nothing
	Failed    = "failed"
	Untouched = "untouched" // an earlier root failed
)

// RootResult is what became of one root.
type RootResult struct {
	Dir    string   `json:"dir"`
	State  string   `json:"state"`
	Serial uint64   `json:"serial"`           // of the state afterwards
	Done   []string `json:"done,omitempty"`   // addresses that were changed
	Failed []string `json:"failed,omitempty"` // addresses that were not
	Reason string   `json:"reason,omitempty"`
}

// Run applies the plans in their order and stops at the first that fails. What
// it returns beside an error says how far it came.
func (a *Applier) Run(ctx context.Context) ([]RootResult, error) {
	var results []RootResult
	var failed error
	for i, root := range a.roots {
		result := RootResult{Dir: root.record.Dir, Serial: root.record.Serial, State: Untouched}
		switch {
		case failed != nil:
		case !a.Summaries[i].Changes():
			result.State = Unchanged
		default:
			if err := a.apply(ctx, root, &result); err != nil {
				failed = err
			}
		}
		results = append(results, result)
	}
	return results, failed
}

func (a *Applier) apply(ctx context.Context, root root, result *RootResult) error {
	started := make(map[string]bool)
	err := root.tf.Apply(ctx, root.file, func(e terraform.Event) {
		switch e.Type {
		case "apply_start":
			started[e.Address] = true
		case "apply_complete":
			delete(started, e.Address)
			result.Done = append(result.Done, a.secrets.Redact(e.Address+": "+e.Action))
		case "apply_errored":
			delete(started, e.Address)
			result.Failed = append(result.Failed, a.secrets.Redact(e.Address+": "+e.Action))
		case "outputs", "version", "planned_change":
			return
		}
		a.say(root.record.Dir, e)
	})
	for address := range started {
		result.Failed = append(result.Failed, a.secrets.Redact(address)+": begun, and how it ended is not known")
	}
	// Also after an interrupt: the state says what was reached.
	if state, stateErr := root.tf.State(context.WithoutCancel(ctx)); stateErr == nil {
		result.Serial = state.Serial
	}
	if err == nil {
		result.State = Applied
		return nil
	}
	err = a.secrets.Error(err)
	result.State, result.Reason = Failed, err.Error()
	switch {
	case terraform.IsReason(err, terraform.Stale):
		result.State = Untouched
		return outcome.Refusedf("%s: the state has moved on since the plan was made: plan again: %w", root.record.Dir, err)
	case terraform.IsReason(err, terraform.Locked):
		result.State = Untouched
		return outcome.Refusedf("%s: somebody else holds the state's lock: another apply may be running: %w", root.record.Dir, err)
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: interrupted: %w", root.record.Dir, err)
	}
	return fmt.Errorf("%s: %w", root.record.Dir, err)
}

// say writes a line of progress: without secrets, and such that the runner
// takes no command from it.
func (a *Applier) say(dir string, e terraform.Event) {
	if a.r.Words == nil || e.Message == "" {
		return
	}
	for line := range strings.SplitSeq(a.secrets.Redact(e.Message), "\n") {
		// The directory in front keeps the runner from seeing a command.
		fmt.Fprintf(a.r.Words, "%s  %s\n", dir, terraform.Printable(line))
	}
}

// Report says in words what was reached, and how to go on.
func Report(results []RootResult) string {
	var lines []string
	broken := false
	for _, r := range results {
		line := r.Dir + ": " + r.State
		if len(r.Done) > 0 {
			line += fmt.Sprintf(", %d done", len(r.Done))
		}
		if len(r.Failed) > 0 {
			line += ", not done: " + strings.Join(r.Failed, ", ")
		}
		if r.State == Failed {
			broken = true
			line += fmt.Sprintf("; the state is at serial %d", r.Serial)
		}
		lines = append(lines, line)
	}
	if broken {
		lines = append(lines, "what was done is in the state; nothing is undone. The sealed plan is kept, but no longer fits: plan again, and approve what is left")
	}
	return strings.Join(lines, "\n")
}
