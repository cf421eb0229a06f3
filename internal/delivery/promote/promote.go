// Package promote carries digests from one environment to the next by pull
// request, one for each application and target environment.
//
// Running it again changes nothing: the branch is rebuilt only when the digest
// or the overlay it edits has changed, the pull request only when its text has.
// A branch that holds anything else than Waybill's own commit is somebody's
// work and is left alone. Nothing in a pull request is trusted later: check
// verifies again.
package promote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Repository is the config repository, as promote uses it.
type Repository interface {
	history.Reader
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	ReadNewest(ctx context.Context, rev string, paths []string) error
	ReadHeads(ctx context.Context, heads []string) error
	Holds(ctx context.Context, head, base string, changes map[string][]byte) (bool, error)
	Commit(ctx context.Context, r configrepo.Request) (string, error)
	DeleteBranch(ctx context.Context, branch, expect string) error
}

// Forge opens pull requests. Without one, promote makes the branches alone.
type Forge interface {
	// OpenPulls lists the open pull requests from Waybill's branches, by branch.
	OpenPulls(ctx context.Context, base string) (map[string]rules.Pull, error)
	// OpenPull opens a pull request, or finds the one that is open already.
	OpenPull(ctx context.Context, branch, base, title, body string) (*rules.Pull, error)
	EditPull(ctx context.Context, number int, title, body string) error
	ClosePull(ctx context.Context, number int) error
	// Past says what became of the pull requests of the branch at this head that
	// are closed: merged, or declined by somebody.
	Past(ctx context.Context, branch, head string) (merged, declined bool, err error)
	Comment(ctx context.Context, number int, marker, body string) error
	RequestReviewers(ctx context.Context, number int, reviewers []string) error
	// StartCheck starts the check of a pull request, since one that the job
	// token makes starts no workflow by itself; pushed says that its head is new.
	StartCheck(ctx context.Context, pull rules.Pull, pushed bool) error
	// UpToDate reports whether the base takes only pull requests that are built on
	// its head.
	UpToDate(ctx context.Context, base string) (bool, error)
	// CheckedAll says of which heads the check has answered, or is under way.
	CheckedAll(ctx context.Context, heads []string) (map[string]bool, error)
	// Commits lists the source commits from base to head, newest first, at most
	// a page; ok is false when the repository cannot be read.
	Commits(ctx context.Context, repository, base, head string) (commits []rules.Commit, total int, ok bool, err error)
	// Link is the page of a commit of a source repository.
	Link(repository, commit string) string
}

// Request says what to promote. Empty fields mean all.
type Request struct {
	From, To, App string
	// Images, if there are any, are proposed for To, the first environment of App, where
	// that takes pull requests: nothing comes before it to promote from.
	Images     []imageref.Ref
	Branch     string
	AllowOlder bool
	Run        string
	Shard      Shard // of the applications
}

// Looks reports whether the request is about what runs in a place.
func (r Request) Looks(app, env string) bool {
	return (r.App == "" || r.App == app) && (r.From == "" || r.From == env) && r.Shard.has(app)
}

// States of a promotion.
const (
	Opened    = "opened"
	Updated   = "updated"
	Unchanged = "unchanged" // the pull request is open and right
	Committed = "committed" // the target environment takes commits
	Current   = "current"   // the target runs the digest already
	Refused   = "refused"
	Pending   = "pending"
	Declined  = "declined" // somebody closed the pull request for this digest
	Foreign   = "foreign"  // somebody else has pushed to the branch
)

