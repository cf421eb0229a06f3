package roots

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Owner is a root and the place of its state.
type Owner struct {
	Dir, Workspace string
	Places         []terraform.Place
	locked         []configuration.Locked // providers
	modules        map[string]string      // that are fetched: source and version by name
}

// Owners says which root keeps its state where. Of a root that cannot be read no place
// is known, and its plan reports the error; it is a root all the same, which has not
// given its state up.
func Owners(top string, roots []Root, backend []string) []Owner {
	var owners []Owner
	read := make(map[string]*terraform.Module)
	for _, r := range roots {
		owner := Owner{Dir: r.Dir, Workspace: workspaceOf(r.Workspace)}
		if places, err := terraform.Where(top, r.Dir, r.Workspace, backend); err == nil {
			owner.Places = places
			// A lock file that cannot be read is refused by the policy.
			dir := filepath.Join(top, filepath.FromSlash(r.Dir))
			owner.locked, _ = configuration.ReadLockFile(dir)
			owner.modules = make(map[string]string)
			owner.fetches(top, dir, read, make(map[string]bool))
		}
		owners = append(owners, owner)
	}
	return owners
}

// fetches finds the modules that a directory, and the local modules below it, take from
// elsewhere. What was read already is in read.
func (o *Owner) fetches(top, dir string, read map[string]*terraform.Module, seen map[string]bool) {
	relative, err := filepath.Rel(top, dir)
	if seen[dir] || err != nil || !filepath.IsLocal(relative) {
		return
	}
	seen[dir] = true
	if read[dir] == nil {
		if read[dir], err = terraform.Inspect(dir); err != nil {
			read[dir] = &terraform.Module{} // whoever plans the root reports it
		}
	}
	for name, source := range read[dir].Fetched {
		o.modules[fmt.Sprintf("module %s in %s", name, filepath.ToSlash(relative))] = source
	}
	for _, local := range read[dir].Local {
		o.fetches(top, local, read, seen)
	}
}

func workspaceOf(name string) string {
	if name == "" {
		return DefaultWorkspace
	}
	return name
}

// Removed is a root that a change takes away: its directory, or its entry in
// waybill.yaml. Nothing plans its resources from then on.
type Removed struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
	State     string `json:"state,omitempty"` // where it is
}

// States are the roots of a repository that can own a state: as they are, and as
// they are where a change is to be merged.
type States struct {
	Head, Base []Owner
	HasBase    bool
	// Ended are the roots whose end the plan says, so that their approvers were asked;
	// nil is all that are no roots any more. No other root gives its state away.
	Ended []Removed
}

// Check refuses to plan or apply a root that keeps its state where another root
// keeps its own: rules go by directory, and the other's would count for nothing.
func (s States) Check(dir, workspace string) error {
	workspace = workspaceOf(workspace)
	mine := placesOf(s.Head, dir, workspace)
	for _, place := range mine {
		if place.Outside {
			return outcome.Refusedf(
				"%s keeps its state in %s, outside of its own directory, or where nobody can tell: another root could own it. Take "+
					"`path` out of the backend block, or name a file below %s without `..`",
				dir, place.Names, dir,
			)
		}
		if len(place.Computed) > 0 {
			return outcome.Refusedf(
				"%s: nobody can tell where it keeps its state, because the tree does not say what %s of its backend is: another root "+
					"could own it. Write it out, give its variables defaults, or set it by backend_config", dir, strings.Join(place.Computed, ", "),
			)
		}
		for _, other := range s.Head {
			if (other.Dir != dir || other.Workspace != workspace) && holds(other.Places, place) {
				return shared(dir, other, place)
			}
		}
		for _, other := range s.Base {
			if (other.Dir != dir || other.Workspace != workspace) && holds(other.Places, place) && !s.gaveUp(other) {
				return shared(dir, other, place)
			}
		}
	}
	return nil
}

func shared(dir string, other Owner, place terraform.Place) error {
	return outcome.Refusedf(
		"%s keeps its state where %s does (%s): one state belongs to one root. Give %s a state of its own", dir,
		Owner{Dir: other.Dir, Workspace: other.Workspace}.Name(), place, dir,
	)
}

func (o Owner) Name() string {
	if o.Workspace == DefaultWorkspace {
		return o.Dir
	}
	return o.Dir + " in workspace " + o.Workspace
}

// gaveUp reports whether a root of the base has given up its state, which its own rules
// have to approve.
func (s States) gaveUp(o Owner) bool {
	said := func(r Removed) bool { return r.Dir == o.Dir && workspaceOf(r.Workspace) == o.Workspace }
	return s.gone(o) && (s.Ended == nil || slices.ContainsFunc(s.Ended, said))
}

// gone reports whether a root of the base is no root any more.
func (s States) gone(o Owner) bool {
	for _, head := range s.Head {
		if head.Dir == o.Dir && head.Workspace == o.Workspace {
			return false
		}
	}
	return true
}

