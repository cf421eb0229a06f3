package configrepo

import (
	"context"
	"fmt"
	"net/http"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// MergeBase gives the newest commit that both descend from. There is none for
// histories that never met: ErrNotFound.
func (l *Local) MergeBase(ctx context.Context, a, b string) (string, error) {
	var sides [2]string
	for i, rev := range []string{a, b} {
		sha, err := l.Resolve(ctx, rev)
		if err != nil {
			return "", err
		}
		sides[i] = sha
	}
	sha, err := l.line(ctx, "merge-base", sides[0], sides[1])
	if git.Exited(err, 1) {
		return "", fmt.Errorf("common ancestor of %s and %s: %w", a, b, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("find the common ancestor of %s and %s: %w", a, b, err)
	}
	return sha, nil
}

// MergeBase gives the newest commit that both descend from. There is none for
// histories that never met: ErrNotFound.
func (g *GitHub) MergeBase(ctx context.Context, a, b string) (string, error) {
	comparison, err := g.api.Compare(ctx, g.repo, a, b)
	if err != nil {
		return "", notFound(err, http.StatusNotFound)
	}
	return comparison.MergeBase, nil
}
