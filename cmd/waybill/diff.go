package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// placeDiff is how one application's objects in one environment differ.
type placeDiff struct {
	App     string          `json:"app"`
	Env     string          `json:"env"`
	Changes []render.Change `json:"changes"`
}

func runDiff(ctx context.Context, call *cli.Call) error {
	repo, err := openRepository(ctx, call)
	if err != nil {
		return err
	}
	base, err := loadSide(ctx, repo, call.In.String("base"))
	if err != nil {
		return err
	}
	head, err := loadSide(ctx, repo, call.In.String("head"))
	if err != nil {
		return err
	}
	app, env := call.In.String("app"), call.In.String("env")
	if app != "" {
		if _, err := head.cfg.App(app); err != nil {
			return err
		}
	}
	if env != "" {
		if _, err := head.cfg.Environment(env); err != nil {
			return err
		}
	}
	diffs, err := diffSides(ctx, base, head, app, env)
	if err != nil {
		return err
	}
	return reportDiff(call, diffs)
}

// side is one revision, ready to render.
type side struct {
	cfg      *config.Config
	files    map[string][]byte
	renderer *render.Renderer
}

func loadSide(ctx context.Context, repo place, rev string) (side, error) {
	snapshot, err := repo.Snapshot(ctx, rev)
	if err != nil {
		return side{}, fmt.Errorf("read %s: %w", rev, err)
	}
	cfg, err := history.Load(snapshot.Files)
	if err != nil {
		return side{}, fmt.Errorf("at %s: %w", rev, err)
	}
	return side{cfg: cfg, files: snapshot.Files, renderer: render.New(snapshot.Files)}, nil
}

// objects renders a place, where other is the other side. A side that does not
// have it has no objects, unless its files are still there: what deploys them
// does not read waybill.yaml.
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

func diffSides(ctx context.Context, base, head side, app, env string) ([]placeDiff, error) {
	diffs := []placeDiff{}
	for _, name := range union(base.cfg.AppNames(), head.cfg.AppNames()) {
		if app != "" && name != app {
			continue
		}
		for _, e := range union(base.cfg.EnvironmentNames(), head.cfg.EnvironmentNames()) {
			if env != "" && e != env {
				continue
			}
			before, err := base.objects(ctx, head, name, e)
			if err != nil {
				return nil, fmt.Errorf("render %s in %s at the base: %w", name, e, err)
			}
			after, err := head.objects(ctx, base, name, e)
			if err != nil {
				return nil, fmt.Errorf("render %s in %s at the head: %w", name, e, err)
			}
			if changes := render.Diff(before, after); len(changes) > 0 {
				diffs = append(diffs, placeDiff{App: name, Env: e, Changes: changes})
			}
		}
	}
	return diffs, nil
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func reportDiff(call *cli.Call, diffs []placeDiff) error {
	objects := 0
	var text strings.Builder
	for _, d := range diffs {
		objects += len(d.Changes)
		fmt.Fprintf(&text, "#### %s in %s\n\n%s\n", markdown.Text(d.App), markdown.Text(d.Env), markdown.Fence("diff", render.Text(d.Changes)))
	}
	if len(diffs) == 0 {
		text.WriteString("No difference in what would be deployed.\n")
	}
	out := text.String()
	if call.In.String("format") == "json" {
		data, err := json.MarshalIndent(diffs, "", "  ")
		if err != nil {
			return err
		}
		out = string(data) + "\n"
	}
	if _, err := fmt.Fprint(call.Stdout, out); err != nil {
		return err
	}
	if err := call.Runner.Summary(text.String()); err != nil {
		return err
	}
	if err := call.Output("objects", strconv.Itoa(objects)); err != nil {
		return err
	}
	return call.Output("changed", strconv.FormatBool(objects > 0))
}
