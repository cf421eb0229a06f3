package hold

import (
	"context"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as hold uses it.
type Repository interface {
	Reader
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	Commit(ctx context.Context, r configrepo.Request) (string, error)
}

// Request says what to hold, or to let go.
type Request struct {
	App, Env string
	Lift     bool
	Reason   string
	Branch   string
	Run      string
}

// Result is what was done.
type Result struct {
	Changed bool   `json:"changed"` // whether a commit was made
	Commit  string `json:"commit"`  // on the config repository's branch
	Hold    Hold   `json:"hold"`    // that holds now, or was lifted; empty if there was none
}

// Run writes or removes the hold of a place, by a commit to the branch.
func Run(ctx context.Context, repo Repository, req Request) (result Result, err error) {
	_, err = history.Race(ctx, repo, func() (err error) {
		result, err = once(ctx, repo, req)
		return err
	})
	return result, err
}

func once(ctx context.Context, repo Repository, req Request) (Result, error) {
	tip, err := history.ReadTip(ctx, repo, req.Branch)
	if err != nil {
		return Result{}, err
	}
	file := Path(req.App, req.Env)
	data, found := tip.Files[file]
	result := Result{Commit: tip.Commit}
	if found {
		result.Hold = Parse(file, data, req.App, req.Env)
	}
	if _, _, err := tip.Config.Place(req.App, req.Env); err != nil && !found { // a hold outlives its place, and can be lifted
		return Result{}, err
	}
	change := configrepo.Change{Path: file}
	switch {
	case req.Lift && !found:
		return result, nil
	case !req.Lift:
		if !text.Shows(req.Reason) {
			return result, outcome.Usagef("a hold needs a reason: say with --reason why %s stays as it is in %s", req.App, req.Env)
		}
		h := Hold{App: req.App, Env: req.Env, Reason: req.Reason}
		if change.Content = h.File(); string(change.Content) == string(data) {
			return result, nil
		}
		result.Hold = h
	}
	if result.Commit, err = repo.Commit(ctx, configrepo.Request{
		Branch: req.Branch, Expect: tip.Commit, Parent: tip.Commit, Changes: []configrepo.Change{change}, Message: req.message(result.Hold),
	}); err != nil {
		return result, err
	}
	result.Changed = true
	return result, nil
}

func (r Request) message(h Hold) string {
	verb := history.Hold
	reason := r.Reason
	if r.Lift {
		verb = history.Lift
		reason = strings.TrimSpace(reason + " It was held because: " + h.Reason)
	}
	m := history.Message{Verb: verb, Apps: []string{r.App}, Env: r.Env, Run: r.Run, Reason: reason}
	return m.String()
}
