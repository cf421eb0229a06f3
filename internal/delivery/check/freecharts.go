package check

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// freeCharts renders the charts that the change touches and no application has, with the
// values of each Application of the repository that names them; with their own values
// where none does. What they make is held to the same list as manifests outside. Without
// an Application whose values are all here, the change must say so as well: somebody
// else may deploy the chart with others.
func (s *session) freeCharts(ctx context.Context, judged map[string]bool) error {
	if s.base == nil {
		return nil // what nothing deploys would be taken for what runs
	}
	dirs := make(map[string]bool)
	for _, file := range s.changed() {
		if dir := s.freeChart(file); dir != "" {
			dirs[dir] = true
			s.newlyAsks(file)
		}
	}
	if len(dirs) == 0 {
		return nil
	}
	all := slices.Concat(s.deployers.Deployers(), s.deployers.Among(s.changed()))
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		releases, whole := s.deployers.Releases(dir, all)
		before, beforeErr := deployers.Render(ctx, s.baseRender, releases)
		after, err := deployers.Render(ctx, s.headRender, releases)
		if troubled(ctx, err) || troubled(ctx, beforeErr) {
			return fmt.Errorf("render the chart %s: %w", dir, firstOf(err, beforeErr))
		}
		if err != nil {
			s.once(dir, render.Visible(dir+" is a chart that no application has, and changes: nothing of it is judged"))
			continue
		}
		if !whole {
			s.once(dir, render.Visible(dir+" is a chart that no application has, and changes: it is judged with its own values alone"))
		}
		at := Finding{File: path.Join(dir, "Chart.yaml"), Env: s.deployers.EnvironmentOf(dir), Rule: RuleDigest, State: evidence.Refused}
		s.compare(deployers.Comparison{File: at.File, Where: dir, Env: at.Env, Before: before, After: after})
		for _, image := range s.newImages("", before, after) {
			if !judged[image.Text] {
				s.outsideImage(at, image)
			}
		}
		if err := s.checklist(ctx, at, before, after); err != nil {
			return err
		}
	}
	return nil
}

// freeChart is the chart of no application that a file is part of, by the chart that
// holds its parts; empty where it is of none.
func (s *session) freeChart(file string) string {
	if s.headRender.Read(file) {
		return ""
	}
	dir := s.chartAbove(file)
	for dir != "" && path.Base(path.Dir(dir)) == "charts" {
		above := s.chartAbove(path.Dir(dir))
		if above == "" {
			break
		}
		dir = above
	}
	owned := false
	each(s.cfg, func(app config.App, env config.Environment) { owned = owned || app.Helm(env.Name).Chart == dir })
	if owned {
		return ""
	}
	return dir
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
