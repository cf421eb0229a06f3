// Package report reads from a config repository's own history what ran where and
// how well delivery goes: how often, how fast, how often something was taken back,
// and how long that took.
package report

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Kinds of step.
const (
	Deploy   = "deploy"   // a digest that is new to the place, or comes back after it was taken out
	TakeBack = "takeback" // a return to a digest that ran there before and was not taken out
)

// Step is a digest that came to a place.
type Step struct {
	Kind  string       `json:"kind"`  // deploy or takeback
	Image imageref.Ref `json:"image"` // empty for an application with several: see images
	// Images are all that ran at once, of an application with several.
	Images []imageref.Ref `json:"images,omitempty"`
	Since  time.Time      `json:"since"`
	Until  time.Time      `json:"until,omitzero"` // when another took its place
	// Restored says when the digest that a takeback went back to came; zero if this
	// one was not taken back.
	Restored  time.Time `json:"restored,omitzero"`
	Commit    string    `json:"commit"` // of the config repository
	By        string    `json:"by"`     // author of that commit, as git has it
	Pull      int       `json:"pull,omitempty"`
	Verb      string    `json:"verb,omitempty"`     // bump, promote or rollback, as the commit says
	Source    string    `json:"source,omitempty"`   // OWNER/NAME@COMMIT, as a commit that brought the digest says
	Committed time.Time `json:"committed,omitzero"` // when that source commit was made
	Run       string    `json:"run,omitempty"`      // URL of the run that made the commit
}

// Set are the images of the step: one, or those of an application with several.
func (s Step) Set() history.Set {
	if len(s.Images) > 0 {
		return s.Images
	}
	return history.Set{s.Image}
}

func (s Step) key() string { return s.Set().Key() }

// Same reports whether both brought the same images.
func (s Step) Same(o Step) bool { return s.key() == o.key() }

// Digests names the images for people.
func (s Step) Digests() string {
	var list []string
	for _, image := range s.Set() {
		list = append(list, image.Hex()[:12])
	}
	return strings.Join(list, ", ")
}

// pullNumber finds the pull request in the first line of a message that GitHub
// wrote: of a merge, or of a squash.
// https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/about-pull-request-merges
var pullNumber = regexp.MustCompile(`\AMerge pull request #(\d{1,9}) |\A[^\n]*\(#(\d{1,9})\)(?:\n|\z)`)

// maxCommits is how many commits of one overlay are read.
const maxCommits = 5000

// steps lists what ran in a place, oldest first.
func steps(ctx context.Context, repo history.Reader, rev string, app config.App, env string) ([]Step, error) {
	var list []Step
	for p, err := range history.History(ctx, repo, history.Where{Rev: rev, App: app, Env: env, Limit: maxCommits}) {
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(p.Set, history.Runs) {
			continue
		}
		s := Step{
			Image: p.Ref, Since: p.Since.UTC(), Until: p.Until, Commit: p.Commit, By: p.Author,
			Verb: history.Trailer(p.Message, history.TrailerVerb), Source: history.Trailer(p.Message, history.TrailerSource),
			Run: history.Trailer(p.Message, history.TrailerRun),
		}
		if app.Several() {
			s.Images = slices.DeleteFunc(slices.Clone(p.Set), func(image imageref.Ref) bool { return !history.Runs(image) })
		}
		s.Committed, _ = time.Parse(time.RFC3339, history.Trailer(p.Message, history.TrailerCommitted))
		if m := pullNumber.FindStringSubmatch(p.Message); m != nil {
			s.Pull, _ = strconv.Atoi(m[1] + m[2])
		}
		list = append(list, s)
	}
	slices.Reverse(list)
	tell(list)
	return list, nil
}

// Steps lists what ran of an application, by environment, oldest first.
func Steps(ctx context.Context, repo history.Reader, rev string, app config.App) (map[string][]Step, error) {
	places := make(map[string][]Step)
	var all [][]Step
	for _, env := range app.Environments {
		list, err := steps(ctx, repo, rev, app, env)
		if err != nil {
			return nil, err
		}
		places[env], all = list, append(all, list)
	}
	trace(all)
	return places, nil
}

// tell says of each step what kind it is. A place goes back where a digest returns
// that ran there before, unless it was taken out itself: then it is tried again.
// A way back by hand, or by git revert, is found in the same way.
func tell(list []Step) {
	ran, failed := make(map[string]bool), make(map[string]bool)
	deployed := -1 // the last deployment
	for i := range list {
		s := &list[i]
		if s.Kind = Deploy; ran[s.key()] && !failed[s.key()] {
			s.Kind = TakeBack
		}
		ran[s.key()] = true
		if s.Kind == Deploy {
			deployed, failed[s.key()] = i, false
			continue
		}
		list[deployed].Restored = s.Since // the last of several steps back counts
		for _, out := range list[deployed:i] {
			failed[out.key()] = true
		}
	}
}

// trace fills in from where digests came: a promotion that was merged carries no
// word of it, but the commit that first brought the digest does.
func trace(places [][]Step) {
	type origin struct {
		source    string
		committed time.Time
	}
	known := make(map[string]origin)
	for _, list := range places {
		for _, s := range list {
			was := known[s.key()]
			if was.source == "" {
				was.source = s.Source
			}
			if was.committed.IsZero() {
				was.committed = s.Committed
			}
			known[s.key()] = was
		}
	}
	for _, list := range places {
		for i := range list {
			s := &list[i]
			if s.Source == "" {
				s.Source = known[s.key()].source
			}
			if s.Committed.IsZero() && s.Source == known[s.key()].source {
				s.Committed = known[s.key()].committed
			}
		}
	}
}
