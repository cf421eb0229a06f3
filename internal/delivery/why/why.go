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
	// Images are the digests that would enter. Without any, those that run in the
	// environment before are meant.
	Images []imageref.Ref
	Branch string // of the config repository
}

// Result is what stands in the way, and what does not.
type Result struct {
	App      string            `json:"app"`
	Env      string            `json:"env"`
	From     string            `json:"from,omitempty"`  // the environment before; empty for the first
	Image    imageref.Ref      `json:"image"`           // that would enter; zero if nothing would
	Deployed imageref.Ref      `json:"deployed"`        // that runs there now
	Parts    []history.Moved   `json:"parts,omitempty"` // of an application with several images: each that would enter
	Group    string            `json:"group,omitempty"` // with which it enters
	Since    time.Time         `json:"since,omitzero"`  // when that came
	Source   string            `json:"source,omitempty"`
	Decision evidence.Decision `json:"decision"`
	Number   int               `json:"pullRequest,omitempty"` // that waits to be merged
	URL      string            `json:"url,omitempty"`
	Auto     bool              `json:"auto"` // whether the environment takes commits

	judged  bool        // whether the rules were asked; an error says why not
	moving  history.Set // what would enter and does not run there yet
	was     history.Set
	arrived bool // all that would enter runs there already
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
	asked := question{tip, app, req}
	result, err := asked.candidate(ctx, repo)
	if err != nil {
		return result, err
	}
	result.Auto = env.Promotion == config.Auto
	group, grouped := tip.Config.GroupOf(app.Name, env.Name)
	result.Group = group.Name
	if len(result.moving.Images()) == 0 {
		return result, nil
	}
	move := rules.Move{
		Config: tip.Config, Rev: tip.Commit, App: app, Env: env,
		Beside: rules.Companions(tip.Config, tip.Files, group, env.Name, nil),
	}
	if grouped && len(req.Images) == 0 {
		move.Beside = rules.Arriving(tip.Config, tip.Files, app.Name, env.Name)
	}
	entries, err := judge.Proven(ctx, move, result.moving)
	if err != nil {
		return result, err
	}
	if err := judge.EnterAll(ctx, repo, move, result.was, entries); err != nil {
		return result, err
	}
	result.judged = true
	result.Source, result.Decision = strings.Join(entries.Origins(), ", "), entries.Decision()
	if grouped && len(req.Images) == 0 {
		others, err := asked.others(ctx, repo, judge, group, move.Beside)
		if err != nil {
			return result, err
		}
		result.Decision = result.Decision.And(evidence.Decide(others...))
	}
	if forge == nil {
		return result, nil
	}
	branch := tip.Branch(env.Name, app.Name)
	if grouped {
		branch = tip.GroupBranch(env.Name, group.Name)
	}
	pull, err := forge.FindPull(ctx, branch, req.Branch)
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
func (q question) candidate(ctx context.Context, repo history.Reader) (Result, error) {
	result := Result{App: q.app.Name, Env: q.req.Env}
	now, err := history.ReadSet(q.Files, q.app, q.req.Env)
	if err != nil {
		return result, err
	}
	result.was = now.Set()
	if result.was.Runs() {
		result.Deployed = result.was.Only()
		period, found, err := history.Stands(ctx, repo, history.Where{Rev: q.Commit, App: q.app, Env: q.req.Env}, result.was)
		if err != nil {
			return result, err
		}
		if found {
			result.Since = period.Since.UTC()
		}
	}
	befores := q.Config.Befores(q.app, q.req.Env)
	if len(befores) == 0 && len(q.req.Images) == 0 {
		return result, outcome.Usagef("%s is the first environment, and takes what is bumped: name the digest with --image", q.req.Env)
	}
	if len(befores) > 0 {
		result.From = befores[0].Name
	}
	if len(q.req.Images) > 0 {
		asked, err := history.Named(q.app, q.req.Images)
		return result.with(q.app, now, asked), err
	}
	for _, before := range befores {
		from, err := history.ReadSet(q.Files, q.app, before.Name)
		if err != nil {
			return result, err
		}
		if from.Missing(q.app, before.Name) == "" {
			result.From = before.Name
			return result.with(q.app, now, from.Set()), nil
		}
	}
	return result, nil
}

// with is the answer about images that would enter.
func (r Result) with(app config.App, now history.Places, images history.Set) Result {
	if len(images) != len(now) {
		return r // they are not the application's
	}
	r.Image, r.moving = images.Only(), now.Lack(images)
	r.Parts = history.MovedParts(app, r.moving, r.was)
	r.arrived = len(images.Images()) > 0 && len(r.moving.Images()) == 0
	return r
}

// Text is the answer for a terminal.
func (r Result) Text() string {
	var out strings.Builder
	switch {
	case r.arrived:
		fmt.Fprintf(&out, "%s in %s since %s: there is nothing to wait for.\n", r.what("runs", "run"), r.Env, text.Time(r.Since))
		return out.String()
	case len(r.moving.Images()) == 0:
		fmt.Fprintf(&out, "Nothing runs in %s yet, so nothing can enter %s.\n", r.From, r.Env)
		return out.String()
	}
	what := r.what("", "")
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
		if r.Group != "" {
			what += ", with the group " + r.Group + ","
		}
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

// what names what would enter, with a verb for one image or for several.
func (r Result) what(one, several string) string {
	if !r.Image.IsZero() {
		return strings.TrimSpace(r.Image.Hex()[:8] + " " + one)
	}
	var list []string
	for _, p := range r.Parts {
		list = append(list, p.Part+" "+p.Image.Hex()[:8])
	}
	if len(list) == 0 {
		list = []string{"All images of " + r.App}
	}
	return strings.TrimSpace(strings.Join(list, ", ") + " " + several)
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
