package configrepo

import (
	"context"
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// window bounds how many commits are read to find out how others came to the
// branch; what is older than that counts as committed where it was written.
const window = 1000

// page is how many commits GitHub lists at once.
const page = 100

// Log lists the steps that changed path (empty is any), newest first, at most
// limit (0 is all).
func (g *GitHub) Log(ctx context.Context, rev, path string, limit int) ([]Entry, error) {
	if path == "" && limit == 1 {
		return g.tip(ctx, rev)
	}
	sha, err := g.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	touching, err := g.touching(ctx, sha, path, limit)
	if err != nil {
		return nil, err
	}
	line, landed, err := g.branch(ctx, sha, touching)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	seen := map[string]bool{}
	for _, c := range touching {
		if merge, ok := landed[c.SHA]; ok {
			c = merge
		}
		if seen[c.SHA] || limit > 0 && len(entries) == limit {
			continue
		}
		seen[c.SHA] = true
		entries = append(entries, entryOf(c))
	}
	if err := g.since(ctx, line, entries, path != ""); err != nil {
		return nil, err
	}
	return entries, nil
}

// tip is the newest commit alone, which came by itself.
func (g *GitHub) tip(ctx context.Context, rev string) ([]Entry, error) {
	g.mu.Lock()
	known, read := g.tips[rev]
	g.mu.Unlock()
	newest, err := []github.Commit{known}, error(nil)
	if !read {
		newest, err = g.api.Commits(ctx, g.repo, rev, "", 1)
	}
	if err != nil || len(newest) == 0 {
		return nil, notFound(err, http.StatusNotFound, http.StatusUnprocessableEntity)
	}
	g.mu.Lock()
	g.heads[newest[0].SHA] = true
	g.mu.Unlock()
	entries := []Entry{entryOf(newest[0])}
	return entries, g.since(ctx, newest, entries, false)
}

func entryOf(c github.Commit) Entry {
	return Entry{
		SHA: c.SHA, Time: c.Time.UTC(), Message: strings.TrimRight(c.Message, "\n"), AuthorName: c.AuthorName, AuthorEmail: c.AuthorEmail,
		Parents: c.Parents,
	}
}

// touching lists the commits that touch path.
func (g *GitHub) touching(ctx context.Context, sha, path string, limit int) ([]github.Commit, error) {
	// GitHub lists the commits of side branches, and not their merges.
	atLeast := limit
	if limit > 0 && path != "" {
		atLeast = max(limit, page) // several commits may have come in one merge
	}
	if steps, ok := g.stepsAhead(sha, path); ok && (!steps.More || limit > 0 && len(steps.Commits) >= atLeast) {
		return steps.Commits, nil
	}
	return g.api.Commits(ctx, g.repo, sha, path, atLeast)
}

// branchLine is what is known of a branch's own line.
type branchLine struct {
	line   []github.Commit
	landed map[string]github.Commit // by which commit of the line each commit came
	whole  bool                     // whether nothing more is read
}

// branch reads the line that ends in sha, so far that the commits are on it, or as
// far as is ever read.
func (g *GitHub) branch(ctx context.Context, sha string, commits []github.Commit) ([]github.Commit, map[string]github.Commit, error) {
	g.mu.Lock()
	b := g.branches[sha]
	g.mu.Unlock()
	for _, size := range []int{page, window} {
		if b != nil && (b.whole || covers(b.landed, commits)) {
			break
		}
		if b != nil && size == page {
			continue // it was read already
		}
		known, err := g.api.Commits(ctx, g.repo, sha, "", size)
		if err != nil {
			return nil, nil, err
		}
		b = &branchLine{whole: len(known) < size || size == window}
		b.line, b.landed = landings(sha, known)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.branches[sha] = b
	return b.line, b.landed, nil
}

// landings gives head's first-parent line, newest first, and says by which commit
// of it each commit came.
func landings(head string, commits []github.Commit) (line []github.Commit, landed map[string]github.Commit) {
	known := make(map[string]github.Commit, len(commits))
	for _, c := range commits {
		known[c.SHA] = c
	}
	for sha := head; sha != ""; {
		c, ok := known[sha]
		if !ok {
			break
		}
		line = append(line, c)
		sha = ""
		if len(c.Parents) > 0 {
			sha = c.Parents[0]
		}
	}
	landed = make(map[string]github.Commit, len(commits))
	for i := len(line) - 1; i >= 0; i-- {
		landed[line[i].SHA] = line[i]
		if len(line[i].Parents) < 2 {
			continue
		}
		for side := append([]string{}, line[i].Parents[1:]...); len(side) > 0; {
			sha := side[len(side)-1]
			side = side[:len(side)-1]
			c, ok := known[sha]
			if _, before := landed[sha]; before || !ok {
				continue
			}
			landed[sha] = line[i]
			side = append(side, c.Parents...)
		}
	}
	return line, landed
}

func covers(landed map[string]github.Commit, commits []github.Commit) bool {
	for _, c := range commits {
		if _, ok := landed[c.SHA]; !ok {
			return false
		}
	}
	return true
}
