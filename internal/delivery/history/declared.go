package history

import (
	"context"
	"errors"
	"slices"
	"time"

	imagename "github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Ran finds the newest period in which ref ran in env, at or before rev, and lets it
// begin no earlier than waybill.yaml had the place. A file that was written before
// it was a place was judged by nobody, so what it named then did not run there.
func Ran(ctx context.Context, repo Reader, w Where, ref imageref.Ref) (Period, bool, error) {
	if part, has := w.App.PartOf(ref.Repository()); has {
		w.App = part
	}
	p, found, err := Find(ctx, repo, w, ref)
	if err != nil || !found {
		return Period{}, false, err
	}
	p, found, err = Declared(ctx, repo, w, p)
	return p, found && p.ran(), err
}

// Declared cuts from a period what came before waybill.yaml had the place. It
// reports whether anything is left.
func Declared(ctx context.Context, repo Reader, w Where, p Period) (Period, bool, error) {
	if has, err := hasPlace(ctx, repo, w, p.Commit); has || err != nil {
		return p, has, err
	}
	entries, err := repo.Log(ctx, w.Rev, config.FileName, historyLimit)
	if err != nil {
		return Period{}, false, err
	}
	var since time.Time
	for i, entry := range entries {
		has, err := hasPlace(ctx, repo, w, entry.SHA)
		if err != nil {
			return Period{}, false, err
		}
		if !has && i == 0 {
			return Period{}, false, nil
		}
		if entry.Since.After(since) && !has || has {
			since = entry.Since
		}
		if !has {
			break
		}
	}
	if since.After(p.Since) {
		p.Since = since
	}
	if len(entries) == 0 || !p.Until.IsZero() && !p.Until.After(p.Since) {
		return Period{}, false, nil
	}
	return p, true, nil
}

// hasPlace reports whether waybill.yaml had the place at a commit, under whatever
// name of the application.
func hasPlace(ctx context.Context, repo Reader, w Where, rev string) (bool, error) {
	data, err := repo.File(ctx, rev, config.FileName)
	if errors.Is(err, configrepo.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil {
		return false, nil // who cannot read it judges nothing
	}
	return slices.ContainsFunc(cfg.AppNames(), func(name string) bool {
		app, _, err := cfg.Place(name, w.Env)
		other := func(image imagename.Repository) bool { return !slices.Contains(app.Images(), image) }
		return err == nil && app.Overlay(w.Env) == w.App.Overlay(w.Env) && !slices.ContainsFunc(w.App.Images(), other)
	}), nil
}
