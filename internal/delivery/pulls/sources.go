package pulls

import (
	"context"
	"sync"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
)

// Sources gives a client that may read a source repository; nil where this
// identity has no access to it.
type Sources func(ctx context.Context, repository github.Repository) (*github.Client, error)

// AppSources asks, once for each repository, for a token of the App that may
// read the contents of that repository and nothing else. An App that is not
// installed there, or may not read there, gives nil.
func AppSources(options github.Options, app apps.App) Sources {
	var mu sync.Mutex
	known := map[github.Repository]*github.Client{}
	return func(ctx context.Context, repository github.Repository) (*github.Client, error) {
		mu.Lock()
		defer mu.Unlock()
		if client, asked := known[repository]; asked {
			return client, nil
		}
		token, err := apps.Token(ctx, options, app, repository, map[string]string{"contents": "read"})
		if unreadable(err) || github.IsStatus(err, 422) {
			known[repository] = nil
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		scoped := options
		scoped.Token = token
		client, err := github.New(scoped)
		if err != nil {
			return nil, err
		}
		known[repository] = client
		return client, nil
	}
}

// source is the client that reads a source repository; nil for none.
func (f Forge) source(ctx context.Context, repository github.Repository) (*github.Client, error) {
	if f.Sources == nil || repository == f.Repository {
		return f.API, nil
	}
	return f.Sources(ctx, repository)
}
