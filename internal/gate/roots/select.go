package roots

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/scratch"
)

// Request says which roots are meant.
type Request struct {
	Top  string   // of the checkout
	Dirs []string // the roots; if empty, those of waybill.yaml, or all that are found
	// Workspace and VarFiles are of the roots in Dirs.
	Workspace string
	VarFiles  []string
	Backend   []string // settings that the configuration leaves open, KEY=VALUE or files
	Since     string   // revision: only roots that changed since then; if empty, all
	Files     []string // what changed since then; if nil, as git says it
	// Until, if not empty, is the commit that the change ends with: what the checkout has
	// beside it was changed by others.
	Until string
	// Found are the workspaces of roots that waybill.yaml names by a pattern.
	Found Workspaces
	// Validate takes each pattern of workspaces as one root without a workspace.
	Validate bool
}

// Selection is what a change asks to be planned.
type Selection struct {
	Roots   []Root    // in the order in which they would be applied
	Removed []Removed // roots that the change takes away
	States  States
}

// Check refuses a root that uses another root's state.
func (s Selection) Check() error {
	var errs []error
	for _, r := range s.Roots {
		errs = append(errs, s.States.Check(r.Dir, r.Workspace))
	}
	return outcome.Join(errs...)
}

// Config reads the terraform part of waybill.yaml in the checkout: which roots
// there are. Who approves is never read from there.
func Config(top string) (config.Terraform, error) {
	data, err := os.ReadFile(filepath.Join(top, config.FileName))
	if errors.Is(err, os.ErrNotExist) {
		return config.Terraform{}, nil
	}
	if err != nil {
		return config.Terraform{}, fmt.Errorf("read the configuration: %w", err)
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil {
		return config.Terraform{}, err
	}
	return cfg.Terraform(), nil
}

// Named lists the roots that are meant, in the order in which they would be
// applied, whether or not they changed.
func Named(r Request) ([]Root, error) {
	if strings.HasPrefix(r.Workspace, ".") || strings.ContainsAny(r.Workspace, "/\\") {
		return nil, outcome.Usagef("--workspace %q: a workspace is named by letters, digits, - and _", r.Workspace)
	}
	if len(r.Dirs) == 0 && (r.Workspace != "" || len(r.VarFiles) > 0) {
		return nil, outcome.Usagef("--workspace and --var-file are of the roots in --dir; for others they stand in waybill.yaml")
	}
	var named []Root
	for _, dir := range r.Dirs {
		if info, err := os.Stat(filepath.Join(r.Top, filepath.FromSlash(dir))); err != nil || !info.IsDir() {
			return nil, outcome.Usagef("--dir %s does not exist in the repository %s", dir, r.Top)
		}
		named = append(named, Root{Dir: path.Clean(dir), Workspace: r.Workspace, VarFiles: r.VarFiles})
	}
	if len(named) == 0 {
		var err error
		if named, err = r.standing(); err != nil {
			return nil, err
		}
		if err := listed(named); err != nil {
			return nil, err
		}
	}
	if len(named) == 0 {
		cfg, err := Config(r.Top)
		if none := r.Found.Unmatched(Patterns(cfg)); err != nil || len(none) > 0 {
			return nil, outcome.Join(err, outcome.Usagef("there is no root: %s", strings.Join(none, "; ")))
		}
		return nil, outcome.Usagef("no directory configures a backend or a provider: name the roots with --dir")
	}
	return Order(named)
}

// listed refuses roots of which nobody knows the workspaces.
func listed(list []Root) error {
	for _, r := range list {
		if r.Pattern {
			return outcome.Usagef("%s has its workspaces by the pattern %s, and the backend was not asked for them", r.Dir, r.Workspace)
		}
	}
	return nil
}

// standing lists the roots of waybill.yaml, or else those that are found.
func (r Request) standing() ([]Root, error) {
	cfg, err := Config(r.Top)
	if err != nil {
		return nil, err
	}
	if listed := r.expand(fromConfig(cfg)); len(fromConfig(cfg)) > 0 {
		return listed, nil
	}
	return Discover(r.Top)
}

func fromConfig(cfg config.Terraform) (listed []Root) {
	for _, r := range cfg.Roots {
		listed = append(listed, Root(r))
	}
	return listed
}

// Select chooses the roots that a change touches, among those that are roots now
// and those that were roots before it. Without a change it chooses all of them.
func Select(ctx context.Context, r Request) (Selection, error) {
	head, err := Named(r)
	if err != nil {
		return Selection{}, err
	}
	every := head
	if len(r.Dirs) > 0 { // those that are not asked for can own a state too
		if every, err = With(r.Top, head); err != nil {
			return Selection{}, err
		}
	}
	if r.Since == "" {
		return Selection{Roots: head, States: States{Head: Owners(r.Top, every, r.Backend)}}, nil
	}
	return r.changed(ctx, head, every)
}

// Touched chooses the roots that a pull request touches, by its merge in the
// checkout and its base, which is Since.
func Touched(ctx context.Context, r Request) (Selection, error) {
	head, err := r.standing()
	if err == nil {
		err = listed(head)
	}
	if err != nil {
		return Selection{}, err
	}
	return r.changed(ctx, head, head)
}

// With lists all roots of the checkout, and these. What a pattern of workspaces matches
// is left to these too.
func With(top string, these []Root) ([]Root, error) {
	cfg, err := Config(top)
	if err != nil {
		return nil, err
	}
	found, err := discoverBefore(top)
	every := slices.Clone(these)
	for _, r := range slices.Concat(Of(these).Expand(fromConfig(cfg)), found) {
		if !slices.ContainsFunc(every, r.same) {
			every = append(every, r)
		}
	}
	return every, err
}

func (r Root) same(other Root) bool { return r.Is(other.Dir, other.Workspace) }

// Is reports whether the root is that of the directory and workspace.
func (r Root) Is(dir, workspace string) bool {
	return path.Clean(r.Dir) == path.Clean(dir) && workspaceOf(r.Workspace) == workspaceOf(workspace)
}

// changed chooses among the roots of the checkout, and those that were roots
// before; every lists all roots of the checkout.
func (r Request) changed(ctx context.Context, head, every []Root) (Selection, error) {
	s := Selection{States: States{Head: Owners(r.Top, every, r.Backend)}}
	from, err := git.Run(ctx, r.Top, "merge-base", r.Since, "HEAD")
	if err != nil {
		return Selection{}, fmt.Errorf("find where HEAD left %s (the clone must be whole): %w", r.Since, err)
	}
	before, err := r.readBase(ctx, from)
	if err != nil {
		return Selection{}, err
	}
	s.States.Base, s.States.HasBase = before.owners, true
	files := r.Files
	if files == nil {
		out, err := git.Run(ctx, r.Top, "diff", "--name-only", "-z", "--no-renames", from, "HEAD")
		if err != nil {
			return Selection{}, fmt.Errorf("find the files changed since %s: %w", r.Since, err)
		}
		files = splitNames(out)
	}
	if len(r.Dirs) > 0 { // no others are asked for
		s.Roots, err = Changed(ctx, r.Top, head, files)
		return s, err
	}
	c := comparison{top: r.Top, before: before, head: head, files: files}
	if r.Until != "" {
		then, err := r.readBase(ctx, r.Until)
		if err != nil {
			return Selection{}, err
		}
		c.then = &then
	}
	return s, s.compare(ctx, c)
}

type comparison struct {
	top    string
	before base
	head   []Root
	files  []string // that changed
	then   *base    // what the change made of it; nil is the checkout
}

// others reports whether it was not the change that took a root away.
func (c comparison) others(old Root) bool {
	return c.then != nil && slices.ContainsFunc(c.then.roots, old.same)
}

// entered reports whether the change made a root, or gave it another entry in
// waybill.yaml.
func (c comparison) entered(r Root, version string) bool {
	if c.then != nil {
		i := slices.IndexFunc(c.then.roots, r.same)
		if i < 0 {
			return false
		}
		r, version = c.then.roots[i], c.then.version
	}
	if i := slices.IndexFunc(c.before.roots, r.same); i >= 0 {
		return otherEntry(c.before.roots[i], r, c.before.version, version)
	}
	return !slices.ContainsFunc(c.before.unreadable, r.same)
}

// compare chooses what files touch, what has another entry in waybill.yaml, and
// what is no root any more.
func (s *Selection) compare(ctx context.Context, c comparison) error {
	now, err := Config(c.top)
	if err != nil {
		return err
	}
	candidates := slices.Clone(c.head)
	for _, old := range c.before.roots {
		if slices.ContainsFunc(c.head, old.same) || c.others(old) {
			continue
		}
		gone := Removed{Dir: old.Dir, Workspace: workspaceOf(old.Workspace)}
		gone.State = States{Head: c.before.owners}.Place(old.Dir, old.Workspace)
		s.Removed = append(s.Removed, gone)
		sameDir := func(r Root) bool { return r.Dir == old.Dir }
		if !old.Pattern && c.before.listed && configured(c.top, old.Dir) && !slices.ContainsFunc(c.head, sameDir) {
			candidates = append(candidates, old) // it is planned as it was, once more
		}
	}
	touched, err := Changed(ctx, c.top, candidates, c.files)
	if err != nil {
		return err
	}
	for _, r := range candidates {
		if slices.ContainsFunc(touched, r.same) || c.entered(r, now.Version) {
			s.Roots = append(s.Roots, r)
		}
	}
	s.Roots, err = Order(s.Roots)
	return err
}

// otherEntry reports whether waybill.yaml says something else of a root than
// before.
func otherEntry(before, now Root, versionBefore, versionNow string) bool {
	version := func(r Root, common string) string {
		if r.Version != "" {
			return r.Version
		}
		return common
	}
	if before.Destroy != now.Destroy || before.RefreshOnly != now.RefreshOnly || !slices.Equal(before.Files, now.Files) {
		return true
	}
	return !slices.Equal(before.VarFiles, now.VarFiles) || version(before, versionBefore) != version(now, versionNow)
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
	roots  []Root
	listed bool // waybill.yaml names them
	// unreadable are directories that might be roots, and could not be read.
	unreadable []Root
	version    string
	owners     []Owner
}

// readBase reads the roots of a commit.
func (r Request) readBase(ctx context.Context, commit string) (base, error) {
	work, err := scratch.New("")
	if err != nil {
		return base{}, err
	}
	defer work.Remove()
	tree, err := Snapshot(ctx, r.Top, commit, work.Path)
	if err != nil {
		return base{}, err
	}
	cfg, err := Config(tree)
	if err != nil {
		cfg = config.Terraform{} // the change may be what repairs it
	}
	b := base{version: cfg.Version, roots: r.expand(fromConfig(cfg))}
	if b.listed = len(b.roots) > 0; !b.listed {
		if b.roots, b.unreadable, err = discover(tree); err != nil {
			return base{}, err
		}
	}
	b.owners = Owners(tree, b.roots, r.Backend)
	return b, nil
}

// OwnersAt says which root kept its state where at a commit.
func (r Request) OwnersAt(ctx context.Context, commit string) ([]Owner, error) {
	b, err := r.readBase(ctx, commit)
	return b.owners, err
}

// ChangedFiles lists what is not as it was in a commit, among paths of the
// checkout. It serves explanations, where the clone has that commit.
func ChangedFiles(ctx context.Context, top, commit string, paths []string) ([]string, error) {
	var files []string
	for _, args := range [][]string{
		{"diff", "--name-only", "-z", "--no-renames", commit}, {"ls-files", "-z", "--others", "--exclude-standard"},
	} {
		args = append(args, "--")
		for _, p := range paths {
			if p == "." {
				args = append(args, ":(top)") // literally, it is the directory that git runs in
				continue
			}
			args = append(args, ":(literal,top)"+p)
		}
		if args[0] == "ls-files" {
			args = append(args, ":(top,exclude,glob)**/.terraform/**")
		}
		out, err := git.Run(ctx, top, args...)
		if err != nil {
			return nil, err
		}
		files = append(files, splitNames(out)...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
