package promote

import (
	"context"
	"maps"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// candidate is what an application would move into an environment, with everything that
// is known of it.
type candidate struct {
	move
	at          int         // among the results of its trip
	base        string      // commit the change is made on
	moving, was history.Set // images that move, and all that run there now
	change      history.Change
	items       []item
	decision    evidence.Decision
}

// item is one image of a candidate.
type item struct {
	move
	part     string // of an application with several images
	previous imageref.Ref
	waybill  evidence.Waybill // with the decision of all rules
	deployed evidence.Waybill // zero when nothing proven runs there
}

// judgeAll decides whether each candidate of a load may make its move.
func (p *Promoter) judgeAll(ctx context.Context, now view, l *load, req Request) error {
	beside := make(map[string]history.Set)
	for _, c := range l.list {
		beside[c.app.Name] = c.was.With(c.moving)
	}
	group, _ := now.Config.GroupOf(l.list[0].app.Name, l.to.Name)
	companions := rules.Companions(now.Config, now.Files, group, l.to.Name, beside)
	for i := range l.list {
		c := &l.list[i]
		move := rules.Move{Config: now.Config, Rev: now.Commit, App: c.app, Env: c.to, AllowOlder: req.AllowOlder}
		move.Beside = companions
		if err := p.judge(ctx, c, move); err != nil {
			return err
		}
	}
	return nil
}

// judge decides whether the candidate may make the move.
func (p *Promoter) judge(ctx context.Context, c *candidate, move rules.Move) error {
	entries, err := p.Judge.Proven(ctx, move, c.moving)
	if err != nil {
		return err
	}
	if err := p.Judge.EnterAll(ctx, p.Repo, move, c.was, entries); err != nil {
		return err
	}
	for _, e := range entries {
		one := item{move: c.move, part: e.Part, previous: c.was[e.At], waybill: e.Waybill}
		if history.Runs(one.previous) {
			if one.deployed, err = p.Judge.Deployed(ctx, move.Config, move.App.Name, move.Env.Name, one.previous); err != nil {
				return err
			}
		}
		c.items = append(c.items, one)
	}
	c.decision = entries.Decision()
	return nil
}

// entries are the images of the candidate with the decisions on them.
func (c candidate) entries() (entries rules.Entries) {
	for _, i := range c.items {
		entries = append(entries, rules.Entry{Part: i.part, Waybill: i.waybill})
	}
	return entries
}

// decision is that on the whole load. What is said of every application is said once.
func (l load) decision() evidence.Decision {
	if len(l.list) == 1 {
		return l.list[0].decision
	}
	var entries rules.Entries
	for _, c := range l.list {
		entries = append(entries, rules.Entry{Part: c.app.Name, Waybill: evidence.Waybill{Decision: c.decision}})
	}
	return entries.Decision()
}

// refusal says why the candidate may not move, or not yet; empty if it may.
func (c candidate) refusal() string {
	if err := c.entries().Err(); err != nil {
		return err.Error()
	}
	return ""
}

// images are what the load would bring, by application.
func (l load) images() map[string]history.Set {
	images := make(map[string]history.Set)
	for _, c := range l.list {
		images[c.app.Name] = c.moving
	}
	return images
}

// brings reports whether a branch brings the same images.
func (l load) brings(own *rules.Branch) bool {
	return maps.EqualFunc(own.Images, l.images(), history.Set.Equal)
}

// files are the overlays as the load changes them, and copies the files that go with them.
func (l load) files() (files, copies map[string][]byte) {
	files, copies = make(map[string][]byte), make(map[string][]byte)
	for _, c := range l.list {
		if len(c.change.Edits) > 0 {
			files[c.change.Place.File] = c.change.After
		}
		maps.Copy(copies, c.change.Copies)
	}
	return files, copies
}

// base is the commit that the load is made on.
func (l load) base() string { return l.list[0].base }
