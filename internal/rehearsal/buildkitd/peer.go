package buildkitd

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"
)

// BuildAndPush has the daemon build the Dockerfile in dir and push the result
// to image by itself, as docker buildx build --push does: the peer of a
// benchmark. Its provenance is left out, which is BuildKit's fastest way.
func (d *Daemon) BuildAndPush(ctx context.Context, dir, platforms, image string, epoch time.Time) error {
	c, err := client.New(ctx, d.Address)
	if err != nil {
		return fmt.Errorf("reach BuildKit: %w", err)
	}
	defer c.Close()
	files, err := fsutil.NewFS(dir)
	if err != nil {
		return fmt.Errorf("open the build context: %w", err)
	}
	statuses := make(chan *client.SolveStatus)
	go func() {
		for range statuses { //nolint:revive // the solve waits for a reader
		}
	}()
	_, err = c.Solve(ctx, nil, client.SolveOpt{
		Frontend: "dockerfile.v0",
		FrontendAttrs: map[string]string{
			"platform": platforms, "build-arg:SOURCE_DATE_EPOCH": strconv.FormatInt(epoch.Unix(), 10),
		},
		LocalMounts: map[string]fsutil.FS{"context": files, "dockerfile": files},
		Exports: []client.ExportEntry{{Type: client.ExporterImage, Attrs: map[string]string{
			"name": image, "push": "true", "oci-mediatypes": "true", "registry.insecure": "true",
		}}},
	}, statuses)
	if err != nil {
		return fmt.Errorf("build with BuildKit: %w", err)
	}
	return nil
}