// Promotion is what became of one application and target environment.
type Promotion struct {
	App      string             `json:"app"`
	From     string             `json:"from"`
	To       string             `json:"to"`
	Group    string             `json:"group,omitempty"` // with which it moves
	Image    imageref.Ref       `json:"image"`           // empty for an application with several: see parts
	Previous imageref.Ref       `json:"previous"`
	Parts    []history.Moved    `json:"parts,omitempty"` // of an application with several images: each that moves
	State    string             `json:"state"`
	Waiting  bool               `json:"waiting,omitempty"` // open, and a rule says not yet
	Number   int                `json:"number,omitempty"`
	URL      string             `json:"url,omitempty"`
	Branch   string             `json:"branch,omitempty"`
	Commit   string             `json:"commit,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	Decision *evidence.Decision `json:"decision,omitempty"`
	// Overflow is what did not fit into the pull request's body, as Markdown.
	Overflow string `json:"-"`
	Body     string `json:"-"`
}

// Verdict is a refusal or a wait as an outcome; nil for everything else.
func (p Promotion) Verdict() error {
	switch p.State {
	case Refused, Foreign, Declined:
		return outcome.Refusedf("%s", p.Reason)
	case Pending:
		return outcome.Pendingf("%s", p.Reason)
	}
	return nil
}

// Propose opens or updates the pull request of an image for the first
// environment of its application.
func (p *Promoter) Propose(ctx context.Context, req Request) (Promotion, error) {
	promotions, err := p.Run(ctx, req)
	if err != nil || len(promotions) == 0 {
		return Promotion{}, err
	}
	return promotions[0], promotions[0].Verdict()
}

// Promoter promotes within one config repository.
type Promoter struct {
	Repo  Repository
	Forge Forge // may be nil
	Judge *rules.Judge

	strict *bool // whether the base wants pull requests to be up to date, once that was asked
}

// Run promotes everything that the request names and may move. The error is
// about what could not be done at all; the other promotions are returned.
func (p *Promoter) Run(ctx context.Context, req Request) ([]Promotion, error) {
	now, err := p.look(ctx, req.Branch)
	if err != nil {
		return nil, err
	}
	moves, err := selectTrips(now.Config, req)
	if err != nil {
		return nil, err
	}
	if err := p.Repo.ReadNewest(ctx, now.Commit, sources(now.Tip, moves)); err != nil {
		return nil, err
	}
	promotions := []Promotion{}
	var problems []error
	for _, m := range moves {
		var results []Promotion
		_, err := history.Race(ctx, nil, func() (err error) {
			if now.stale {
				if now, err = p.look(ctx, req.Branch); err != nil {
					return err
				}
			}
			results, err = p.trip(ctx, now, m, req)
			now.stale = errors.Is(err, configrepo.ErrMoved) ||
				slices.ContainsFunc(results, func(r Promotion) bool { return r.State == Committed })
			return err
		})
		if err != nil {
			problems = append(problems, fmt.Errorf("promote %s: %w", m, err))
			continue
		}
		promotions = append(promotions, results...)
	}
	return promotions, outcome.Join(append(problems, p.comment(ctx, promotions))...)
}

// view is the config repository at one commit.
type view struct {
	history.Tip
	stale    bool // the branch has moved since
	renderer *render.Renderer
	// open lists the open pull requests, once: most places need none, and a
	// request for each would use up what GitHub allows in an hour.
	open func() (map[string]rules.Pull, error)
	// checked says which of their heads have been checked, once.
	checked func() (map[string]bool, error)
}

// heads are the commits that pull requests end in.
func heads(pulls map[string]rules.Pull) (list []string) {
	for _, branch := range slices.Sorted(maps.Keys(pulls)) {
		list = append(list, pulls[branch].Head)
	}
	return list
}

// pull is the open pull request of a branch; nil without one.
func (v view) pull(branch string) (*rules.Pull, error) {
	open, err := v.open()
	if pull, found := open[branch]; found {
		return &pull, nil
	}
	return nil, err
}

// rendering renders the tip with copies made.
func (v view) rendering(copies map[string][]byte) *render.Renderer {
	if len(copies) == 0 {
		return v.renderer
	}
	return render.New(history.Copied(v.Files, copies))
}

func (p *Promoter) look(ctx context.Context, branch string) (view, error) {
	tip, err := history.ReadTip(ctx, p.Repo, branch)
	if err != nil {
		return view{}, err
	}
	open := sync.OnceValues(func() (map[string]rules.Pull, error) {
		if p.Forge == nil {
			return nil, nil
		}
		pulls, err := p.Forge.OpenPulls(ctx, branch)
		if err != nil {
			return nil, err
		}
		return pulls, p.Repo.ReadHeads(ctx, heads(pulls))
	})
	checked := sync.OnceValues(func() (map[string]bool, error) {
		pulls, err := open()
		if err != nil {
			return nil, err
		}
		return p.Forge.CheckedAll(ctx, heads(pulls))
	})
	return view{Tip: tip, open: open, checked: checked, renderer: render.New(tip.Files)}, nil
}

// sources are the files whose histories say how long the digests that would move
// have run.
func sources(tip history.Tip, trips []trip) (files []string) {
	for _, t := range trips {
		for _, s := range t.steps {
			app, err := tip.Config.App(s.app)
			if err != nil {
				continue // the trip says so
			}
			to, _ := history.ReadSet(tip.Files, app, t.to)
			for _, name := range append([]string{s.from}, s.others...) {
				from, err := history.ReadSet(tip.Files, app, name)
				if err == nil && from.Set().Runs() && !from.Set().Equal(to.Set()) && !slices.Contains(files, from.File()) {
					files = append(files, from.File())
				}
			}
		}
	}
	if len(files) > 0 {
		files = append(files, config.FileName) // which says since when these are places
	}
	return files
}

// copies are the files that go with the image.
func (m move) copies(now view) (map[string][]byte, error) {
	if m.from.Name == "" {
		return nil, nil
	}
	return history.Copies(now.Snapshot, m.app, m.from.Name, m.to.Name)
}

// chooseFrom is the environment whose digest is promoted, where several stand before
// the target: the one that got its digest last if any is enough, and the one that
// got it first if the digest must have run in all of them.
func (p *Promoter) chooseFrom(ctx context.Context, now view, m move, s step) (config.Environment, error) {
	var chosen config.Environment
	var since time.Time
	for _, name := range append([]string{s.from}, s.others...) {
		_, env, err := now.Config.Place(s.app, name)
		if err != nil || len(s.others) == 0 {
			return env, err
		}
		places, err := history.ReadSet(now.Files, m.app, name)
		if err != nil {
			return env, err
		}
		if !places.Set().Runs() {
			if m.to.Any {
				continue
			}
			return env, nil
		}
		ran, _, err := history.Stands(ctx, p.Repo, history.Where{Rev: now.Commit, App: m.app, Env: name}, places.Set())
		if err != nil {
			return env, err
		}
		if later := ran.Since.After(since); chosen.Name == "" || later == m.to.Any {
			chosen, since = env, ran.Since
		}
	}
	if chosen.Name == "" {
		_, first, err := now.Config.Place(s.app, s.from)
		return first, err
	}
	return chosen, nil
}

// built stands in the place of an environment before the first one.
const built = "build"

// origin is where the digest comes from: an environment, or its build.
func (m move) origin() string {
	return cmp.Or(m.from.Name, built)
}
