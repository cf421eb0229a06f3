package configrepo

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/text"
)

// GitHub cuts the list of a large tree, near 30,000 files. Then an archive of the commit is
// the guess at what is in it, and the ids of directories, which git computes from their
// content, say where the guess is right. What differs there (export-ignore, submodules, files
// that are not read) is listed directory by directory.

// maxListings bounds the requests that list one tree.
const maxListings = 200

// largeTree lists the files of a commit whose list GitHub cuts.
func (g *GitHub) largeTree(ctx context.Context, sha string) (map[string]treeRef, error) {
	archived, err := g.archived(ctx, sha)
	if err != nil {
		return nil, err
	}
	root, err := g.root(ctx, sha)
	if err != nil {
		return nil, err
	}
	l := listing{g: g, guess: archived.refs, ids: treeIDs(archived.refs), files: make(map[string]treeRef, len(archived.refs))}
	if err := l.list(ctx, root, ""); err != nil {
		return nil, fmt.Errorf("list the files of %s@%s: %w", g.repo, text.Commit(sha), err)
	}
	return l.files, nil
}

// listing is a large tree that is being listed.
type listing struct {
	g        *GitHub
	guess    map[string]treeRef
	ids      map[string]string // of the guess's directories
	files    map[string]treeRef
	requests int
}

var errCut = errors.New("GitHub cuts the list because there are too many files: use a local clone (--dir)")

// list adds the files of a directory, whose tree has that id.
func (l *listing) list(ctx context.Context, id, dir string) error {
	if l.ids[dir] == id {
		for name, ref := range l.guess {
			if dir == "" || strings.HasPrefix(name, dir+"/") {
				l.files[name] = ref
			}
		}
		return nil
	}
	for _, below := range []bool{true, false} {
		if below && dir == "" {
			continue // that list was cut already
		}
		if l.requests++; l.requests > maxListings {
			return errCut
		}
		entries, cut, err := l.g.api.Tree(ctx, l.g.repo, id, below)
		if err != nil {
			return err
		}
		if cut {
			continue
		}
		addFiles(l.files, dir, entries)
		for _, e := range entries {
			if e.Type == "tree" && !below {
				if err := l.list(ctx, e.SHA, path.Join(dir, e.Path)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return errCut
}

// addFiles adds what is no directory.
func addFiles(files map[string]treeRef, dir string, entries []github.TreeEntry) {
	for _, e := range entries {
		if e.Type != "tree" {
			files[path.Join(dir, e.Path)] = treeRef{mode: e.Mode, sha: e.SHA, size: e.Size}
		}
	}
}

// treeIDs gives git's id of each directory that holds the files; that of all is "".
func treeIDs(files map[string]treeRef) map[string]string { return indexOf(files).ids }

// indexOf is what the directories hold that hold the files.
func indexOf(files map[string]treeRef) *treeIndex {
	inside := map[string][]git.TreeEntry{"": nil} // by directory
	for name, ref := range files {
		dir, base := path.Split(name)
		dir = strings.TrimSuffix(dir, "/")
		inside[dir] = append(inside[dir], git.TreeEntry{Name: base, Mode: ref.mode, ID: ref.sha})
		for ; dir != ""; dir = parent(dir) {
			if above := parent(dir); inside[above] == nil {
				inside[above] = []git.TreeEntry{}
			}
		}
	}
	dirs := make([]string, 0, len(inside))
	for dir := range inside {
		dirs = append(dirs, dir)
	}
	slices.SortFunc(dirs, func(a, b string) int { return len(b) - len(a) }) // what is below comes first
	ids := make(map[string]string, len(dirs))
	for _, dir := range dirs {
		ids[dir] = git.TreeID(inside[dir])
		if dir != "" {
			inside[parent(dir)] = append(inside[parent(dir)], git.TreeEntry{Name: path.Base(dir), Mode: git.ModeDirectory, ID: ids[dir]})
		}
	}
	return &treeIndex{inside: inside, ids: ids}
}

func parent(dir string) string {
	if above := path.Dir(dir); above != "." {
		return above
	}
	return ""
}
