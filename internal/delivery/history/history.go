package history

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Reader reads the history of a config repository.
type Reader interface {
	File(ctx context.Context, rev, path string) ([]byte, error)
	Log(ctx context.Context, rev, path string, limit int) ([]configrepo.Entry, error)
}

// Period is a time in which one digest ran in an environment, or one set of them.
type Period struct {
	Ref    imageref.Ref // zero for an application of several images: see Set
	Set    Set
	Commit string    // that brought it to the branch
	Since  time.Time // when that came; no earlier than anything before it claims to have
	Until  time.Time // when another replaced it; zero when it still runs
	Author string    // of the commit, as git has it
	// Message is the commit's, whose trailers say where the digest came from. Only
	// a record of evidence proves that.
	Message string

	// With names the others of the set with which the digest ran, for people.
	With string
	// Alone names the others of the set that is asked about, where the digest ran there but
	// never together with them.
	Alone string

	move, ended string // of the branch, that brought it and its successor; empty if not known
}

// Length is how long the period lasted, or has lasted at now.
func (p Period) Length(now time.Time) time.Duration {
	if p.Until.IsZero() {
		return now.Sub(p.Since)
	}
	return p.Until.Sub(p.Since)
}

// Of is the period of a set for one of its images.
func (p Period) Of(ref imageref.Ref) Period {
	p.Ref = ref
	return p
}

// Overlaps reports whether the branch stood at a commit that lies in both periods. What
// one move of the branch brought and another commit of the same move took away again did
// not run together.
func (p Period) Overlaps(o Period) bool {
	both := Period{Since: p.Since, move: p.move, Until: p.Until, ended: p.ended}
	if o.Since.After(both.Since) {
		both.Since, both.move = o.Since, o.move
	}
	if both.Until.IsZero() || !o.Until.IsZero() && o.Until.Before(both.Until) {
		both.Until, both.ended = o.Until, o.ended
	}
	return (both.Until.IsZero() || both.Until.After(both.Since)) && both.ran()
}

// shortest is how long a digest must have stood before another replaced it, to have
// run. A rebase, a push or a merge queue brings several commits at once: what only
// those on the way name was never deployed, and nobody judged it.
const shortest = 2 * time.Second

// passing reports whether a digest is known to have come and gone by one move of the
// branch.
func (p Period) passing() bool { return p.move != "" && p.move == p.ended }

// ran reports whether the branch stood at what a period names. Where the moves of the
// branch are not known, the period has to be long enough.
func (p Period) ran() bool {
	if p.move != "" && p.ended != "" {
		return !p.passing()
	}
	return p.Until.IsZero() || p.Until.Sub(p.Since) >= shortest
}

// Files are the files that name the images of applications at a tip. What cannot be
// read is left out.
func Files(tip Tip, apps []string) (files []string) {
	for _, name := range apps {
		app, err := tip.Config.App(name)
		if err != nil {
			continue
		}
		for _, env := range app.Environments {
			if places, err := ReadSet(tip.Files, app, env); err == nil {
				files = append(files, places.File())
			}
		}
	}
	return files
}

// historyLimit bounds how many commits of an overlay are looked at, where nobody
// asks for more.
const historyLimit = 100

// History lists what ran in a place, newest first, reading as far back as it is
// asked to. Commits at which the overlay cannot be read, or names no digest, are no
// period, and neither is what came and went by one move of the branch.
func History(ctx context.Context, repo Reader, w Where) iter.Seq2[Period, error] {
	return periods(ctx, repo, w, func(configrepo.Entry) (Set, bool) { return nil, false })
}

// Where is a place at a revision.
type Where struct {
	Rev string
	App config.App
	Env string
	// Limit is how many commits of the overlay are looked at; 0 is a hundred.
	Limit int
}

