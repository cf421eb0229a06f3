package buildkit

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/progress/progressui"

	"github.com/waybill-dev/waybill/internal/delivery/build"
)

// show writes what the daemon does, and returns its warnings: in place on a
// terminal that no other daemon writes to, else as plain lines.
// Each line begins with a mark of BuildKit's, so that what a RUN prints cannot
// be a command to the runner.
func show(w io.Writer, alone bool, statuses chan *client.SolveStatus) ([]client.VertexWarning, error) {
	mode := progressui.PlainMode
	if alone {
		mode = progressui.AutoMode // plain where w is no terminal
	}
	if w == nil {
		mode = progressui.QuietMode
	}
	display, err := progressui.NewDisplay(w, mode)
	if err != nil {
		return nil, err
	}
	return display.UpdateFrom(context.Background(), statuses) // ends when the solve closes it
}

// warning reads what the daemon says of the Dockerfile.
func warning(file *build.Dockerfile, w client.VertexWarning) build.Warning {
	found := build.Warning{Path: file.Path, URL: w.URL, Message: string(w.Short)}
	if len(w.Range) > 0 {
		found.Line = int(w.Range[0].GetStart().GetLine())
	}
	if rule, message, ok := strings.Cut(found.Message, ": "); ok && !strings.Contains(rule, " ") {
		found.Rule = rule
		found.Message = strings.TrimSuffix(message, fmt.Sprintf(" (line %d)", found.Line))
	}
	return found
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
