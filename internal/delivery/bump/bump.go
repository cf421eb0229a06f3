// Package bump points one environment's overlay at a digest.
//
// The digest is verified before anything is written, the edit is one scalar for each
// image, and the commit is compare-and-swap: a writer that loses the race reads the
// new head, decides again whether the digest may still go there, and tries
// again. Nothing is ever written over a deployment that was not looked at.
package bump

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as bump uses it.
type Repository interface {
	history.Reader
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	Commit(ctx context.Context, r configrepo.Request) (string, error)
	Changed(ctx context.Context, from, to string) ([]string, error)
}

// Request is one digest for one place, or several of an application that has several
// images: they move by one commit.
type Request struct {
	Images     []imageref.Ref
	App, Env   string
	Branch     string
	AllowOlder bool
	Run        string // URL of the run that bumps, for the commit
	Repository string // OWNER/NAME of the config repository on GitHub, if it is there
	// Propose opens a pull request for the image, and is called where the first
	// environment of the application takes changes by pull request only. If nil,
	// such an environment is refused.
	Propose func(ctx context.Context) (Proposal, error)
}

// Proposal is the pull request of an image.
type Proposal struct {
	Number int // 0 in a local directory, where the branch alone is made
	URL    string
	Branch string
	State  string // what became of it: opened, updated, unchanged, current
}

// Result is what was done.
type Result struct {
	Decision string           `json:"decision"`           // allowed, refused or pending; empty if something broke
	Changed  bool             `json:"changed"`            // whether a commit was made
	Commit   string           `json:"commit,omitempty"`   // that holds the digest
	File     string           `json:"file,omitempty"`     // of the overlay
	Previous imageref.Ref     `json:"previous"`           // the digest that was deployed before
	Attempts int              `json:"attempts,omitempty"` // commits tried, lost races included
	Waybill  evidence.Waybill `json:"waybill,omitzero"`   // of the first digest
	// Of an application with several images: each that moves, and the waybill of each.
	Parts    []history.Moved    `json:"parts,omitempty"`
	Waybills []evidence.Waybill `json:"waybills,omitempty"`
	Answer   string             `json:"answer,omitempty"`      // of the config repository's run, if it was asked
	URL      string             `json:"url,omitempty"`         // of that run, or of the pull request
	Number   int                `json:"pullRequest,omitempty"` // of the pull request, where the environment takes those
	State    string             `json:"state,omitempty"`       // what became of the pull request
	Branch   string             `json:"branch,omitempty"`      // of the pull request
}

// Decide sets the decision by how the bump ended.
func (r *Result) Decide(err error) {
	r.Decision = map[int]string{outcome.Done: "allowed", outcome.Refused: "refused", outcome.Pending: "pending"}[outcome.Code(err)]
}

// Run verifies, edits and commits. A refusal or a wait is an outcome error
// that gives a reason per rule.
func Run(ctx context.Context, repo Repository, judge *rules.Judge, req Request) (result Result, err error) {
	var before *prepared
	attempts, err := history.Race(ctx, repo, func() (err error) {
		if head, holds, err := before.on(ctx, repo, req.Branch, judge.Now()); err != nil {
			return err
		} else if holds {
			result, err = before.land(ctx, repo, head)
			return err
		}
		result, before, err = once(ctx, repo, judge, req)
		return err
	})
	result.Attempts = attempts
	if errors.Is(err, configrepo.ErrMoved) {
		err = fmt.Errorf("bump %s in %s: %w", req.App, req.Env, err)
	}
	result.Decide(err)
	return result, err
}

// once decides and commits. What it has prepared is for a commit that loses the race.
func once(ctx context.Context, repo Repository, judge *rules.Judge, req Request) (Result, *prepared, error) {
	p, err := prepare(ctx, repo, judge, req)
	if err != nil || len(p.commit.Changes) == 0 {
		return p.result, nil, err
	}
	result, err := p.land(ctx, repo, p.tip.Commit)
	return result, &p, err
}