// TakesOver reports whether a root uses a state that was not its own where the
// change is to be merged, and that no root gives up in the same change. Such a
// state must be empty, or belongs to somebody.
func (s States) TakesOver(dir, workspace string) bool {
	if !s.HasBase {
		return false
	}
	workspace = workspaceOf(workspace)
	before := placesOf(s.Base, dir, workspace)
	for _, place := range placesOf(s.Head, dir, workspace) {
		if holds(before, place) {
			continue
		}
		moved := false
		for _, other := range s.Base {
			moved = moved || s.gaveUp(other) && holds(other.Places, place)
		}
		if !moved {
			return true
		}
	}
	return false
}

// Place names where the root keeps its state, for its record.
func (s States) Place(dir, workspace string) string {
	var names []string
	for _, place := range placesOf(s.Head, dir, workspaceOf(workspace)) {
		names = append(names, place.String())
	}
	return strings.Join(names, ", ")
}

// Moves says what of a root's ground moves against where the change is to be merged:
// its state's place, its workspace, its providers. That asks for the strictest rule.
func (s States) Moves(dir, workspace string) (moves []string) {
	if !s.HasBase {
		return nil
	}
	workspace = workspaceOf(workspace)
	now := find(s.Head, func(o Owner) bool { return o.Dir == dir && o.Workspace == workspace })
	before := find(s.Base, func(o Owner) bool { return o.Dir == dir && o.Workspace == workspace })
	if before == nil {
		if before = find(s.Base, func(o Owner) bool { return o.Dir == dir && s.gone(o) }); before != nil {
			moves = append(moves, fmt.Sprintf("its workspace was %s, and is %s", before.Workspace, workspace))
		}
	}
	if now == nil || before == nil {
		return moves // it is new
	}
	was, is := States{Head: s.Base}.Place(dir, before.Workspace), s.Place(dir, workspace)
	if was != is && before.Workspace == workspace {
		moves = append(moves, fmt.Sprintf("its state was in %s, and is in %s", was, is))
	}
	return append(moves, otherProviders(before.locked, now.locked)...)
}

func find(owners []Owner, is func(Owner) bool) *Owner {
	if i := slices.IndexFunc(owners, is); i >= 0 {
		return &owners[i]
	}
	return nil
}

// Modules says which modules that are fetched have another source or version than where
// the change is to be merged. That asks for nothing more.
func (s States) Modules(dir, workspace string) (others []string) {
	same := func(o Owner) bool { return o.Dir == dir && o.Workspace == workspaceOf(workspace) }
	now, before := find(s.Head, same), find(s.Base, same)
	if now == nil || before == nil {
		return nil // all of it is new
	}
	for _, name := range slices.Sorted(maps.Keys(now.modules)) {
		switch was, is := before.modules[name]; {
		case !is:
			others = append(others, fmt.Sprintf("%s is new: %s", name, now.modules[name]))
		case was != now.modules[name]:
			others = append(others, fmt.Sprintf("%s was %s, and is %s", name, was, now.modules[name]))
		}
	}
	return others
}

// otherProviders says what a lock file says otherwise than before.
func otherProviders(before, now []configuration.Locked) (moves []string) {
	for _, n := range now {
		i := slices.IndexFunc(before, func(b configuration.Locked) bool { return b.Source == n.Source })
		switch {
		case i < 0:
			moves = append(moves, fmt.Sprintf("provider %s %s is new in the lock file", n.Source, n.Version))
		case before[i].Version != n.Version:
			moves = append(moves, fmt.Sprintf("provider %s was %s, and is %s", n.Source, before[i].Version, n.Version))
		case !slices.Equal(before[i].Hashes, n.Hashes):
			moves = append(moves, fmt.Sprintf("provider %s %s has other hashes in the lock file", n.Source, n.Version))
		}
	}
	return moves
}

// RefuseTakeOver refuses a state with resources of which nobody can tell whose
// it is.
func RefuseTakeOver(dir string, resources int) error {
	return outcome.Refusedf("%s", takeOverText(dir, resources))
}

func takeOverText(dir string, resources int) string {
	return fmt.Sprintf(
		"%s is new, or has a new backend or workspace, and the state there already holds %s: it may belong to another root. If it "+
			"is its own, name %s in terraform.adopt of waybill.yaml on the default branch first",
		dir, text.Count(resources, "resource"), dir,
	)
}

func placesOf(owners []Owner, dir, workspace string) []terraform.Place {
	for _, o := range owners {
		if o.Dir == dir && o.Workspace == workspace {
			return o.Places
		}
	}
	return nil
}

func holds(places []terraform.Place, place terraform.Place) bool {
	for _, p := range places {
		if p.Backend == place.Backend && p.Names == place.Names {
			return true
		}
		// The same organisation's workspace under both names of one backend.
		if strings.Contains(" remote cloud ", " "+p.Backend+" ") && strings.Contains(" remote cloud ", " "+place.Backend+" ") &&
			p.Names == place.Names {
			return true
		}
	}
	return false
}
