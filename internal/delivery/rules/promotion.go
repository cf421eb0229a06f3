// Package rules holds the rules by which a digest may enter an
// environment: its evidence passes the policy, it ran long enough in the
// environment before, nothing is frozen, and it is not older than what runs.
//
// Every rule gives a Reason that says what would make it pass. Trouble with a
// registry or with GitHub is an error, never a reason: it says nothing of the
// digest.
package rules

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
)

// Names of the rules beside those of the policy.
const (
	RuleOrder   = "order"
	RuleSoak    = "soak"
	RuleFreeze  = "freeze"
	RuleWindow  = "window"
	RuleForward = "forward"
)

// Relation of a commit to another.
type Relation string

// Relations that the source repository can answer with.
const (
	Newer    Relation = "newer"
	Older    Relation = "older" // an ancestor
	Same     Relation = "same"
	Diverged Relation = "diverged"
	Unknown  Relation = "unknown" // the repository cannot be read with this token
)

// Judge decides about digests. It verifies each digest once, so it can be
// asked about many places and again after a lost race.
type Judge struct {
	// Collect reads and verifies the evidence of a digest.
	Collect func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error)
	// Relate says how head relates to base in a source repository, OWNER/NAME;
	// nil when there is nobody to ask.
	Relate func(ctx context.Context, repository, base, head string) (Relation, error)
	// Health says what a status said of a deployment; nil when there is nobody to ask.
	Health Healths
	// Sources asks the other sources of health; nil when there is nobody to ask.
	Sources Sources
	// Verified says what the workflows found that verify deployments; nil when there is
	// nobody to ask.
	Verified Verifications
	// Server is the root of GitHub's pages; empty is https://github.com.
	Server string
	// Now is the clock.
	Now func() time.Time

	mu    sync.Mutex
	known map[imageref.Ref]*collected
	ranMu sync.Mutex
	ranAt map[string]togetherness
}

type collected struct {
	once     sync.Once
	evidence evidence.Evidence
	err      error
}

// Evidence is the verified evidence of a digest, collected once.
func (j *Judge) Evidence(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error) {
	j.mu.Lock()
	if j.known == nil {
		j.known = make(map[imageref.Ref]*collected)
	}
	c := j.known[ref]
	if c == nil {
		c = new(collected)
		j.known[ref] = c
	}
	j.mu.Unlock()
	c.once.Do(func() { c.evidence, c.err = j.Collect(ctx, ref) })
	return c.evidence, c.err
}

// Image judges a digest by the policy of an application in an environment.
func (j *Judge) Image(ctx context.Context, cfg *config.Config, app, env string, ref imageref.Ref) (evidence.Waybill, error) {
	policy, err := cfg.Policy(app, env)
	if err != nil {
		return evidence.Waybill{}, err
	}
	return j.By(ctx, policy, app, env, ref)
}

// By judges a digest by a policy.
func (j *Judge) By(ctx context.Context, policy evidence.Policy, app, env string, ref imageref.Ref) (evidence.Waybill, error) {
	policy.Server = j.Server
	collected, err := j.Evidence(ctx, ref)
	if err != nil {
		return evidence.Waybill{}, fmt.Errorf("verify %s: %w", ref, err)
	}
	w := evidence.NewWaybill(collected, policy, j.Now())
	w.App, w.Env = app, env
	return w, w.Undecided()
}

// Returning judges a digest that ran in the environment before by the same
// rules, but holds no scan against it: going back is for when what runs now is
// worse, and the scan of an older image is old.
func Returning(w evidence.Waybill) evidence.Waybill {
	reasons := append([]evidence.Reason(nil), w.Decision.Reasons...)
	for i, r := range reasons {
		if r.Rule == string(evidence.Scan) && r.State == evidence.Refused {
			reasons[i].State = evidence.Met
			reasons[i].Detail = "not held against going back: " + r.Detail
			reasons[i].Remedy = ""
		}
	}
	w.Decision = evidence.Decide(reasons...)
	return w
}

// Deployed is the waybill of what runs in a place. An image that is gone from
// the registry has an empty one: nothing is proven of it any more.
func (j *Judge) Deployed(ctx context.Context, cfg *config.Config, app, env string, ref imageref.Ref) (evidence.Waybill, error) {
	w, err := j.Image(ctx, cfg, app, env, ref)
	if registry.IsNotFound(err) {
		return evidence.Waybill{Image: ref, App: app, Env: env}, nil
	}
	return w, err
}

