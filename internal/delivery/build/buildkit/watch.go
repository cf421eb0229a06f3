package buildkit

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/client"

	"github.com/waybill-dev/waybill/internal/delivery/build"
)

// watch sees the daemon's statuses on their way to the display: it says which
// cache could not be read or written, and keeps what each step took.
type watch struct {
	say   func(string, ...any)
	said  map[string]bool
	steps map[string]*client.Vertex // by digest
	order []string
}

func newWatch(say func(string, ...any)) *watch {
	return &watch{say: say, said: map[string]bool{}, steps: map[string]*client.Vertex{}}
}

// through hands statuses on. It ends when in is closed.
func (w *watch) through(in chan *client.SolveStatus) chan *client.SolveStatus {
	out := make(chan *client.SolveStatus)
	go func() {
		defer close(out)
		for status := range in {
			for _, v := range status.Vertexes {
				w.see(v)
			}
			out <- status
		}
	}()
	return out
}

func (w *watch) see(v *client.Vertex) {
	cache := strings.HasPrefix(v.Name, "importing cache manifest from ") || strings.HasPrefix(v.Name, "exporting cache to ")
	if cache && v.Error != "" && !w.said[v.Name] {
		w.said[v.Name] = true
		w.say("warning: %s failed, and the image is built without: %s", v.Name, firstLine(v.Error))
	}
	if !strings.HasPrefix(v.Name, "[") || strings.HasPrefix(v.Name, "[internal]") { // steps of the Dockerfile have their stage in front
		return
	}
	id := v.Digest.String()
	if w.steps[id] == nil {
		w.order = append(w.order, id)
	}
	w.steps[id] = v
}

// list are the steps in the order in which they began. Callers must have waited
// for the end of the statuses.
func (w *watch) list() (steps []build.Step) {
	for _, id := range w.order {
		v := w.steps[id]
		if v.Completed == nil || v.Started == nil {
			continue
		}
		steps = append(steps, build.Step{Name: v.Name, Cached: v.Cached, Seconds: v.Completed.Sub(*v.Started).Seconds()})
	}
	return slices.Clip(steps)
}
