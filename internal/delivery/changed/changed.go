// Package changed finds out whether an image has to be built again: whether
// files that go into it differ from those that it was built from last.
//
// What was built last is what the registry says, not the commit of the push
// before: a run that failed or that GitHub dropped is made up for by the next
// one. Whatever is not known means that the image has to be built; no verdict
// rests on the answer.
package changed

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Reader says what a tag names, and which commit an image was built from;
// internal/door/registry's Client does.
type Reader interface {
	Resolve(ctx context.Context, reference string) (imageref.Ref, error)
	// Annotation is an annotation of an image; empty if it has none of the name.
	Annotation(ctx context.Context, ref imageref.Ref, name string) (string, error)
}

// Request is an image and its files.
type Request struct {
	Image string   // REPOSITORY:TAG of what was built last
	Paths []string // pathspecs of git, from the top of the repository
	Dir   string   // the clone
}

// Result is the answer.
type Result struct {
	Changed bool   `json:"changed"` // whether the image has to be built
	Since   string `json:"since"`   // commit that the image was built from; empty if it is not known
	Why     string `json:"why"`     // one sentence
}

// Run looks the image up and compares.
func Run(ctx context.Context, registry Reader, r Request) (Result, error) {
	if len(r.Paths) == 0 {
		return Result{}, outcome.Usagef("--paths is missing: name the files and directories that go into the image")
	}
	top, err := git.Top(ctx, r.Dir)
	if err != nil {
		return Result{}, err
	}
	ref, err := registry.Resolve(ctx, r.Image)
	if err != nil {
		return unknown(ctx, "%s cannot be read: %v", r.Image, err)
	}
	since, err := registry.Annotation(ctx, ref, "org.opencontainers.image.revision")
	if err != nil {
		return unknown(ctx, "%s cannot be read: %v", r.Image, err)
	}
	if !git.IsObjectID(since) {
		return unknown(ctx, "%s does not say which commit it was built from", r.Image)
	}
	if _, err := git.Run(ctx, top, "cat-file", "-e", since+"^{commit}"); err != nil {
		return unknown(ctx, "this clone does not have commit %s, which %s was built from", text.Commit(since), r.Image)
	}
	// .gitmodules can say that changes of a submodule are passed over.
	names, err := git.Run(ctx, top, append([]string{"diff", "--name-only", "--ignore-submodules=none", since, "HEAD", "--"}, r.Paths...)...)
	if err != nil {
		return Result{}, outcome.Usagef("--paths: %w", err)
	}
	result := Result{Changed: names != "", Since: since}
	result.Why = fmt.Sprintf("no file of the image changed since commit %s, which %s was built from", text.Commit(since), r.Image)
	if result.Changed {
		result.Why = fmt.Sprintf("files changed since commit %s, which %s was built from", text.Commit(since), r.Image)
	}
	return result, nil
}

// unknown means that the image has to be built.
func unknown(ctx context.Context, format string, args ...any) (Result, error) {
	return Result{Changed: true, Why: "the image has to be built: " + text.OneLine(fmt.Sprintf(format, args...))}, ctx.Err()
}
