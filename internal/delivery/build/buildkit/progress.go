package buildkit

import (
	"context"
	"io"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/progress/progressui"

	"github.com/waybill-dev/waybill/internal/delivery/build"
)

// show writes what the daemon does as plain lines. Each begins with a mark of
// BuildKit's, so that what a RUN prints cannot be a command to the runner.
func show(w io.Writer, statuses chan *client.SolveStatus) error {
	if w == nil {
		for range statuses { //nolint:revive // to the end, or the solve would wait
		}
		return nil
	}
	display, err := progressui.NewDisplay(w, progressui.PlainMode)
	if err != nil {
		return err
	}
	_, err = display.UpdateFrom(context.Background(), statuses) // ends when the solve closes it
	return err
}

// located puts path and line of the instruction in front of an error of the
// daemon, where it says so.
func located(file *build.Dockerfile, err error) error {
	for _, source := range errdefs.Sources(err) {
		for _, r := range source.GetRanges() {
			if line := int(r.GetStart().GetLine()); line > 0 {
				return &lineError{file: file, line: line, err: err}
			}
		}
	}
	return err
}
