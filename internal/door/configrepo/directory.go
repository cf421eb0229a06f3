package configrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Store is what both kinds of config repository can do.
type Store interface {
	DefaultBranch(ctx context.Context) (string, error)
	Resolve(ctx context.Context, rev string) (string, error)
	Head(ctx context.Context, branch string) (string, error)
	File(ctx context.Context, rev, path string) ([]byte, error)
	Log(ctx context.Context, rev, path string, limit int) ([]Entry, error)
	Snapshot(ctx context.Context, rev string) (*Snapshot, error)
	ReadAhead(ctx context.Context, rev string, paths []string) error
	ReadNewest(ctx context.Context, rev string, paths []string) error
	ReadHeads(ctx context.Context, heads []string) error
	Holds(ctx context.Context, head, base string, changes map[string][]byte) (bool, error)
	Commit(ctx context.Context, r Request) (string, error)
	DeleteBranch(ctx context.Context, branch, expect string) error
	MergeBase(ctx context.Context, a, b string) (string, error)
	Changed(ctx context.Context, from, to string) ([]string, error)
	Turn(ctx context.Context) (end func(), err error)
	within(dir string)
}

// Directory is a config repository that is a directory of another repository.
//
// Paths are those of the directory, in both directions: nothing outside of it is
// read or written, and symbolic links out of it lead nowhere. The exception are the
// files of code owners, which GitHub reads at the top of the repository alone: a
// snapshot has them under names that begin with "../".
type Directory struct {
	Store
	dir string
}

// directoryForm is what a directory may be called: its name becomes part of the
// names of branches and commit statuses.
var directoryForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$`)

// CleanDirectory gives the one spelling of a directory of a repository; empty for the
// whole repository.
func CleanDirectory(dir string) (string, error) {
	clean := path.Clean(dir)
	switch {
	case dir == "" || clean == ".":
		return "", nil
	case !directoryForm.MatchString(clean) || hasGitDir(clean):
		return "", outcome.Usagef("%q is not a directory inside the repository: name it from the top of the repository, such as "+
			"deploy/shop, with letters, digits, and any of . _ -", dir)
	}
	return clean, nil
}

// Within makes a directory of the store the config repository. An empty dir is the
// whole store.
func Within(store Store, dir string) (Store, error) {
	dir, err := CleanDirectory(dir)
	if err != nil || dir == "" {
		return store, err
	}
	store.within(dir)
	return Directory{Store: store, dir: dir}, nil
}

func (d Directory) at(name string) string { return path.Join(d.dir, name) }

// File reads one file of a revision.
func (d Directory) File(ctx context.Context, rev, name string) ([]byte, error) {
	return d.Store.File(ctx, rev, d.at(name))
}

// Log lists the steps that changed a path; for an empty one those of the branch,
// wherever they changed anything.
func (d Directory) Log(ctx context.Context, rev, name string, limit int) ([]Entry, error) {
	if name != "" {
		name = d.at(name)
	}
	return d.Store.Log(ctx, rev, name, limit)
}

// ReadAhead reads the histories of files by few requests.
func (d Directory) ReadAhead(ctx context.Context, rev string, paths []string) error {
	return d.Store.ReadAhead(ctx, rev, d.all(paths))
}

// ReadNewest reads as much of them as says since when the newest steps stand.
func (d Directory) ReadNewest(ctx context.Context, rev string, paths []string) error {
	return d.Store.ReadNewest(ctx, rev, d.all(paths))
}

func (d Directory) all(paths []string) []string {
	paths = slices.Clone(paths)
	for i, name := range paths {
		paths[i] = d.at(name)
	}
	return paths
}

// Snapshot reads the regular files of the directory.
func (d Directory) Snapshot(ctx context.Context, rev string) (*Snapshot, error) {
	whole, err := d.Store.Snapshot(ctx, rev)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{
		Commit: whole.Commit, Dir: d.dir, Files: inside(d.dir, whole.Files), Large: inside(d.dir, whole.Large),
		Links: inside(d.dir, whole.Links), Followed: inside(d.dir, whole.Followed), Linked: inside(d.dir, whole.Linked),
		outside: whole.outside, worktree: whole.worktree,
	}
	return s, nil
}

// Changed lists the paths of the directory in which two commits differ.
func (d Directory) Changed(ctx context.Context, from, to string) ([]string, error) {
	all, err := d.Store.Changed(ctx, from, to)
	var changed []string
	for _, name := range all {
		if below, in := strings.CutPrefix(name, d.dir+"/"); in {
			changed = append(changed, below)
		}
	}
	return changed, err
}

// Commit makes the commit. A path that leaves the directory is refused.
func (d Directory) Commit(ctx context.Context, r Request) (string, error) {
	if err := r.validate(); err != nil {
		return "", err
	}
	r.Changes = slices.Clone(r.Changes)
	for i, c := range r.Changes {
		r.Changes[i].Path = d.at(c.Path)
	}
	return d.Store.Commit(ctx, r)
}

// inside gives what lies in a directory, by path in it, and what is known of the
// owners.
func inside[V any](dir string, all map[string]V) map[string]V {
	up := strings.Repeat("../", strings.Count(dir, "/")+1)
	found := make(map[string]V)
	for name, v := range all {
		if below, ok := strings.CutPrefix(name, dir+"/"); ok {
			found[below] = v
		}
		if slices.Contains(Owners[:], name) {
			found[up+name] = v
		}
	}
	return found
}

// Owners are the files in which GitHub looks for code owners, in its order: it
// uses the first one that it finds.
// https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
var Owners = [...]string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

// kept reports whether a snapshot of a directory has a file; one of the whole
// repository has all.
func kept(dir, name string) bool {
	return dir == "" || strings.HasPrefix(name, dir+"/") || slices.Contains(Owners[:], name)
}

// fingerprint stands for what lies outside of the directory, by mode and id; empty
// for the whole repository.
func fingerprint(dir string, outside map[string]string) string {
	if dir == "" {
		return ""
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(outside)) {
		fmt.Fprintf(sum, "%s\x00%s\x00", name, outside[name])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// OwnersAbove are the names that a snapshot has Owners by.
func (s *Snapshot) OwnersAbove() []string {
	up := ""
	if s.Dir != "" {
		up = strings.Repeat("../", strings.Count(s.Dir, "/")+1)
	}
	var names []string
	for _, name := range Owners {
		names = append(names, up+name)
	}
	return names
}
