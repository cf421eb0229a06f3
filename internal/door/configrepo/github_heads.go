package configrepo

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// ReadHeads reads the newest commits of many branches by few requests. Log of one commit
// and Holds answer from it.
func (g *GitHub) ReadHeads(ctx context.Context, heads []string) error {
	g.mu.Lock()
	var unknown []string
	for _, sha := range heads {
		if _, known := g.tips[sha]; !known && isSHA(sha) {
			unknown = append(unknown, sha)
		}
	}
	g.mu.Unlock()
	if len(unknown) == 0 {
		return nil
	}
	commits, trees, err := g.api.CommitsAt(ctx, g.repo, unknown)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.Copy(g.tips, commits)
	maps.Copy(g.roots, trees)
	return nil
}

// Holds reports whether a commit is known to hold exactly what another one has, with
// changes. A file that changes to nil is gone. It asks nothing of GitHub for a commit
// that ReadHeads did not read: then it is not known, and somebody has to compare.
//
// Git's id of a directory says all that is in it, with names and modes: what GitHub says
// of the one is held against what follows from the files of the other.
func (g *GitHub) Holds(ctx context.Context, head, base string, changes map[string][]byte) (bool, error) {
	g.mu.Lock()
	_, read := g.tips[head]
	root := g.roots[head]
	index := g.indexes[base]
	g.mu.Unlock()
	if !read || root == "" {
		return false, nil
	}
	if index == nil {
		files, err := g.tree(ctx, base)
		if err != nil {
			return false, err
		}
		index = indexOf(files)
		g.mu.Lock()
		g.indexes[base] = index
		g.mu.Unlock()
	}
	return index.with(changes) == root, nil
}

// treeIndex is what each directory of a commit holds.
type treeIndex struct {
	inside map[string][]git.TreeEntry // by directory; that of all is ""
	ids    map[string]string
}

// with is the id of the whole, with changes.
func (t *treeIndex) with(changes map[string][]byte) string {
	inside := make(map[string][]git.TreeEntry) // of what differs
	entries := func(dir string) []git.TreeEntry {
		if list, changed := inside[dir]; changed {
			return list
		}
		return slices.Clone(t.inside[dir])
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		dir, base := path.Split(name)
		dir = strings.TrimSuffix(dir, "/")
		inside[dir] = put(entries(dir), base, modeFile, idOf(changes[name]))
		for ; dir != ""; dir = parent(dir) {
			inside[parent(dir)] = entries(parent(dir))
		}
	}
	// What is below has the longer name, and comes first.
	dirs := slices.SortedFunc(maps.Keys(inside), func(a, b string) int { return len(b) - len(a) })
	id := t.ids[""]
	for _, dir := range dirs {
		list := inside[dir]
		if id = git.TreeID(list); dir == "" {
			return id
		}
		if len(list) == 0 {
			id = "" // git keeps no empty directory
		}
		inside[parent(dir)] = put(inside[parent(dir)], path.Base(dir), git.ModeDirectory, id)
	}
	return id
}

// idOf is the id of a file; empty for none.
func idOf(content []byte) string {
	if content == nil {
		return ""
	}
	return git.BlobID(content)
}

// put sets an entry of a directory: one that is there keeps its mode, and an empty id
// takes it away.
func put(list []git.TreeEntry, name, mode, id string) []git.TreeEntry {
	i := slices.IndexFunc(list, func(e git.TreeEntry) bool { return e.Name == name })
	switch {
	case i < 0 && id == "":
	case i < 0:
		list = append(list, git.TreeEntry{Name: name, Mode: mode, ID: id})
	case id == "":
		list = slices.Delete(list, i, i+1)
	default:
		list[i].ID = id
	}
	return list
}

// ReadNewest has nothing to do: a clone has everything at hand.
func (l *Local) ReadNewest(context.Context, string, []string) error { return nil }

// ReadHeads has nothing to do: a clone has everything at hand.
func (l *Local) ReadHeads(context.Context, []string) error { return nil }

// Holds knows nothing by itself: to compare costs little in a clone.
func (l *Local) Holds(context.Context, string, string, map[string][]byte) (bool, error) {
	return false, nil
}

// Holds reports whether a commit is known to hold exactly what another one has, with
// changes in the directory.
func (d Directory) Holds(ctx context.Context, head, base string, changes map[string][]byte) (bool, error) {
	whole := make(map[string][]byte, len(changes))
	for name, data := range changes {
		whole[d.at(name)] = data
	}
	return d.Store.Holds(ctx, head, base, whole)
}
