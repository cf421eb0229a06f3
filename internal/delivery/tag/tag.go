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
	"strings"

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

// Nowhere is a Registry that writes nothing, for a dry run.
type Nowhere struct{}

// Tag does nothing.
func (Nowhere) Tag(context.Context, imageref.Ref, string) error { return nil }

// Request is a judged image, and the tags that it is to get.
type Request struct {
	Waybill evidence.Waybill
	Types   []string // raw:VALUE, sha, ref, …
	Facts   Facts
}

// Result is what was written.
type Result struct {
	Tags    []string         `json:"tags"` // references, REPOSITORY:TAG
	Notes   []string         `json:"notes,omitempty"`
	Waybill evidence.Waybill `json:"waybill"`
}

// Run plans and writes the tags. Where writing fails, the result holds those that
// are written.
func Run(ctx context.Context, registry Registry, r Request) (Result, error) {
	tags, notes, err := Plan(r.Waybill, r.Types, r.Facts)
	if err != nil {
		return Result{}, err
	}
	written, err := Apply(ctx, registry, r.Waybill, tags)
	return Result{Tags: written, Notes: notes, Waybill: r.Waybill}, err
}

// Plan decides which tags the judged image gets. facts.Commit is the commit
// that the run is about; the tags are made from the one that the evidence
// proves, where it proves one.
func Plan(w evidence.Waybill, types []string, facts Facts) (tags, notes []string, err error) {
	if proven := w.Source.Commit; proven != "" {
		if facts.Commit != "" && facts.Commit != proven && named(types) {
			return nil, nil, outcome.Usagef("the image was built from commit %s, this run is about %s: ref and semver would say of "+
				"it what holds for another. Run waybill tag for the commit that was built, or give raw: and sha tags alone",
				text.Commit(proven), text.Commit(facts.Commit))
		}
		facts.Commit = proven
	}
	tags, notes, err = Expand(types, facts)
	if err != nil {
		return nil, nil, outcome.Usagef("%w", err)
	}
	return tags, notes, nil
}

// named reports whether a type takes its name from the run's ref.
func named(types []string) bool {
	for _, t := range types {
		if t == "ref" || strings.HasPrefix(t, "semver:") {
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
