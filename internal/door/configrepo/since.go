package configrepo

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
)

// When a branch had a commit decides how long a digest has run. The author of a
// commit can write any time into it, so the time counts only within bounds:
//
//  1. On GitHub, the time at which GitHub saw the branch move counts, where
//     GitHub still lists that move. No committer chooses it.
//  2. A commit is no older than any commit before it on the branch.
//  3. A time that has not come yet is not believed: the commit counts from now,
//     and those after it are not held up.
//
// In a local directory the first rule is missing. There, somebody who pushes a
// commit can still date it back to the newest commit before it.

// believed walks a first-parent line, newest first, by rules 2 and 3.
func believed(times []time.Time, now time.Time) []time.Time {
	out := make([]time.Time, len(times))
	var floor time.Time
	for i := len(times) - 1; i >= 0; i-- {
		if times[i].After(now) {
			out[i] = now
			continue
		}
		if times[i].After(floor) {
			floor = times[i]
		}
		out[i] = floor
	}
	return out
}

// latest is the later of two clocks: that of the caller, which dates commits, and
// the machine's. A commit is of the future only by both.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// since says when the branch that ends in sha had each commit of its own line.
func (l *Local) since(ctx context.Context, sha string) (map[string]time.Time, error) {
	l.timesLock.Lock()
	defer l.timesLock.Unlock()
	if known, ok := l.times[sha]; ok {
		return known, nil
	}
	out, err := l.output(ctx, nil, "log", "--first-parent", "--no-show-signature", "--format=%H %ct", sha, "--")
	if err != nil {
		return nil, fmt.Errorf("read the times of the branch: %w", err)
	}
	var shas []string
	var times []time.Time
	for line := range strings.Lines(string(out)) {
		id, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the times of the branch: commit %s has time %q", id, text)
		}
		shas, times = append(shas, id), append(times, time.Unix(seconds, 0).UTC())
	}
	since := make(map[string]time.Time, len(shas))
	for i, t := range believed(times, latest(l.now(), time.Now())) {
		since[shas[i]] = t.UTC()
	}
	if l.times == nil {
		l.times = map[string]map[string]time.Time{}
	}
	l.times[sha] = since
	return since, nil
}

// maxMovePages bounds how far GitHub's list of moves is read back.
const maxMovePages = 10

// since fills in when the branch had each entry. line is the branch's own,
// newest first, as far as it was read.
func (g *GitHub) since(ctx context.Context, line []github.Commit, entries []Entry, ask bool) error {
	now := latest(g.Now(), time.Now())
	times, at := make([]time.Time, len(line)), make(map[string]int, len(line))
	for i, c := range line {
		times[i], at[c.SHA] = c.Time, i
	}
	floors := believed(times, now)
	var moves []github.Move
	if ask && len(entries) > 0 {
		var err error
		if moves, err = g.moved(ctx); err != nil {
			return err
		}
	}
	for i := range entries {
		e := &entries[i]
		position, known := at[e.SHA]
		if !known { // older than what was read
			e.Since = believed([]time.Time{e.Time}, now)[0].UTC()
			continue
		}
		e.Since = floors[position].UTC()
		if t, ok := arrival(moves, at, position, now); ok {
			e.Since, e.Move = t.At.UTC(), t.After
		}
	}
	return nil
}

// arrival is when GitHub saw the branch get the commit at a position of its
// line: the newest move from before it to it, or past it. A commit that is newer
// than every move that GitHub lists has only just come.
func arrival(moves []github.Move, at map[string]int, position int, now time.Time) (github.Move, bool) {
	before := false // whether a move is listed that led to a commit before it
	after := false  // and one to it, or past it
	for _, m := range moves {
		to, known := at[m.After]
		if !known || to > position {
			before = before || known
			continue
		}
		after = true
		if from, known := at[m.Before]; !known || from > position {
			return m, true
		}
	}
	return github.Move{At: now}, before && !after
}

// moved reads when the branch moved. A server that does not list that leaves it
// to the times of commits.
func (g *GitHub) moved(ctx context.Context) ([]github.Move, error) {
	g.mu.Lock()
	known, branch := g.moves, g.Branch
	g.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if branch == "" {
		var err error
		if branch, err = g.DefaultBranch(ctx); err != nil {
			return nil, err
		}
	}
	moves, err := g.api.Moves(ctx, g.repo, branch, maxMovePages)
	if github.IsStatus(err, http.StatusNotFound) || github.IsStatus(err, http.StatusForbidden) {
		moves, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.moves = append([]github.Move{}, moves...)
	return g.moves, nil
}
