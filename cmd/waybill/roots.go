package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// namedRoots are the roots that the inputs, waybill.yaml or the directories
// name, in the order in which they would be applied.
func namedRoots(call *cli.Call, top string) ([]plan.Root, error) {
	var roots []plan.Root
	for _, dir := range call.In.List("dir") {
		roots = append(roots, plan.Root{Dir: path.Clean(dir), Workspace: call.In.String("workspace"), VarFiles: call.In.List("var_file")})
	}
	if w := call.In.String("workspace"); strings.HasPrefix(w, ".") || strings.ContainsAny(w, "/\\") {
		return nil, outcome.Usagef("--workspace %q: a workspace is named by letters, digits, - and _", w)
	}
	if len(roots) == 0 {
		if call.In.Has("workspace") || call.In.Has("var_file") {
			return nil, outcome.Usagef("--workspace and --var-file are of the roots in --dir; for others they stand in waybill.yaml")
		}
		cfg, err := localConfig(top)
		if err != nil {
			return nil, err
		}
		for _, r := range cfg.Roots {
			roots = append(roots, plan.Root(r))
		}
	}
	if len(roots) == 0 {
		var err error
		if roots, err = plan.Discover(top); err != nil {
			return nil, err
		}
		if len(roots) == 0 {
			return nil, outcome.Usagef("no directory configures a backend or a provider: name the roots with --dir")
		}
	}
	return plan.Order(roots)
}

// selection is what a change asks to be planned.
type selection struct {
	roots   []plan.Root
	removed []plan.Removed // roots that the change takes away
	states  plan.States
}

// check refuses a root that uses another's state.
func (s selection) check() error {
	var errs []error
	for _, r := range s.roots {
		errs = append(errs, s.states.Check(r.Dir, r.Workspace))
	}
	return outcome.Join(errs...)
}

// selectRoots chooses the roots that a change touches, among those that are
// roots now and those that were roots before it; without a change, all of them.
func selectRoots(ctx context.Context, call *cli.Call, top string) (selection, error) {
	head, err := namedRoots(call, top)
	if err != nil {
		return selection{}, err
	}
	every, err := everyRoot(call, top, head)
	if err != nil {
		return selection{}, err
	}
	backend, since := call.In.List("backend_config"), call.In.String("changed_since")
	if since == "" {
		return selection{roots: head, states: plan.States{Head: plan.Owners(top, every, backend)}}, nil
	}
	return change{top: top, since: since, backend: backend, named: len(call.In.List("dir")) > 0}.roots(ctx, head, every)
}

// change is what happened between a revision and HEAD.
type change struct {
	top, since string
	backend    []string
	named      bool // the roots are named, and no others are asked for
}

// roots chooses among the roots of the checkout, and those that were roots
// before; every lists all roots of the checkout.
func (c change) roots(ctx context.Context, head, every []plan.Root) (selection, error) {
	top, since, backend := c.top, c.since, c.backend
	chosen := selection{states: plan.States{Head: plan.Owners(top, every, backend)}}
	from, err := git.Run(ctx, top, "merge-base", since, "HEAD")
	if err != nil {
		return selection{}, fmt.Errorf("find where HEAD left %s (the clone must be whole): %w", since, err)
	}
	before, err := readBase(ctx, top, from, backend)
	if err != nil {
		return selection{}, err
	}
	chosen.states.Base, chosen.states.HasBase = before.owners, true
	out, err := git.Run(ctx, top, "diff", "--name-only", "-z", "--no-renames", from, "HEAD")
	if err != nil {
		return selection{}, fmt.Errorf("find the files changed since %s: %w", since, err)
	}
	files := strings.FieldsFunc(out, func(r rune) bool { return r == 0 })
	if c.named {
		chosen.roots, err = plan.Changed(ctx, top, head, files)
		return chosen, err
	}
	err = chosen.compare(ctx, top, before, head, files)
	return chosen, err
}

// changedRoots chooses the roots that a pull request touches, by its merge in the
// checkout and its base.
func changedRoots(ctx context.Context, top, base string, backend []string) (selection, error) {
	cfg, err := localConfig(top)
	if err != nil {
		return selection{}, err
	}
	var head []plan.Root
	for _, r := range cfg.Roots {
		head = append(head, plan.Root(r))
	}
	if len(head) == 0 {
		if head, err = plan.Discover(top); err != nil {
			return selection{}, err
		}
	}
	return change{top: top, since: base, backend: backend}.roots(ctx, head, head)
}

