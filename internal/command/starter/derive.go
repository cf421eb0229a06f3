package starter

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/starter/recognise"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Derive fills in what the directory and its git remote say of the names that
// are not given.
func (n *Names) Derive(ctx context.Context, kind, dir string) error {
	origin := originOf(ctx, dir)
	_, err := git.Run(ctx, dir, "rev-parse", "--git-dir")
	n.outsideOfGit = err != nil
	if kind == Config && n.ConfigRepo == "" {
		n.ConfigRepo = origin
	}
	if kind == App {
		n.Source, n.found = origin, recognise.Read(dir)
		if err := n.sameRepository(dir); err != nil {
			return err
		}
	}
	for _, repository := range []string{n.ConfigRepo, origin} {
		if n.Owner == "" {
			n.Owner, _, _ = strings.Cut(repository, "/")
		}
	}
	if kind == App && n.App == "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		n.App = strings.ToLower(filepath.Base(absolute))
	}
	return nil
}

// NeedOwner refuses names without an owner.
func (n Names) NeedOwner() error {
	if n.Owner == "" {
		return outcome.Usagef("--owner is missing: the organisation or user on GitHub that the repositories belong to")
	}
	return nil
}

// originOf is OWNER/NAME of the remote origin; empty without one.
func originOf(ctx context.Context, dir string) string {
	d, err := git.Describe(ctx, dir)
	if err != nil {
		return ""
	}
	u, err := url.Parse(d.Repository)
	if err != nil || strings.Count(u.Path, "/") != 2 {
		return ""
	}
	return u.Path[1:]
}
