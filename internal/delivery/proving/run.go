package proving

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as finding deployments uses it.
type Repository interface {
	history.Reader
	ReadNewest(ctx context.Context, rev string, paths []string) error
}

// Request says of which deployments to look at the verifications.
type Request struct {
	Tip   history.Tip
	Judge *rules.Judge // asks for their health
	Wants func(app, env string) bool
}

// most is how many runs one command starts; the next one starts the others.
const most = 50

// Run starts what has to be started, and writes down how runs ended. What could not be
// done for one deployment keeps no other one from being verified.
func (p *Prover) Run(ctx context.Context, repo Repository, req Request) error {
	list, err := p.deployments(ctx, repo, req)
	if err != nil || len(list) == 0 {
		return err
	}
	commits := make(map[string]bool)
	for _, v := range list {
		commits[v.ran.Commit] = true
	}
	latest, err := p.API.StatusesOf(ctx, p.Repository, slices.Sorted(maps.Keys(commits)))
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.latest = make(map[string][]github.Status)
	for commit := range commits {
		p.latest[commit] = latest[commit]
	}
	p.mu.Unlock()
	var problems []error
	started := 0
	for _, v := range list {
		begun, err := p.one(ctx, req, v, started < most)
		if begun {
			started++
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("verify %s in %s by %s: %w", v.app, v.env, v.Workflow, err))
		}
	}
	return outcome.Join(problems...)
}

// deployments are those that run now, where workflows verify them.
func (p *Prover) deployments(ctx context.Context, repo Repository, req Request) (list []verification, err error) {
	type running struct {
		app   config.App
		env   config.Environment
		place history.Where
	}
	var places []running
	var files []string
	for _, env := range req.Tip.Config.Environments {
		for _, name := range req.Tip.Config.AppNames() {
			app, _, err := req.Tip.Config.Place(name, env.Name)
			if len(env.Verify) == 0 || err != nil || !req.Wants(name, env.Name) {
				continue
			}
			now, err := history.ReadSet(req.Tip.Files, app, env.Name)
			if err == nil && now.Missing(app, env.Name) == "" {
				places = append(places, running{app, env, history.Where{Rev: req.Tip.Commit, App: app, Env: env.Name}})
				files = append(files, now.File())
			}
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	files = append(files, config.FileName) // which says since when these are places
	if err := repo.ReadNewest(ctx, req.Tip.Commit, files); err != nil {
		return nil, err
	}
	for _, at := range places {
		now, err := history.ReadSet(req.Tip.Files, at.app, at.env.Name)
		if err != nil {
			return nil, err
		}
		ran, found, err := history.Stands(ctx, repo, at.place, now.Set())
		if err != nil {
			return nil, err
		}
		for _, v := range at.env.Verify {
			if found && ran.Until.IsZero() {
				list = append(list, verification{v, at.app.Name, at.env.Name, ran.Of(now.Set()[0])})
			}
		}
	}
	return list, nil
}

// one looks at one verification. begun reports whether a run was started, or tried to.
func (p *Prover) one(ctx context.Context, req Request, v verification, mayStart bool) (begun bool, err error) {
	f, err := p.find(ctx, v)
	if err != nil {
		return false, err
	}
	if !f.start {
		return false, p.write(ctx, v, f)
	}
	if !mayStart {
		return false, nil
	}
	app, env, err := req.Tip.Config.Place(v.app, v.env)
	if err != nil {
		return false, err
	}
	reasons, err := req.Judge.Healthy(ctx, app, env, v.ran)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(reasons, func(r evidence.Reason) bool { return r.State != evidence.Met }) {
		return false, nil // its turn comes once it is healthy
	}
	if p.Dry {
		p.Say("would start %s for %s in %s", v.Workflow, v.app, v.env)
		return false, nil
	}
	return true, p.start(ctx, v, f.attempts+1)
}

// write keeps how a run ended, once.
func (p *Prover) write(ctx context.Context, v verification, f finding) error {
	state := map[string]string{rules.VerifyPassed: "success", rules.VerifyFailed: "failure", rules.VerifyRunning: "pending"}[f.State]
	if f.status == nil || f.URL == "" || state == "" || state == f.status.State || p.Dry {
		return nil
	}
	words := map[string]string{"success": "has succeeded", "failure": "has failed", "pending": "runs again"}[state]
	p.Say("verify   %s %s for %s in %s: %s", v.Workflow, words, v.app, v.env, f.URL)
	return p.set(ctx, v, github.Status{State: state, Description: v.Workflow + " " + words + more(f.Said), TargetURL: f.URL})
}

func more(said string) string {
	if said == "" {
		return ""
	}
	return ": " + text.OneLine(said)
}

// start starts a run, unless somebody else does.
func (p *Prover) start(ctx context.Context, v verification, attempt int) error {
	mine, err := p.API.CreateRef(ctx, p.Repository, p.reference(v, attempt), v.ran.Commit)
	if err != nil {
		return err
	}
	about := github.Status{State: "pending", Description: fmt.Sprintf("attempt %d: about to start %s", attempt, v.Workflow)}
	if err := p.set(ctx, v, about); err != nil || !mine {
		return err // who made the reference starts it, or it counts as lost in an hour
	}
	ref := v.Ref
	if ref == "" {
		ref = p.Branch
	}
	inputs := v.For(v.app, v.env)
	inputs["app"], inputs["env"], inputs["image"], inputs["commit"] = v.app, v.env, imageref.Lines(v.ran.Set), v.ran.Commit
	started, err := p.API.DispatchRun(ctx, p.Repository, v.Workflow, ref, inputs)
	if err == nil && started.ID == 0 {
		err = fmt.Errorf("the server does not say which run it has started: leave verify out, and let the workflow set a status that " +
			"health names")
	}
	if err != nil {
		said := fmt.Sprintf("attempt %d: %s could not be started: %v", attempt, v.Workflow, err)
		return outcome.Join(err, p.set(ctx, v, github.Status{State: "error", Description: said}))
	}
	p.Say("verify   %s runs for %s in %s: %s", v.Workflow, v.app, v.env, started.URL)
	runs := github.Status{State: "pending", Description: v.Workflow + " runs", TargetURL: p.page(started.ID)}
	if err := p.set(ctx, v, runs); err != nil {
		return err
	}
	return p.tidy(ctx, v)
}

// page is the address of a run, as runOf reads it.
func (p *Prover) page(id int64) string {
	return fmt.Sprintf("%s/%s/actions/runs/%d", p.API.ServerURL(), p.Repository, id)
}

// set sets the status of a verification. What is known of the commit is stale from then on.
func (p *Prover) set(ctx context.Context, v verification, s github.Status) error {
	s.Context = p.context(v)
	p.mu.Lock()
	delete(p.latest, v.ran.Commit)
	delete(p.known, v.ran.Commit+" "+s.Context)
	p.mu.Unlock()
	return p.API.SetStatus(ctx, p.Repository, v.ran.Commit, s)
}

// tidy takes the references of earlier deployments away: their statuses remember them.
func (p *Prover) tidy(ctx context.Context, v verification) error {
	names, err := p.API.RefsBelow(ctx, p.Repository, p.references(v))
	if err != nil {
		return err
	}
	for _, name := range names {
		below := strings.TrimPrefix(name, p.references(v))
		if commit, _, one := strings.Cut(below, "/"); !one || commit == v.ran.Commit || strings.Count(below, "/") != 1 {
			continue
		}
		if err := p.API.DeleteRef(ctx, p.Repository, name); err != nil && !github.IsStatus(err, 422) {
			return err
		}
	}
	return nil
}
