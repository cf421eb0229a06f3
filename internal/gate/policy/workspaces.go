package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/tool"
)

// Listing asks backends for the workspaces of roots that name them by a pattern.
type Listing struct {
	Tool    tool.Request
	Allowed config.Terraform // of the default branch
	// Login gives the login for a plan role of terraform.environments.
	Login func(role string) (cloud.Request, error)
}

// Find lists them for the patterns in the checkout and on the default branch. It takes
// the plan role of each root's environment, and the policy judges the root before.
func (l Listing) Find(ctx context.Context) (found roots.Workspaces, err error) {
	cfg, err := roots.Config(l.Tool.Top)
	if err != nil {
		return nil, err
	}
	for _, root := range slices.Concat(roots.Patterns(cfg), roots.Patterns(l.Allowed)) {
		if _, known := found[root.Dir]; known {
			continue
		}
		if _, err := os.Stat(filepath.Join(l.Tool.Top, filepath.FromSlash(root.Dir))); errors.Is(err, fs.ErrNotExist) {
			continue // the change takes it away
		}
		names, err := l.of(ctx, root)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", root.Dir, err)
		}
		if found == nil {
			found = make(roots.Workspaces)
		}
		found[root.Dir] = names
	}
	return found, nil
}

func (l Listing) of(ctx context.Context, root roots.Root) (names []string, err error) {
	t := l.Tool
	if role := l.Allowed.Environment(root.Dir, "").PlanRole; role != "" && l.Login != nil {
		if t.Login, err = l.Login(role); err != nil {
			return nil, err
		}
	}
	kit, err := tool.Prepare(t)
	if err != nil {
		return nil, err
	}
	defer kit.Close()
	root = roots.Root{Dir: root.Dir, Version: root.Version} // its files of variables may be one for each workspace
	tf, err := Opened(ctx, kit, l.Allowed, root)
	if err != nil {
		return nil, err
	}
	names, err = tf.Workspaces(ctx)
	return names, redact.GivenSecrets(kit.Env(nil)).Error(err)
}
