// Package diff shows how what two revisions of the config repository deploy
// differs, object by object. It renders both sides itself and reads no cluster.
package diff

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// Repository is the config repository, as diff uses it.
type Repository interface {
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
}

// Request says which revisions to compare. Without an application or an
// environment, all are compared.
type Request struct{ Base, Head, App, Env string }

// Place is how the objects of one application in one environment differ.
type Place struct {
	App     string          `json:"app"`
	Env     string          `json:"env"`
	Changes []render.Change `json:"changes"`
}

// Run lists the places that differ.
func Run(ctx context.Context, repo Repository, req Request) ([]Place, error) {
	base, err := load(ctx, repo, req.Base)
	if err != nil {
		return nil, err
	}
	head, err := load(ctx, repo, req.Head)
	if err != nil {
		return nil, err
	}
	if req.App != "" {
		if _, err := head.cfg.App(req.App); err != nil {
			return nil, err
		}
	}
	if req.Env != "" {
		if _, err := head.cfg.Environment(req.Env); err != nil {
			return nil, err
		}
	}
	places := []Place{}
	for _, app := range chosen(req.App, base.cfg.AppNames(), head.cfg.AppNames()) {
		for _, env := range chosen(req.Env, base.cfg.EnvironmentNames(), head.cfg.EnvironmentNames()) {
			before, err := base.objects(ctx, head, app, env)
			if err != nil {
				return nil, fmt.Errorf("render %s in %s at the base: %w", app, env, err)
			}
			after, err := head.objects(ctx, base, app, env)
			if err != nil {
				return nil, fmt.Errorf("render %s in %s at the head: %w", app, env, err)
			}
			if changes := render.Diff(before, after); len(changes) > 0 {
				places = append(places, Place{App: app, Env: env, Changes: changes})
			}
		}
	}
	return places, nil
}

// chosen are the names of both sides, or the one that was asked for.
func chosen(one string, a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return slices.DeleteFunc(all, func(name string) bool { return one != "" && name != one })
}

// side is one revision, ready to render.
type side struct {
	cfg      *config.Config
	files    map[string][]byte
	renderer *render.Renderer
}

func load(ctx context.Context, repo Repository, rev string) (side, error) {
	snapshot, err := repo.Snapshot(ctx, rev)
	if err != nil {
		return side{}, fmt.Errorf("read %s: %w", rev, err)
	}
	cfg, err := history.Load(snapshot)
	if err != nil {
		return side{}, fmt.Errorf("at %s: %w", rev, err)
	}
	return side{cfg: cfg, files: snapshot.Files, renderer: render.New(snapshot.Files)}, nil
}

// objects renders a place; other is the other side. A side that does not have
// the place has no objects, unless the files of its overlay are still there: what
// deploys them does not read waybill.yaml.
func (s side) objects(ctx context.Context, other side, app, env string) ([]render.Object, error) {
	if a, _, err := s.cfg.Place(app, env); err == nil {
		return s.renderer.App(ctx, a, env)
	}
	a, _, err := other.cfg.Place(app, env)
	if err != nil {
		return nil, nil
	}
	if _, _, err := overlay.Find(s.files, history.Target(a, env)); err != nil {
		return nil, nil
	}
	return s.renderer.App(ctx, a, env)
}
