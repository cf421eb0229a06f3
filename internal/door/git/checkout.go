package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Checkout clones one commit of a remote repository into dir, which is empty,
// with its submodules. ref is a commit, branch or tag; if empty, the remote's
// HEAD. The user's configuration counts, so that its credential helpers do.
func Checkout(ctx context.Context, dir, remote, ref string) error {
	run := func(args ...string) error {
		return Command{Dir: dir, Args: args, UserConfig: true}.Run(ctx)
	}
	if ref == "" {
		ref = "HEAD"
	}
	if err := run("init", "--quiet"); err != nil {
		return err
	}
	if err := run("remote", "add", "--", "origin", remote); err != nil {
		return err
	}
	if err := run("fetch", "--quiet", "--depth=1", "--", "origin", ref); err != nil {
		return fmt.Errorf("fetch %s of %s: %w", ref, remote, err)
	}
	if err := run("checkout", "--quiet", "--detach", "FETCH_HEAD"); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, ".gitmodules")); err != nil {
		return nil // has none
	}
	return run("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
}
