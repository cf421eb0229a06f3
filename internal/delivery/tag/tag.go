// Package tag adds tags to an image that has passed policy: the tag is the last
// thing an image gets.
//
// A tag says something about the image, and what it says is held against what
// its evidence proves: a run about another commit than the one the image was
// built from cannot give it the name of its branch or version. Tags are
// written one after another; running again writes the same ones.
package tag

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Registry writes tags; internal/door/registry's Client does.
type Registry interface {
	Tag(ctx context.Context, ref imageref.Ref, tag string) error
}

// Reader says what tags there are and what they name; internal/door/registry's
// Client does.
type Reader interface {
	Tags(ctx context.Context, repository name.Repository) ([]string, error)
	Resolve(ctx context.Context, reference string) (imageref.Ref, error)
	// Created is when the source of an image was committed; zero if it does not say.
	Created(ctx context.Context, ref imageref.Ref) (time.Time, error)
}

// Shelf is a registry to read and to write.
type Shelf interface {
	Registry
	Reader
}

// Nowhere is a Shelf that writes nothing, for a dry run.
type Nowhere struct{ Reader }

// Tag does nothing.
func (Nowhere) Tag(context.Context, imageref.Ref, string) error { return nil }

// Request is a judged image, and the tags that it is to get.
type Request struct {
	Waybill evidence.Waybill
	Types   []string // raw:VALUE, sha, ref, …
	Flavor  Flavor
	Facts   Facts
	// Commit, if not empty, is the one that the image must be proven to be built from.
	Commit string
	// AllowOlder lets a tag move back to an image of an older commit.
	AllowOlder bool
}

// Result is what was written.
type Result struct {
	Tags    []string         `json:"tags"` // references, REPOSITORY:TAG
	Notes   []string         `json:"notes,omitempty"`
	Waybill evidence.Waybill `json:"waybill"`
}