// Find finds the newest period in which ref ran in env, at or before rev. A period
// that ended at once is none. Of an application of several images, it is the period of
// ref alone, whatever ran beside it.
//
// A commit whose trailers say that it brought another digest is not read: to
// claim that falsely can make the period shorter, never longer.
func Find(ctx context.Context, repo Reader, w Where, ref imageref.Ref) (Period, bool, error) {
	if part, has := w.App.PartOf(ref.Repository()); has {
		w.App = part
	} else if w.App.Several() {
		return Period{}, false, nil // no part of the application has this repository
	}
	other := func(e configrepo.Entry) (Set, bool) {
		if !slices.Contains(Trailers(e.Message, TrailerApp), w.App.Name) || Trailer(e.Message, TrailerEnvironment) != w.Env {
			return nil, false
		}
		for _, text := range Trailers(e.Message, TrailerImage) {
			claimed, err := imageref.Parse(text)
			if err == nil && claimed != ref && claimed.Name() == ref.Name() {
				return Set{claimed}, true
			}
		}
		return nil, false
	}
	for p, err := range periods(ctx, repo, w, other) {
		if err != nil {
			return Period{}, false, err
		}
		if p.Ref == ref && p.ran() {
			return p, true, nil
		}
	}
	return Period{}, false, nil
}

// periods lists the periods; known gives the digest of a commit that need not
// be read.
func periods(
	ctx context.Context, repo Reader, w Where, known func(configrepo.Entry) (Set, bool),
) iter.Seq2[Period, error] {
	return func(yield func(Period, error) bool) {
		file, err := fileAt(ctx, repo, w.Rev, Target(w.App, w.Env))
		if err != nil {
			yield(Period{}, err)
			return
		}
		if file == "" { // a place that is not there has no history
			return
		}
		entries, err := repo.Log(ctx, w.Rev, file, cmp.Or(w.Limit, historyLimit))
		if err != nil {
			yield(Period{}, err)
			return
		}
		// A digest does not run from earlier on than the one before it.
		floors := make([]time.Time, len(entries)+1)
		for i := len(entries) - 1; i >= 0; i-- {
			if floors[i] = floors[i+1]; entries[i].Since.After(floors[i]) {
				floors[i] = entries[i].Since
			}
		}
		var current Period
		for i, entry := range entries {
			set, ok := known(entry)
			if !ok {
				rev := entry.SHA
				if i == 0 {
					rev = w.Rev // nothing has touched the file since
				}
				if set, err = deployedAt(ctx, repo, rev, file, w); err != nil {
					yield(Period{}, err)
					return
				}
			}
			next := Period{
				Ref: set.Only(), Set: set, Commit: entry.SHA, Since: floors[i], Author: entry.AuthorName, Message: entry.Message,
				move: entry.Move,
			}
			switch {
			case i == 0:
			case set.Equal(current.Set):
				next.Until, next.ended = current.Until, current.ended
			default:
				if !current.Set.empty() && !current.passing() && !yield(current, nil) {
					return
				}
				next.Until, next.ended = current.Since, current.move
			}
			current = next
		}
		if !current.Set.empty() {
			yield(current, nil)
		}
	}
}

// deployedAt are the digests that the overlay's file named at a commit; zero where it
// cannot be read, or names a tag.
func deployedAt(ctx context.Context, repo Reader, rev, file string, w Where) (Set, error) {
	parts := w.App.Parts()
	set := make(Set, len(parts))
	data, err := repo.File(ctx, rev, file)
	if errors.Is(err, configrepo.ErrNotFound) {
		return set, nil
	}
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		place, err := overlay.Read(map[string][]byte{file: data}, Target(part, w.Env))
		if err == nil && place.Tag == "" {
			set[i] = place.Ref
		}
	}
	return set, nil
}

// fileAt finds the overlay's file at rev without reading the whole tree; empty
// where there is none.
func fileAt(ctx context.Context, repo Reader, rev string, target overlay.Target) (string, error) {
	for _, candidate := range overlay.Candidates(target) {
		_, err := repo.File(ctx, rev, candidate)
		if err == nil {
			return candidate, nil
		}
		if !errors.Is(err, configrepo.ErrNotFound) {
			return "", err
		}
	}
	_, err := repo.Log(ctx, rev, "", 1) // a revision that is not there is another matter
	return "", err
}
