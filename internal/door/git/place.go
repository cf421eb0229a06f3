package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// notARepository is what git says where there is no repository.
const notARepository = "not a git repository"

// Top is the top of the working tree that dir lies in. A directory that has none is
// wrong usage.
func Top(ctx context.Context, dir string) (string, error) {
	top, err := Run(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", Misplaced(dir, err)
	}
	return filepath.FromSlash(top), nil
}

// Misplaced says why git finds no working tree at a directory, and what to do.
func Misplaced(dir string, err error) error {
	said := Stderr(err)
	if full, err := filepath.Abs(dir); err == nil {
		dir = full
	}
	switch info, missing := os.Stat(dir); {
	case missing != nil || !info.IsDir():
		return outcome.Usagef("%s: there is no such directory", dir)
	case strings.Contains(said, notARepository):
		return outcome.Usagef("%s is not in a git repository: clone the repository, and run this in the clone", dir)
	case strings.Contains(said, "must be run in a work tree"):
		return outcome.Usagef("%s is a bare repository, which has no files: clone it, and run this in the clone", dir)
	}
	return fmt.Errorf("find the git repository of %s: %w", dir, err)
}

// Empty is the error of a repository without a commit, or nil.
func Empty(ctx context.Context, dir string) error {
	if refs, err := Run(ctx, dir, "for-each-ref", "--count=1"); err != nil || refs != "" {
		return err
	}
	if _, err := Run(ctx, dir, "rev-parse", "--verify", "--quiet", "HEAD"); err == nil {
		return nil // a detached head alone
	}
	return outcome.Usagef("%s has no commit yet, and only what is committed counts: git add and git commit first", dir)
}

// Head is the commit that is checked out.
func Head(ctx context.Context, dir string) (string, error) {
	sha, err := Run(ctx, dir, "rev-parse", "--verify", "--quiet", "HEAD")
	if err == nil {
		return sha, nil
	}
	if empty := Empty(ctx, dir); empty != nil {
		return "", empty
	}
	return "", fmt.Errorf("find the commit that is checked out in %s: %w", dir, err)
}