// Order wants the digest to have run in the environment before, and for the
// soak time of the one it enters. ran is when it did; zero when it never did.
func (j *Judge) Order(before config.Environment, env config.Environment, ran history.Period) []evidence.Reason {
	return j.order(before, env, ran, ran)
}

// order is Order, where only a part of the period soaks.
func (j *Judge) order(before, env config.Environment, ran, soaked history.Period) []evidence.Reason {
	if ran.Ref.IsZero() {
		return []evidence.Reason{{
			Rule: RuleOrder, State: evidence.Refused,
			Detail: fmt.Sprintf("has not run in %s, the environment before %s", before.Name, env.Name),
			Remedy: fmt.Sprintf("bring it to %s first", before.Name),
		}}
	}
	if ran.Alone != "" {
		return []evidence.Reason{{
			Rule: RuleOrder, State: evidence.Refused,
			Detail: fmt.Sprintf("ran in %s, and never together with %s", before.Name, ran.Alone),
			Remedy: fmt.Sprintf("let %s take all images that %s runs at one time, as waybill promote does", env.Name, before.Name),
		}}
	}
	detail := fmt.Sprintf("runs in %s since %s", before.Name, text.Time(ran.Since))
	if !ran.Until.IsZero() {
		detail = fmt.Sprintf("ran in %s from %s to %s", before.Name, text.Time(ran.Since), text.Time(ran.Until))
	}
	if ran.With != "" {
		detail += ", together with " + ran.With
	}
	reasons := []evidence.Reason{{Rule: RuleOrder, State: evidence.Met, Detail: detail}}
	if env.Soak > 0 {
		reasons = append(reasons, soak(before, env, soaked, j.Now()))
	}
	return reasons
}

func soak(before, env config.Environment, p history.Period, now time.Time) evidence.Reason {
	ran := p.Length(now)
	reason := evidence.Reason{
		Rule: RuleSoak, State: evidence.Met,
		Detail: fmt.Sprintf("%s in %s, %s asked", text.Duration(ran), before.Name, text.Duration(env.Soak)),
	}
	switch {
	case ran >= env.Soak:
	case p.Until.IsZero():
		reason.State, reason.Until = evidence.Pending, p.Since.Add(env.Soak)
		reason.Remedy = "passes " + text.Time(reason.Until)
	default:
		reason.State = evidence.Refused
		reason.Remedy = fmt.Sprintf("it no longer runs in %s; promote the digest that does", before.Name)
	}
	return reason
}

// Closed waits while the environment is frozen, and outside of its windows. It
// gives no reason when it is open.
func (j *Judge) Closed(env config.Environment) (reasons []evidence.Reason) {
	now := j.Now()
	if f, frozen := env.Frozen(now); frozen {
		reasons = append(reasons, evidence.Reason{
			Rule: RuleFreeze, State: evidence.Pending, Until: f.Until,
			Detail: fmt.Sprintf("%s is frozen: %s", env.Name, f.Reason), Remedy: "passes " + text.Time(f.Until),
		})
	}
	if opens := env.Opens(now); opens.After(now) {
		var windows []string
		for _, w := range env.Windows {
			windows = append(windows, w.String())
		}
		reasons = append(reasons, evidence.Reason{
			Rule: RuleWindow, State: evidence.Pending, Until: opens,
			Detail: fmt.Sprintf("%s takes promotions %s", env.Name, strings.Join(windows, ", ")), Remedy: "passes " + text.Time(opens),
		})
	}
	return reasons
}

// SignedAt is when the image was first signed by a signer that counts; zero
// when nobody vouches for a time.
func SignedAt(w evidence.Waybill) time.Time {
	var first time.Time
	for _, r := range w.Records {
		if r.Kind == evidence.Signature && !r.SignedAt.IsZero() && (first.IsZero() || r.SignedAt.Before(first)) {
			first = r.SignedAt
		}
	}
	return first
}

// Origin is OWNER/NAME@COMMIT that the image was built from, or empty.
func Origin(w evidence.Waybill) string {
	if w.Source.Repository == "" || w.Source.Commit == "" {
		return ""
	}
	return RepositoryPath(w.Source.Repository) + "@" + w.Source.Commit
}

// RepositoryPath cuts the server off a repository's URL.
func RepositoryPath(url string) string {
	_, rest, found := strings.Cut(url, "://")
	if !found {
		return url
	}
	_, path, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(path, ".git")
}