// Everywhere judges an image in every repository that has it, and then tags it in
// each. No repository gets a tag unless the image passes in all of them.
func Everywhere(
	ctx context.Context, registry Shelf, judge func(imageref.Ref) (evidence.Waybill, error), images []imageref.Ref, r Request,
) (all Result, err error) {
	waybills := make([]evidence.Waybill, len(images))
	for i, image := range images {
		w, err := judge(image)
		if err == nil {
			err = rules.Refusal(w.Decision, w)
		}
		if err != nil {
			return Result{}, err
		}
		if r.Commit != "" && w.Source.Commit != r.Commit {
			return Result{}, outcome.Refusedf("%s has the tag of commit %s, and its evidence does not prove that it was built from it",
				image, text.Commit(r.Commit))
		}
		waybills[i] = w
	}
	all.Waybill = waybills[0]
	for _, r.Waybill = range waybills {
		one, err := Run(ctx, registry, r)
		all.Tags, all.Notes = append(all.Tags, one.Tags...), append(all.Notes, one.Notes...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// Run plans and writes the tags. Where writing fails, the result holds those that
// are written.
func Run(ctx context.Context, registry Shelf, r Request) (Result, error) {
	if err := rules.Refusal(r.Waybill.Decision, r.Waybill); err != nil {
		return Result{}, err
	}
	var err error
	if !r.AllowOlder {
		if r.Facts.Existing, err = registry.Tags(ctx, r.Waybill.Image.Name()); err != nil {
			return Result{}, err
		}
	}
	tags, notes, err := Plan(r.Waybill, r.Types, r.Flavor, r.Facts)
	if err != nil {
		return Result{}, err
	}
	var ahead []string
	for _, t := range tags {
		note, older, err := backwards(ctx, registry, r, t)
		if err != nil {
			return Result{}, err
		}
		if note != "" {
			notes = append(notes, note)
		}
		if !older {
			ahead = append(ahead, t)
		}
	}
	tags = ahead
	written, err := Apply(ctx, registry, r.Waybill, tags)
	return Result{Tags: written, Notes: notes, Waybill: r.Waybill}, err
}

// backwards reports whether a tag names an image of a newer commit already, and would
// move back to an older one. The note says so, and also where nobody can tell.
func backwards(ctx context.Context, registry Reader, r Request, tag string) (note string, older bool, err error) {
	if r.AllowOlder || !slices.Contains(r.Facts.Existing, tag) {
		return "", false, nil
	}
	now, err := registry.Resolve(ctx, r.Waybill.Image.Repository()+":"+tag)
	if err != nil || now.Digest() == r.Waybill.Image.Digest() {
		return "", false, err
	}
	var times [2]time.Time
	for i, ref := range []imageref.Ref{now, r.Waybill.Image} {
		if times[i], err = registry.Created(ctx, ref); err != nil {
			return "", false, err
		}
		if times[i].IsZero() {
			return fmt.Sprintf("%s: moved from %s, and nobody can tell which of the two is newer, because %s does not say when its source "+
				"was committed (annotation org.opencontainers.image.created)", tag, now.Short(), ref.Short()), false, nil
		}
	}
	if !times[0].After(times[1]) {
		return "", false, nil
	}
	return fmt.Sprintf("%s: left out, it names %s of a newer commit (%s, this one %s): --allow-older moves it back", tag, now.Short(),
		text.Time(times[0]), text.Time(times[1])), true, nil
}

// Built finds the image that was built from a commit, by the tag that says so.
// The tag is no proof: callers must check that the evidence proves the commit.
func Built(ctx context.Context, registry Reader, repository name.Repository, commit string) (imageref.Ref, error) {
	tag, _, err := expand(entry{text: "sha"}, Facts{Commit: commit})
	if err != nil {
		return imageref.Ref{}, outcome.Usagef("%s names no digest, and %w", repository, err)
	}
	existing, err := registry.Tags(ctx, repository)
	if err != nil {
		return imageref.Ref{}, err
	}
	if !slices.Contains(existing, tag) {
		return imageref.Ref{}, outcome.Pendingf("no image of commit %s is in %s yet: run this again once the default branch's delivery "+
			"of that commit has ended", text.Commit(commit), repository)
	}
	return registry.Resolve(ctx, repository.Name()+":"+tag)
}

// Plan decides which tags the judged image gets. facts.Commit is the commit
// that the run is about; the tags are made from the one that the evidence
// proves, where it proves one.
func Plan(w evidence.Waybill, types []string, flavor Flavor, facts Facts) (tags, notes []string, err error) {
	if proven := w.Source.Commit; proven != "" {
		if facts.Commit != "" && facts.Commit != proven && named(types) {
			return nil, nil, outcome.Usagef("the image was built from commit %s, this run is about %s: ref and semver would say of "+
				"it what holds for another. Run waybill tag for the commit that was built, or give raw: and sha tags alone",
				text.Commit(proven), text.Commit(facts.Commit))
		}
		facts.Commit = proven
	}
	tags, notes, err = Expand(types, flavor, facts)
	if err != nil {
		return nil, nil, outcome.Usagef("%w", err)
	}
	return tags, notes, nil
}

// named reports whether a type takes its name from the run's ref.
func named(types []string) bool {
	for _, t := range types {
		if t == "ref" || t == "latest" || strings.HasPrefix(t, "semver") || strings.HasPrefix(t, "type=semver") ||
			strings.HasPrefix(t, "type=ref") {
			return true
		}
	}
	return false
}

// Apply writes the tags of an image that the decision allows, and gives the
// references.
func Apply(ctx context.Context, registry Registry, w evidence.Waybill, tags []string) ([]string, error) {
	if err := rules.Refusal(w.Decision, w); err != nil {
		return nil, err
	}
	var written []string
	for _, t := range tags {
		if err := registry.Tag(ctx, w.Image, t); err != nil {
			return written, fmt.Errorf("%w: %d of %d tags are written, running again writes the rest", err, len(written), len(tags))
		}
		written = append(written, w.Image.Repository()+":"+t)
	}
	return written, nil
}
