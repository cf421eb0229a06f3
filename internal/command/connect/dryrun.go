package connect

import (
	"context"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// dryStore is a config repository that is read as it is, and never written to.
type dryStore struct {
	configrepo.Store
	sayf func(format string, args ...any)
}

// Commit says which files it would change on which branch. There is no commit. A change
// that the real one would refuse is refused.
func (d dryStore) Commit(ctx context.Context, r configrepo.Request) (string, error) {
	parent, err := d.Snapshot(ctx, r.Parent)
	if err == nil {
		err = parent.Writable(r.Changes)
	}
	if err != nil {
		return "", fmt.Errorf("commit to %s: %w", r.Branch, err)
	}
	subject, _, _ := strings.Cut(r.Message, "\n")
	var files []string
	for _, change := range r.Changes {
		files = append(files, change.Path)
	}
	d.sayf("would commit to %s: %s (%s)", r.Branch, subject, strings.Join(files, ", "))
	return "", nil
}

// DeleteBranch says what it would delete.
func (d dryStore) DeleteBranch(_ context.Context, branch, _ string) error {
	d.sayf("would delete the branch %s", branch)
	return nil
}
