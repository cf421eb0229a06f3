// Package roots knows the terraform roots of a repository: which there are, which
// of them a change touches, which files each depends on, and whose state is whose.
//
// It reads the checkout and git, and starts no terraform. Nothing outside of the
// repository is read.
package roots

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Root is a directory to plan, and how.
type Root struct {
	Dir       string   // relative to the top, with slashes
	Workspace string   // empty is the default one
	VarFiles  []string // relative to the top
	After     []string // directories of the roots that are applied before this one
	Version   string   // of terraform, exact or a constraint; empty leaves it open
	Files     []string // that it depends on beside those that are found
	Destroy   bool     // its plan destroys all that it holds
	// RefreshOnly makes its plan take into the state what changed outside, and nothing else.
	RefreshOnly bool
	Pattern     bool // Workspace is a glob, of which nobody has said yet what it matches
}

// Options are how terraform plans the root into a file.
func (r Root) Options(top, out string) terraform.PlanOptions {
	o := terraform.PlanOptions{Out: out, Destroy: r.Destroy, RefreshOnly: r.RefreshOnly}
	for _, f := range r.VarFiles {
		o.VarFiles = append(o.VarFiles, filepath.Join(top, filepath.FromSlash(f)))
	}
	return o
}

// DefaultWorkspace is the one that every root has.
const DefaultWorkspace = config.DefaultWorkspace

// Name is the directory, with its workspace if that is not the default one.
func (r Root) Name() string { return Owner{Dir: r.Dir, Workspace: workspaceOf(r.Workspace)}.Name() }

// Discover lists the directories below top that configure a backend or a
// provider: terraform roots, rather than modules. One that cannot be read counts
// too: it might be a root, and its plan says why it cannot be read.
func Discover(top string) ([]Root, error) {
	roots, unreadable, err := discover(top)
	return append(roots, unreadable...), err
}

// discoverBefore lists them as they were: a directory that cannot be read was
// no root that worked.
func discoverBefore(top string) ([]Root, error) {
	roots, _, err := discover(top)
	return roots, err
}

func discover(top string) (roots, unreadable []Root, err error) {
	err = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("look for roots: %w", err)
		}
		if !entry.IsDir() {
			return nil
		}
		if name := entry.Name(); path != top && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return filepath.SkipDir
		}
		relative, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		root := Root{Dir: filepath.ToSlash(relative)}
		switch is, err := terraform.IsRoot(path); {
		case err != nil:
			unreadable = append(unreadable, root)
		case is:
			roots = append(roots, root)
		}
		return nil
	})
	return roots, unreadable, err
}

// Changed keeps the roots that use one of the files, by themselves, by a local
// module or by a file of variables. One of which something is missing is an error if the
// files touch what there is of it, or what is missing; else it was so before.
func Changed(ctx context.Context, top string, roots []Root, files []string) ([]Root, error) {
	var kept []Root
	for _, r := range roots {
		sources, err := ReadSources(ctx, top, r.Dir, r.VarFiles)
		missing := outcome.Code(err) == outcome.Usage && sources != nil
		if err != nil && !missing {
			return nil, err
		}
		touched := slices.ContainsFunc(files, sources.Uses)
		if touched && missing {
			return nil, err
		}
		if touched {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// Order puts each root after those that it names.
func Order(roots []Root) ([]Root, error) {
	var ordered []Root
	state := make(map[string]int) // 1 on the way, 2 done
	var visit func(r Root, trail []string) error
	visit = func(r Root, trail []string) error {
		key := r.Dir + "\x00" + r.Workspace
		trail = append(trail, r.Dir)
		switch state[key] {
		case 2:
			return nil
		case 1:
			return outcome.Usagef("roots wait for each other: %s", strings.Join(trail, " → "))
		}
		state[key] = 1
		for _, dir := range r.After {
			for _, other := range roots {
				if other.Dir == path.Clean(dir) && (other.Dir != r.Dir || other.Workspace != r.Workspace) {
					if err := visit(other, trail); err != nil {
						return err
					}
				}
			}
		}
		state[key] = 2
		ordered = append(ordered, r)
		return nil
	}
	for _, r := range roots {
		if err := visit(r, nil); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}
