package check

import (
	"bytes"
	"context"
	"maps"
	"path"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
	"github.com/waybill-dev/waybill/internal/delivery/checklist"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/upgrades"
)

// upgradeOrder is the rule that what runs in production ran before: of what charts and tagged
// sources the deployers of each environment name. A digest of an application has rules of
// its own.
var upgradeOrder = checklist.Rule{
	ID: "versions", Why: "an upgrade that goes wrong is seen first where nobody waits for it",
	Fix: "raise the version in the earlier environment first, and let it run there; " +
		"or have a waiver in manifests.waivers with the reason",
}

// upgraded holds the versions of the environments against their order, in which a change
// cannot move its own. Only what the change brings is reported.
func (s *session) upgraded(ctx context.Context) error {
	level := s.level(upgradeOrder.ID)
	if level == config.Off || !s.touchesDeployers() {
		return nil
	}
	names := slices.Clone(s.rules.EnvironmentNames())
	for _, name := range s.cfg.EnvironmentNames() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	after, files, err := s.versionsIn(ctx, s.headRender, s.head.Files, names)
	if err != nil {
		return err
	}
	old := make(map[string]bool)
	if s.base != nil {
		before, _, err := s.versionsIn(ctx, s.baseRender, s.was, names)
		if err != nil {
			return err
		}
		for _, p := range upgrades.Ahead(before) {
			old[p.Message] = true
		}
		keepGone(before, after)
	}
	for _, p := range upgrades.Ahead(after) {
		if !old[p.Message] {
			at := Finding{File: files[p.Env+p.Object.ID()], Env: p.Env}
			s.ruled(at, upgradeOrder, level, checklist.Problem{Object: p.Object, Message: p.Message})
		}
	}
	return nil
}

// keepGone lets what the change takes out of an environment count there: otherwise a
// version could pass an environment by leaving it.
func keepGone(before, after []upgrades.Environment) {
	for i := range after {
		for _, v := range before[i].Runs {
			if !slices.ContainsFunc(after[i].Runs, func(w upgrades.Version) bool { return w.Of == v.Of }) {
				after[i].Runs = append(after[i].Runs, v)
			}
		}
	}
}

// versionsIn reads the versions of each environment, and where the objects are from.
func (s *session) versionsIn(
	ctx context.Context, r *render.Renderer, files map[string][]byte, names []string,
) (list []upgrades.Environment, from map[string]string, err error) {
	from = make(map[string]string)
	found := make(map[string][]upgrades.Version)
	add := func(env, file string, objects []render.Object) {
		versions := upgrades.Read(objects)
		for _, v := range versions {
			from[env+v.Object.ID()] = file
		}
		found[env] = append(found[env], versions...)
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		env := s.deployers.EnvironmentOf(path.Dir(file))
		switch {
		case env == "" || !deployers.IsManifest(file):
		case render.IsKustomization(file):
			if isComponent(files[file]) || !s.isTop(path.Dir(file)) || !s.deploys(files, path.Dir(file)) {
				continue
			}
			objects, err := s.outerOnce(ctx, r, path.Dir(file))
			if troubled(ctx, err) {
				return nil, nil, err
			}
			add(env, file, objects) // what cannot be rendered is said elsewhere
		case namesDeployer(files[file]) && !r.Read(file):
			if objects, err := deployers.Documents(file, files[file]); err == nil {
				add(env, file, objects)
			}
		}
	}
	for _, name := range names {
		list = append(list, upgrades.Environment{Name: name, Runs: found[name]})
	}
	return list, from, nil
}

// touchesDeployers reports whether the change reaches a deployer of some environment.
func (s *session) touchesDeployers() bool {
	if s.base == nil {
		return true
	}
	return slices.ContainsFunc(s.changed(), func(file string) bool {
		return namesDeployer(s.head.Files[file]) || namesDeployer(s.was[file])
	}) || slices.ContainsFunc(slices.Collect(maps.Keys(s.reached())), func(dir string) bool {
		return s.deployers.EnvironmentOf(dir) != "" && s.deploys(s.head.Files, dir)
	})
}

// deploys reports whether a kustomization has deployers among what it refers to.
func (s *session) deploys(files map[string][]byte, dir string) bool {
	for file := range render.References(files, dir) {
		if namesDeployer(files[file]) {
			return true
		}
	}
	return false
}

// namesDeployer reports whether a file may have a deployer in it.
func namesDeployer(data []byte) bool {
	return bytes.Contains(data, []byte("argoproj.io/")) || bytes.Contains(data, []byte("toolkit.fluxcd.io/"))
}
