package configrepo

import (
	"context"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// window bounds how many commits are read to find out how others came to the
// branch; what is older than that counts as committed where it was written.
const window = 1000

// Log lists the steps that changed path (empty is any), newest first, at most
// limit (0 is all).
func (g *GitHub) Log(ctx context.Context, rev, path string, limit int) ([]Entry, error) {
	sha, err := g.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	// GitHub lists the commits of side branches, and not their merges.
	atLeast := limit
	if limit > 0 && path != "" {
		atLeast = max(limit, 100) // a page: several commits may have come in one merge
	}
	touching, err := g.api.Commits(ctx, g.repo, sha, path, atLeast)
	if err != nil {
		return nil, err
	}
	var landed map[string]github.Commit
	var line []github.Commit
	for _, size := range []int{100, window} {
		known, err := g.api.Commits(ctx, g.repo, sha, "", size)
		if err != nil {
			return nil, err
		}
		line, landed = landings(sha, known)
		if len(known) < size || covers(landed, touching) {
			break
		}
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
		entries = append(entries, Entry{
			SHA: c.SHA, Time: c.Time.UTC(), Message: strings.TrimRight(c.Message, "\n"), AuthorName: c.AuthorName,
			AuthorEmail: c.AuthorEmail,
		})
	}
	if err := g.since(ctx, line, entries, path != ""); err != nil {
		return nil, err
	}
	return entries, nil
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
