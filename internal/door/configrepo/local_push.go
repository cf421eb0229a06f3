package configrepo

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// remoteHead fetches a branch of origin and gives its head, or empty where
// there is none.
func (l *Local) remoteHead(ctx context.Context, branch string) (string, error) {
	ref := "refs/heads/" + branch
	out, err := l.remote(ctx, "ls-remote", "origin", ref)
	if err != nil {
		return "", fmt.Errorf("read branch %s at origin: %w", branch, err)
	}
	for _, line := range strings.Split(out, "\n") {
		sha, name, ok := strings.Cut(line, "\t")
		if !ok || name != ref {
			continue
		}
		if _, err := l.line(ctx, "cat-file", "-e", sha+"^{commit}"); err == nil {
			return sha, nil
		}
		if _, err := l.remote(ctx, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "origin", ref); err != nil {
			return "", fmt.Errorf("fetch branch %s from origin: %w", branch, err)
		}
		return sha, nil
	}
	return "", nil
}

// push moves (or with sha empty deletes) a branch of origin from exactly
// expect, and lets the local branch follow where it was at the same commit.
func (l *Local) push(ctx context.Context, branch, expect, sha string) error {
	ref := "refs/heads/" + branch
	// An empty lease means that the branch must not exist.
	_, err := l.remote(ctx, "push", "--quiet", "--porcelain", "--no-verify", "--force-with-lease="+ref+":"+expect, "origin", sha+":"+ref)
	if err != nil {
		head, headErr := l.remoteHead(ctx, branch)
		switch {
		case headErr == nil && head == sha:
			// The answer was lost on the way back, the push was not.
		case headErr == nil && head != expect:
			return moved(branch, expect, head)
		default:
			return fmt.Errorf("push branch %s to origin: %w", branch, err)
		}
	}
	local, err := l.localHead(ctx, branch)
	if err != nil || local != expect || local == "" || sha == "" {
		return nil //nolint:nilerr // origin has it; the local branch is a courtesy
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	defer unlock()
	_ = l.move(ctx, branch, expect, sha) // as above: uncommitted changes stay as they are
	return nil
}

// remote runs git with the user's configuration: credentials, proxies and
// certificates are in it.
func (l *Local) remote(ctx context.Context, args ...string) (string, error) {
	return git.Command{Dir: l.dir, Env: l.o.Env, Args: args, UserConfig: true}.Line(ctx)
}
