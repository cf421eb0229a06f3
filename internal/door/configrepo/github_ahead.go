package configrepo

import (
	"context"
	"maps"
	"path"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
)

// Bounds of one request that reads ahead: GitHub answers within ten seconds, or not
// at all.
// https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
const (
	historiesAtOnce = 30
	filesAtOnce     = 150
	// filesAhead is how many steps of a file are read: a table looks no further in
	// most rows.
	filesAhead = 8
	// newestAhead is how many are read to find out since when a digest is there.
	newestAhead = 2
)

// readAhead is what was read of one head by few requests.
type readAhead struct {
	steps map[string]github.Steps // by path
	files map[github.At][]byte
}

// ReadAhead reads the histories of many files by few requests, and their content at
// the newest steps. Log and File answer from it; what it does not hold, they ask as
// ever. rev is a full commit id. If waybill.yaml is among the files, it is also read
// as it was at the newest step of each other one.
func (g *GitHub) ReadAhead(ctx context.Context, rev string, paths []string) error {
	return g.read(ctx, rev, paths, filesAhead)
}

// ReadNewest is ReadAhead for who wants to know since when the newest step of each file
// stands, and not what was before.
func (g *GitHub) ReadNewest(ctx context.Context, rev string, paths []string) error {
	return g.read(ctx, rev, paths, newestAhead)
}

func (g *GitHub) read(ctx context.Context, rev string, paths []string, depth int) error {
	a, rules := g.aheadOf(rev), ""
	if i := slices.IndexFunc(paths, func(name string) bool { return path.Base(name) == config.FileName }); i >= 0 {
		rules = paths[i]
	}
	paths = slices.DeleteFunc(slices.Clone(paths), func(path string) bool { _, known := a.steps[path]; return known })
	if len(paths) == 0 {
		return nil
	}
	var commits []github.Commit
	for some := range slices.Chunk(paths, historiesAtOnce) {
		steps, err := g.api.Histories(ctx, g.repo, rev, some)
		if err != nil {
			return err
		}
		for path, s := range steps {
			a.steps[path] = s
			commits = append(commits, s.Commits...)
		}
	}
	_, landed, err := g.branch(ctx, rev, commits)
	if err != nil {
		return err
	}
	var wanted []github.At
	asked := make(map[github.At]bool)
	for _, path := range paths {
		isRules, newest := path == rules, a.steps[path].Commits
		for i, c := range newest[:min(len(newest), depth)] {
			if merge, ok := landed[c.SHA]; ok {
				c = merge
			}
			want := func(path string) {
				at := github.At{Commit: c.SHA, Path: path}
				if _, known := a.files[at]; !asked[at] && !known {
					asked[at] = true
					wanted = append(wanted, at)
				}
			}
			switch {
			case isRules:
			case i > 0:
				want(path)
			case rules != "":
				want(rules)
			}
		}
	}
	for some := range slices.Chunk(wanted, filesAtOnce) {
		files, err := g.api.RegularFilesAt(ctx, g.repo, some)
		if err != nil {
			return err
		}
		maps.Copy(a.files, files)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ahead[rev] = a
	return nil
}

// aheadOf copies what was read of a head already.
func (g *GitHub) aheadOf(rev string) *readAhead {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := &readAhead{steps: map[string]github.Steps{}, files: map[github.At][]byte{}}
	if known := g.ahead[rev]; known != nil {
		maps.Copy(a.steps, known.steps)
		maps.Copy(a.files, known.files)
	}
	return a
}

func (g *GitHub) stepsAhead(sha, path string) (github.Steps, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ahead[sha] == nil {
		return github.Steps{}, false
	}
	steps, ok := g.ahead[sha].steps[path]
	return steps, ok
}

// readAhead is a file that was read ahead.
func (g *GitHub) readAhead(sha, path string) ([]byte, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.ahead {
		if data, ok := a.files[github.At{Commit: sha, Path: path}]; ok {
			return data, true
		}
	}
	return nil, false
}
