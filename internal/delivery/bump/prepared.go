package bump

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// freshFor is how long a decision counts for a commit that lost the race: freezes and
// windows begin, and evidence grows old.
const freshFor = time.Minute

// prepared is a commit, with what it rests on.
type prepared struct {
	tip    history.Tip
	app    config.App
	env    string
	change history.Change
	commit configrepo.Request
	result Result
	at     time.Time
}

// land commits onto a head.
func (p *prepared) land(ctx context.Context, repo Repository, head string) (Result, error) {
	result, request := p.result, p.commit
	request.Expect, request.Parent = head, head
	commit, err := repo.Commit(ctx, request)
	if err != nil {
		return result, err
	}
	result.Changed, result.Commit = true, commit
	return result, nil
}

// on reports whether the decision still holds on the head of the branch: since it was
// made, nothing has changed but overlays of other applications, which it does not read.
// Many writers of one branch would judge again and again what nobody has touched.
func (p *prepared) on(ctx context.Context, repo Repository, branch string, now time.Time) (head string, holds bool, err error) {
	if p == nil || now.Sub(p.at) > freshFor {
		return "", false, nil
	}
	if head, err = repo.Head(ctx, branch); err != nil {
		return "", false, fmt.Errorf("read the head of %s: %w", branch, err)
	}
	changed, err := repo.Changed(ctx, p.tip.Commit, head)
	if err != nil {
		return "", false, err
	}
	others := p.others()
	return head, !slices.ContainsFunc(changed, func(file string) bool {
		return !slices.ContainsFunc(others, func(at string) bool { return file == at || strings.HasPrefix(file, at+"/") })
	}), nil
}

// others are the overlays of other applications that the decision does not rest on.
func (p *prepared) others() (overlays []string) {
	own, chart := p.app.Overlay(p.env), p.app.Helm(p.env).Chart
	apart := func(a, b string) bool { return a != b && !strings.HasPrefix(a, b+"/") && !strings.HasPrefix(b, a+"/") }
	group, _ := p.tip.Config.GroupOf(p.app.Name, p.env)
	for _, name := range p.tip.Config.AppNames() {
		app, err := p.tip.Config.App(name)
		if err != nil || name == p.app.Name || slices.Contains(group.Apps, name) { // whose order rests on its other environments
			continue
		}
		for _, env := range app.Environments {
			if at := app.Overlay(env); apart(at, own) && apart(at, chart) && at != "." && !p.change.RestsOn(p.tip.Files, at) {
				overlays = append(overlays, at)
			}
		}
	}
	return overlays
}
