// Package why explains what stands between a digest and an environment.
//
// It asks every rule that promote and bump ask and changes nothing, so that its
// answer is theirs. What people decide (a review, a merge) it can only name: the
// pull request that waits for them.
package why

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
	visible "github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as why reads it.
type Repository interface {
	history.Reader
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
}

// Forge finds the pull request that would bring the digest.
type Forge interface {
	FindPull(ctx context.Context, branch, base string) (*rules.Pull, error)
}

// Request is one place, and the digest that is asked about.
type Request struct {
	App, Env string
	// Image is the digest that would enter. If zero, the one that runs in the
	// environment before is meant.
	Image  imageref.Ref
	Branch string // of the config repository
}

// Result is what stands in the way, and what does not.
type Result struct {
	App      string            `json:"app"`
	Env      string            `json:"env"`
	From     string            `json:"from,omitempty"` // the environment before; empty for the first
	Image    imageref.Ref      `json:"image"`          // that would enter; zero if nothing would
	Deployed imageref.Ref      `json:"deployed"`       // that runs there now
	Since    time.Time         `json:"since,omitzero"` // when that came
	Source   string            `json:"source,omitempty"`
	Decision evidence.Decision `json:"decision"`
	Number   int               `json:"pullRequest,omitempty"` // that waits to be merged
	URL      string            `json:"url,omitempty"`
	Auto     bool              `json:"auto"` // whether the environment takes commits

	judged bool // whether the rules were asked; an error says why not
}

// Explain asks every rule of the place about the digest. forge may be nil.
func Explain(ctx context.Context, repo Repository, judge *rules.Judge, forge Forge, req Request) (Result, error) {
	tip, err := history.ReadTip(ctx, repo, req.Branch)
	if err != nil {
		return Result{}, err
	}
	app, env, err := tip.Config.Place(req.App, req.Env)
	if err != nil {
		return Result{}, err
	}
	result, err := question{tip, app, req}.candidate(ctx, repo)
	if err != nil {
		return result, err
	}
	result.Auto = env.Promotion == config.Auto
	if !history.Runs(result.Image) || result.Image == result.Deployed {
		return result, nil
	}
	waybill, err := judge.Image(ctx, tip.Config, app.Name, env.Name, result.Image)
	if err != nil {
		return result, err
	}
	reasons, err := judge.Enter(ctx, repo, rules.Move{
		Config: tip.Config, Rev: tip.Commit, App: app, Env: env, Candidate: waybill, Deployed: result.Deployed,
	})
	if err != nil {
		return result, err
	}
	result.judged = true
	result.Source, result.Decision = rules.Origin(waybill), waybill.Decision.And(evidence.Decide(reasons...))
	if forge == nil {
		return result, nil
	}
	pull, err := forge.FindPull(ctx, tip.Branch(env.Name, app.Name), req.Branch)
	if err == nil && pull != nil {
		result.Number, result.URL = pull.Number, pull.URL
	}
	return result, err
}

// question is what is asked about an application, at a snapshot.
type question struct {
	history.Tip
	app config.App
	req Request
}

// candidate finds what runs in the place and what would enter it.
func (q question) candidate(ctx context.Context, repo Repository) (Result, error) {
	result := Result{App: q.app.Name, Env: q.req.Env, Image: q.req.Image}
	now, err := history.Read(q.Files, q.app, q.req.Env)
	if err != nil {
		return result, err
	}
	if history.Runs(now.Ref) {
		result.Deployed = now.Ref
		period, found, err := history.Find(ctx, repo, history.Where{Rev: q.Commit, App: q.app, Env: q.req.Env}, now.Ref)
		if err != nil {
			return result, err
		}
		if found {
			result.Since = period.Since.UTC()
		}
	}
	befores := q.Config.Befores(q.app, q.req.Env)
	if len(befores) == 0 {
		if q.req.Image.IsZero() {
			return result, outcome.Usagef("%s is the first environment, and takes what is bumped: name the digest with --image", q.req.Env)
		}
		return result, nil
	}
	result.From = befores[0].Name
	for _, before := range befores {
		if !result.Image.IsZero() {
			break
		}
		from, err := history.Read(q.Files, q.app, before.Name)
		if err != nil {
			return result, err
		}
		if from.Tag == "" && history.Runs(from.Ref) {
			result.From, result.Image = before.Name, from.Ref
		}
	}
	return result, nil
}

// Text is the answer for a terminal.
func (r Result) Text() string {
	var out strings.Builder
	switch {
	case r.Image.IsZero():
		fmt.Fprintf(&out, "Nothing runs in %s yet, so nothing can enter %s.\n", r.From, r.Env)
		return out.String()
	case r.Image == r.Deployed:
		fmt.Fprintf(&out, "%s runs in %s since %s: there is nothing to wait for.\n", r.Image.Hex()[:8], r.Env, text.Time(r.Since))
		return out.String()
	}
	what := r.Image.Hex()[:8]
	if r.Source != "" {
		what += " (" + r.Source + ")"
	}
	if r.From != "" {
		what += " of " + r.From
	}
	waits := r.waits()
	if !r.judged {
		fmt.Fprintf(&out, "Nobody can say now whether %s may enter %s: its evidence or its rules could not be read.\n", what, r.Env)
		return out.String()
	}
	if len(waits) == 0 {
		fmt.Fprintf(&out, "%s may enter %s: %s.\n", what, r.Env, r.next())
		return out.String()
	}
	fmt.Fprintf(&out, "%s is not in %s:\n", what, r.Env)
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, w := range waits {
		fmt.Fprintf(table, "  %s\t%s\n", w[0], w[1])
		if w[2] != "" {
			fmt.Fprintf(table, "  \t→ %s\n", w[2])
		}
	}
	if r.Number != 0 {
		fmt.Fprintf(table, "  pull request\t#%d is open for it: %s\n", r.Number, r.URL)
	}
	table.Flush()
	return out.String()
}

// waits are the rules that are not met: name, what they found, what would do.
func (r Result) waits() (list [][3]string) {
	for _, reason := range r.Decision.Reasons {
		if reason.State != evidence.Met {
			list = append(list, [3]string{reason.Rule, visible.Visible(reason.Detail, ""), visible.Visible(reason.Remedy, "")})
		}
	}
	return list
}

func (r Result) next() string {
	switch {
	case r.Number != 0:
		return fmt.Sprintf("merge #%d (%s)", r.Number, r.URL)
	case r.From == "":
		return "run waybill bump"
	}
	return "run waybill promote"
}