func prepare(ctx context.Context, repo Repository, judge *rules.Judge, req Request) (p prepared, err error) {
	if p.tip, err = history.ReadTip(ctx, repo, req.Branch); err != nil {
		return p, err
	}
	p.at = judge.Now()
	app, env, err := p.tip.Config.Place(req.App, req.Env)
	if err != nil {
		return p, err
	}
	p.app, p.env = app, env.Name
	to, err := history.Named(app, req.Images)
	if err == nil && len(req.Images) == 0 {
		err = outcome.Usagef("no digest is named for %s: give --image", app.Name)
	}
	if err != nil {
		return p, err
	}
	if env.Promotion != config.Auto && req.Propose != nil && len(p.tip.Config.Befores(app, env.Name)) == 0 {
		proposal, err := req.Propose(ctx)
		p.result = Result{Number: proposal.Number, URL: proposal.URL, Branch: proposal.Branch, State: proposal.State}
		return p, err
	}
	if env.Promotion != config.Auto {
		return p, outcome.Refusedf("%s takes changes by pull request only: use waybill promote, or set promotion: auto for it in %s",
			env.Name, config.FileName)
	}
	if p.change, err = history.Prepare(ctx, render.New(p.tip.Files), app, env.Name, to); err != nil {
		return p, err
	}
	places, err := history.ReadSet(p.tip.Files, app, env.Name)
	if err != nil {
		return p, err
	}
	p.result = Result{Commit: p.tip.Commit, File: path.Join(p.tip.Dir, places.File()), Previous: places.Set().Only()}
	p.result.Parts = history.MovedParts(app, to, places.Set())
	move := rules.Move{Config: p.tip.Config, Rev: p.tip.Commit, App: app, Env: env, AllowOlder: req.AllowOlder, Set: places.Set()}
	group, _ := p.tip.Config.GroupOf(app.Name, env.Name)
	move.Beside = rules.Companions(p.tip.Config, p.tip.Files, group, env.Name, nil)
	entries, err := p.result.decide(ctx, repo, judge, move, to)
	if err != nil || len(p.change.Edits) == 0 {
		return p, err
	}
	if err := entries.Err(); err != nil {
		return p, err
	}
	err = outcome.Join(req.notOfItself(ctx, repo, p.tip, entries), p.besides(ctx, app, env.Name, places.Set().With(to)))
	if err != nil {
		return p, err
	}
	p.commit = configrepo.Request{
		Branch: req.Branch, Changes: []configrepo.Change{{Path: places.File(), Content: p.change.After}},
		Message: history.Message{
			Verb: history.Bump, Apps: []string{app.Name}, Env: env.Name, Images: to.Images(), Previous: places.Set().At(to),
			Sources: entries.Origins(), Committed: entries.Committed(), Run: req.Run,
			Reason: reason(entries) + rules.OrderOf(entries.Decision()),
		}.String(),
	}
	return p, nil
}

// besides refuses a set beside which something else would bring an image of the application
// into the place.
func (p prepared) besides(ctx context.Context, app config.App, env string, set history.Set) error {
	on := render.New(p.tip.Files).With(p.change.Place.File, p.change.After)
	for _, before := range p.tip.Config.Befores(app, env) {
		image, err := history.Kept(ctx, on, history.Entry{App: app, From: before.Name, To: env, Set: set, Config: p.tip.Config})
		if err != nil {
			return err
		}
		if image != "" {
			return outcome.Refusedf("%s", rules.Beside(env, before.Name, image))
		}
	}
	return nil
}

// notOfItself refuses an image that was built from a commit of Waybill's in this very
// repository. Its source is as it was before: if the image entered, its commit would
// start the next build, and so on for ever.
func (r Request) notOfItself(ctx context.Context, repo Repository, tip history.Tip, entries rules.Entries) error {
	for _, origin := range entries.Origins() {
		commit, ours := strings.CutPrefix(origin, r.Repository+"@")
		if !ours {
			continue
		}
		made, err := repo.Log(ctx, commit, "", 1)
		switch {
		case errors.Is(err, configrepo.ErrNotFound):
			continue
		case err != nil:
			return fmt.Errorf("look whether Waybill made the commit %s: %w", text.Commit(commit), err)
		case len(made) == 0 || history.Trailer(made[0].Message, history.TrailerVerb) == "":
			continue
		}
		return outcome.Refusedf("%s is built from commit %s, by which Waybill itself deployed: nothing of the source is new, and its own "+
			"commit would start the next build. Let the workflow that delivers ignore the configuration: on.push.paths-ignore: [%q]",
			history.Set(r.Images).Short(), text.Commit(commit), path.Join(tip.Dir, "**"))
	}
	return nil
}

// decide asks every rule, where the set of the move runs now. A digest that stands there already is verified too:
// what bump answers for is that it may run there.
func (r *Result) decide(
	ctx context.Context, repo Repository, judge *rules.Judge, move rules.Move, to history.Set,
) (rules.Entries, error) {
	entries, err := judge.Proven(ctx, move, to)
	if err != nil {
		return nil, err
	}
	defer func() { r.keep(move.App, entries) }()
	if err := entries.Err(); err != nil {
		return nil, err // the other rules rest on what is proven
	}
	return entries, judge.EnterAll(ctx, repo, move, move.Set, entries)
}

// keep puts what was judged into the result.
func (r *Result) keep(app config.App, entries rules.Entries) {
	if len(entries) == 0 {
		return
	}
	if r.Waybill = entries[0].Waybill; app.Several() {
		r.Waybills = entries.Waybills()
	}
}

func reason(entries rules.Entries) string {
	why := "The evidence of the digest passes the policy."
	if len(entries) > 1 {
		why = "The evidence of each digest passes the policy."
	}
	for _, e := range entries {
		origin := rules.Origin(e.Waybill)
		if origin == "" {
			continue
		}
		built := " Built from "
		if e.Part != "" {
			built = " " + e.Part + " is built from "
		}
		why += built + origin
		if e.Waybill.RunURL != "" {
			why += " by " + e.Waybill.RunURL
		}
		why += "."
	}
	return why
}