// everyRoot lists all roots of the checkout: also those that are not asked for
// can own a state.
func everyRoot(call *cli.Call, top string, head []plan.Root) ([]plan.Root, error) {
	if len(call.In.List("dir")) == 0 {
		return head, nil
	}
	return rootsWith(top, head)
}

// rootsWith lists all roots of the checkout, and these.
func rootsWith(top string, head []plan.Root) ([]plan.Root, error) {
	cfg, err := localConfig(top)
	if err != nil {
		return nil, err
	}
	every := slices.Clone(head)
	add := func(r plan.Root) {
		if !slices.ContainsFunc(every, func(o plan.Root) bool { return sameRoot(o, r) }) {
			every = append(every, r)
		}
	}
	for _, r := range cfg.Roots {
		add(plan.Root(r))
	}
	found, err := plan.DiscoverBefore(top)
	for _, r := range found {
		add(r)
	}
	return every, err
}

func sameRoot(a, b plan.Root) bool {
	return path.Clean(a.Dir) == path.Clean(b.Dir) && workspace(a) == workspace(b)
}

func workspace(r plan.Root) string {
	if r.Workspace == "" {
		return plan.DefaultWorkspace
	}
	return r.Workspace
}

// compare chooses what files touch, what has another entry in waybill.yaml, and
// what is no root any more.
func (s *selection) compare(ctx context.Context, top string, before base, head []plan.Root, files []string) error {
	now, err := localConfig(top)
	if err != nil {
		return err
	}
	candidates := slices.Clone(head)
	for _, old := range before.roots {
		if slices.ContainsFunc(head, func(r plan.Root) bool { return sameRoot(r, old) }) {
			continue
		}
		gone := plan.Removed{Dir: old.Dir, Workspace: workspace(old)}
		if i := slices.IndexFunc(before.owners, func(o plan.Owner) bool { return o.Dir == old.Dir && o.Workspace == gone.Workspace }); i >= 0 {
			gone.State = plan.States{Head: before.owners[i : i+1]}.Place(old.Dir, old.Workspace)
		}
		s.removed = append(s.removed, gone)
		if before.listed && configured(top, old.Dir) && !slices.ContainsFunc(head, func(r plan.Root) bool { return r.Dir == old.Dir }) {
			candidates = append(candidates, old) // it is planned as it was, once more
		}
	}
	touched, err := plan.Changed(ctx, top, candidates, files)
	if err != nil {
		return err
	}
	s.roots = nil
	for _, r := range candidates {
		i := slices.IndexFunc(before.roots, func(o plan.Root) bool { return sameRoot(o, r) })
		changed := i < 0 || !slices.Equal(before.roots[i].VarFiles, r.VarFiles) || versionOf(before.roots[i], before.version) != versionOf(r, now.Version)
		if changed || slices.ContainsFunc(touched, func(t plan.Root) bool { return sameRoot(t, r) }) {
			s.roots = append(s.roots, r)
		}
	}
	s.roots, err = plan.Order(s.roots)
	return err
}

func versionOf(r plan.Root, common string) string {
	if r.Version != "" {
		return r.Version
	}
	return common
}

// configured reports whether a directory still holds configuration.
func configured(top, dir string) bool {
	for _, pattern := range []string{"*.tf", "*.tf.json", "*.tofu", "*.tofu.json"} {
		if found, err := filepath.Glob(filepath.Join(top, filepath.FromSlash(dir), pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// base is what the repository was before a change.
type base struct {
	roots   []plan.Root
	listed  bool // waybill.yaml names them
	version string
	owners  []plan.Owner
}

// readBase reads the roots of a commit.
func readBase(ctx context.Context, top, commit string, backend []string) (base, error) {
	work, err := os.MkdirTemp("", "waybill-base-")
	if err != nil {
		return base{}, fmt.Errorf("make a working directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	tree, err := plan.Snapshot(ctx, top, commit, work)
	if err != nil {
		return base{}, err
	}
	var b base
	cfg, err := localConfig(tree)
	if err != nil {
		cfg = config.Terraform{} // the change may be what repairs it
	}
	b.version = cfg.Version
	for _, r := range cfg.Roots {
		b.roots, b.listed = append(b.roots, plan.Root(r)), true
	}
	if !b.listed {
		if b.roots, err = plan.DiscoverBefore(tree); err != nil {
			return base{}, err
		}
	}
	b.owners = plan.Owners(tree, b.roots, backend)
	return b, nil
}
