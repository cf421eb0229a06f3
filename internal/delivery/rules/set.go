package rules

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Entry is one image on its way into an environment. Its waybill holds the decision.
type Entry struct {
	Part    string // of an application of several images; otherwise empty
	Waybill evidence.Waybill

	At int // among the parts
}

// Entries are the images of one application that enter an environment at once: all of
// them, or none.
type Entries []Entry

// Proven judges each image of a set by the policy of the environment. The zero Refs of the
// set are left out.
func (j *Judge) Proven(ctx context.Context, m Move, set history.Set) (Entries, error) {
	var entries Entries
	for i, part := range m.App.Parts() {
		if i >= len(set) || set[i].IsZero() {
			continue
		}
		waybill, err := j.Image(ctx, m.Config, m.App.Name, m.Env.Name, set[i])
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{Part: part.Part, Waybill: waybill, At: i})
	}
	return entries, nil
}

// EnterAll asks the other rules of the environment for each image, where deployed runs
// now, and adds what they say to the decision on each.
func (j *Judge) EnterAll(ctx context.Context, repo history.Reader, m Move, deployed history.Set, entries Entries) error {
	m.Set = slices.Clone(deployed)
	for _, e := range entries {
		m.Set[e.At] = e.Waybill.Image
	}
	for i := range entries {
		e := &entries[i]
		m.Candidate, m.Deployed = e.Waybill, imageref.Ref{}
		if was := deployed[e.At]; history.Runs(was) {
			m.Deployed = was
		}
		reasons, err := j.Enter(ctx, repo, m)
		if err != nil {
			return err
		}
		if len(reasons) > 0 {
			e.Waybill.Decision = e.Waybill.Decision.And(evidence.Decide(reasons...))
		}
	}
	return nil
}

// Beside refuses a set beside which env would run an image of the application that its
// overlay does not name, and that the environment before does not run.
func Beside(env, before, image string) string {
	return fmt.Sprintf("%s: %s would run %s too, which its overlay does not name and %s does not run: take out what brings it there",
		RuleOrder, env, text.OneLine(image), before)
}

// Decision is that on all of them. What is said of every image is said once; what is said
// of one begins with its name.
func (e Entries) Decision() evidence.Decision {
	if len(e) == 1 {
		return e[0].Waybill.Decision
	}
	var reasons []evidence.Reason
	for _, entry := range e {
		for _, r := range entry.Waybill.Decision.Reasons {
			common := !slices.ContainsFunc(e, func(o Entry) bool { return !slices.Contains(o.Waybill.Decision.Reasons, r) })
			if !common {
				r.Detail = entry.Part + ": " + r.Detail
			}
			if !slices.Contains(reasons, r) {
				reasons = append(reasons, r)
			}
		}
	}
	return evidence.Decide(reasons...)
}

// Err turns a decision that is not "allowed" into an outcome error with the reasons for
// each image; nil when all are allowed.
func (e Entries) Err() error {
	said, state := "", evidence.Met
	for _, entry := range e {
		s := entry.Waybill.Decision.State()
		if s == evidence.Met {
			continue
		}
		if said != "" {
			said += "\n"
		}
		if said += entry.Waybill.Refusal(); state != evidence.Refused {
			state = s
		}
	}
	switch state {
	case evidence.Met:
		return nil
	case evidence.Pending:
		return outcome.Pendingf("%s", said)
	}
	return outcome.Refusedf("%s", said)
}

// Waybills are those of all images.
func (e Entries) Waybills() (list []evidence.Waybill) {
	for _, entry := range e {
		list = append(list, entry.Waybill)
	}
	return list
}

// Origins are what the images were built from, each once.
func (e Entries) Origins() (list []string) {
	for _, entry := range e {
		if origin := Origin(entry.Waybill); origin != "" && !slices.Contains(list, origin) {
			list = append(list, origin)
		}
	}
	return list
}

// Committed is when the oldest of the source commits was made, as far as that is signed.
func (e Entries) Committed() (first time.Time) {
	for _, entry := range e {
		if at := entry.Waybill.Source.CommittedAt; first.IsZero() || !at.IsZero() && at.Before(first) {
			first = at
		}
	}
	return first
}
