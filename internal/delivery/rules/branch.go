package rules

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

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
	Base   string                 // commit that it is built on
	Images map[string]history.Set // that it changes the overlays to, by application
	Files  map[string][]byte      // the overlays, changed
	Hold   []byte                 // the hold of the place; nil without one
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
func At(ctx context.Context, repo Branches, branch string, apps []config.App, env string) (head string, own *Branch, err error) {
	head, err = repo.Head(ctx, branch)
	if errors.Is(err, configrepo.ErrNotFound) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	own, err = Own(ctx, repo, head, apps, env)
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

// Own reads a branch that holds Waybill's own commit for the places of applications in
// one environment and nothing else: the base that its trailers name, with the overlays
// changed to the digests that they name. It gives nil for any other branch. Trailers alone
// prove nothing: somebody may have changed the commit and kept its message.
func Own(ctx context.Context, repo Snapshots, head string, apps []config.App, env string) (*Branch, error) {
	message, base, err := built(ctx, repo, head)
	if err != nil {
		return nil, err
	}
	images := claimed(message, apps, env)
	apps = slices.DeleteFunc(slices.Clone(apps), func(app config.App) bool { return images[app.Name] == nil })
	if base == "" || len(images) == 0 {
		return nil, nil
	}
	was, err := repo.Snapshot(ctx, base)
	if errors.Is(err, configrepo.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	own := &Branch{Base: base, Images: images}
	if own.Copies, err = copied(was, message, apps, env); err != nil {
		return nil, nil //nolint:nilerr // no promotion does what cannot be copied
	}
	begun := history.Copied(was.Files, own.Copies)
	quickly := func(files map[string][]byte, app config.App) (overlay.Result, error) {
		return history.Edit(files, app, env, images[app.Name])
	}
	held := hold.Path(apps[0].Name, env)
	unedited := own.edit(begun, apps, quickly)
	if unedited == nil {
		changes := maps.Clone(own.Copies)
		maps.Copy(changes, own.Files)
		if holds, err := repo.Holds(ctx, head, base, changes); err != nil || holds {
			own.Hold = was.Files[held]
			return own, err
		}
	}
	now, err := repo.Snapshot(ctx, head)
	if err != nil {
		return nil, err
	}
	own.Hold = now.Files[held]
	is := func(err error) bool {
		files := maps.Clone(begun)
		maps.Copy(files, own.Files)
		if history.Trailer(message, history.TrailerVerb) == history.RollBack && len(apps) == 1 &&
			addsHold(was.Files[held], now.Files[held], held, apps[0].Name, env) {
			files[held] = now.Files[held]
		}
		return err == nil && now.SameFiles(files, was)
	}
	rendered := func(files map[string][]byte, app config.App) (overlay.Result, error) { // what is edited can depend on what renders
		change, err := history.Prepare(ctx, render.New(files), app, env, images[app.Name])
		return change.Result, err
	}
	if is(unedited) || is(own.edit(begun, apps, rendered)) {
		return own, nil
	}
	return nil, ctx.Err() // not by this configuration's rules
}

// copied are the files that a message says were copied for its applications.
func copied(was *configrepo.Snapshot, message string, apps []config.App, env string) (map[string][]byte, error) {
	all := make(map[string][]byte)
	for _, app := range apps {
		from := cameFrom(message, app.Name)
		if from == "" {
			continue
		}
		copies, err := history.Copies(was, app, from, env)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, copies)
	}
	return all, nil
}

// edit changes the overlay of each application, one after the other: two can be in one
// file.
func (b *Branch) edit(
	files map[string][]byte, apps []config.App, change func(map[string][]byte, config.App) (overlay.Result, error),
) error {
	b.Files = make(map[string][]byte)
	for _, app := range apps {
		result, err := change(files, app)
		if err != nil {
			return err
		}
		if len(result.Edits) > 0 {
			b.Files[result.Place.File] = result.After
			files = history.With(files, result.Place.File, result.After)
		}
	}
	return nil
}

// claimed are the images that a message says it brings to the places of applications, for
// each that it names; nil if it is about others, or brings nothing.
func claimed(message string, apps []config.App, env string) map[string]history.Set {
	if history.Trailer(message, history.TrailerEnvironment) != env {
		return nil
	}
	named, images := history.Trailers(message, history.TrailerApp), make(map[string]history.Set)
	by := make(map[string][]imageref.Ref)
	for _, text := range history.Trailers(message, history.TrailerImage) {
		image, err := imageref.Parse(text)
		i := slices.IndexFunc(apps, func(app config.App) bool { _, has := app.PartOf(image.Repository()); return err == nil && has })
		if i < 0 || !slices.Contains(named, apps[i].Name) {
			return nil
		}
		by[apps[i].Name] = append(by[apps[i].Name], image)
	}
	for _, app := range apps {
		set, err := history.Named(app, by[app.Name])
		if err != nil {
			return nil
		}
		if len(by[app.Name]) > 0 {
			images[app.Name] = set
		}
	}
	if len(images) != len(named) {
		return nil // an application that is not of these, or that it brings nothing to
	}
	return images
}

// cameFrom is the environment that files of an application were copied from, as a message
// says; empty where none were.
func cameFrom(message, app string) string {
	for _, from := range history.Trailers(message, history.TrailerFrom) {
		if env, of, named := strings.Cut(from, " "); !named || of == app {
			return env
		}
	}
	return ""
}
