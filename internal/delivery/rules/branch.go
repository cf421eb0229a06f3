package rules

import (
	"context"
	"errors"
	"maps"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// TrailerBase names the commit that a branch of Waybill's was built on, so that
// what the branch holds can be told from what somebody added to it.
const TrailerBase = "Waybill-Base"

// Snapshots reads the files of commits.
type Snapshots interface {
	Log(ctx context.Context, rev, path string, limit int) ([]configrepo.Entry, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	Holds(ctx context.Context, head, base string, changes map[string][]byte) (bool, error)
}

// Branches are the branches of the config repository, with what Snapshots gives.
type Branches interface {
	Snapshots
	Head(ctx context.Context, branch string) (string, error)
}

// Branch is what a branch of Waybill's holds.
type Branch struct {
	Base  string       // commit that it is built on
	Image imageref.Ref // that it changes the overlay to
	File  []byte       // the overlay, changed
	Hold  []byte       // the hold of the place; nil without one
	// Copies are the files that it copies from the environment before.
	Copies map[string][]byte
}

// addsHold reports whether a hold differs, and keeps out all that it did before:
// that is what a rollback changes beside the overlay.
func addsHold(before, after []byte, file, app, env string) bool {
	if after == nil {
		return false
	}
	return before == nil || hold.Parse(file, after, app, env).Covers(hold.Parse(file, before, app, env))
}

// At reads where a branch is, empty if there is none, and what Waybill wrote there;
// nil if the branch holds anything else.
func At(ctx context.Context, repo Branches, branch string, app config.App, env string) (head string, own *Branch, err error) {
	head, err = repo.Head(ctx, branch)
	if errors.Is(err, configrepo.ErrNotFound) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	own, err = Own(ctx, repo, head, app, env)
	return head, own, err
}

// built says what a branch was built on, and with which message. "Update branch" on
// the page of a pull request merges the base into Waybill's commit, or puts that on
// top of the base.
// https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/proposing-changes-to-your-work-with-pull-requests/keeping-your-pull-request-in-sync-with-the-base-branch
func built(ctx context.Context, repo Snapshots, head string) (message, base string, err error) {
	entries, err := repo.Log(ctx, head, "", 1)
	if err != nil || len(entries) == 0 {
		return "", "", err
	}
	last, parents := entries[0], entries[0].Parents
	if len(parents) == 2 && history.Trailer(last.Message, TrailerBase) == "" {
		if entries, err = repo.Log(ctx, parents[0], "", 1); err != nil || len(entries) == 0 {
			return "", "", err
		}
		last, parents = entries[0], parents[1:]
	}
	if base = history.Trailer(last.Message, TrailerBase); base != "" && len(parents) == 1 {
		base = parents[0]
	}
	return last.Message, base, nil
}

// Own reads a branch that holds Waybill's own commit for the place and nothing
// else: the base that its trailers name, with the overlay changed to the digest
// that they name. It gives nil for any other branch. Trailers alone prove
// nothing: somebody may have changed the commit and kept its message.
func Own(ctx context.Context, repo Snapshots, head string, app config.App, env string) (*Branch, error) {
	message, base, err := built(ctx, repo, head)
	if err != nil {
		return nil, err
	}
	image, parseErr := imageref.Parse(history.Trailer(message, history.TrailerImage))
	if base == "" || parseErr != nil || history.Trailer(message, history.TrailerApp) != app.Name ||
		history.Trailer(message, history.TrailerEnvironment) != env {
		return nil, nil
	}
	was, err := repo.Snapshot(ctx, base)
	if errors.Is(err, configrepo.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var copies map[string][]byte
	if from := history.Trailer(message, history.TrailerFrom); from != "" {
		if copies, err = history.Copies(was, app, from, env); err != nil {
			return nil, nil //nolint:nilerr // no promotion does what cannot be copied
		}
	}
	held := hold.Path(app.Name, env)
	begun := history.Copied(was.Files, copies)
	edited, err := overlay.Set(begun, history.Target(app, env), image)
	if err == nil {
		changes := maps.Clone(copies)
		if changes == nil {
			changes = make(map[string][]byte)
		}
		changes[edited.Place.File] = edited.After
		if holds, err := repo.Holds(ctx, head, base, changes); err != nil || holds {
			return &Branch{Base: base, Image: image, File: edited.After, Hold: was.Files[held], Copies: copies}, err
		}
	}
	now, unread := repo.Snapshot(ctx, head)
	if unread != nil {
		return nil, unread
	}
	is := func() bool {
		files := history.With(begun, edited.Place.File, edited.After)
		if history.Trailer(message, history.TrailerVerb) == history.RollBack &&
			addsHold(was.Files[held], now.Files[held], held, app.Name, env) {
			files[held] = now.Files[held]
		}
		return err == nil && now.SameFiles(files, was)
	}
	if !is() { // what is edited can depend on what renders
		change, unprepared := history.Prepare(ctx, render.New(begun), app, env, image)
		if edited, err = change.Result, unprepared; !is() {
			return nil, ctx.Err() // not by this configuration's rules
		}
	}
	return &Branch{Base: base, Image: image, File: edited.After, Hold: now.Files[held], Copies: copies}, nil
}
