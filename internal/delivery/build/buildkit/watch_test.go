package buildkit

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/waybill-dev/waybill/internal/delivery/build"
)

// Steps are told from BuildKit's own work, each once, as its last status says; a
// cache that fails is said once.
func TestWatch(t *testing.T) {
	t.Parallel()
	begun, ended := time.Unix(10, 0), time.Unix(12, 0)
	vertex := func(name, trouble string, cached bool, completed *time.Time) *client.Vertex {
		return &client.Vertex{
			Digest: digest.FromString(name), Name: name, Error: trouble, Cached: cached, Started: &begun, Completed: completed,
		}
	}
	const export = "exporting cache to registry"
	statuses := []*client.SolveStatus{
		{Vertexes: []*client.Vertex{
			vertex("[internal] load build context", "", false, &ended), vertex("[2/3] RUN make", "", false, nil),
			vertex("[3/3] COPY a /", "", true, &ended), vertex("[build 1/1] RUN never", "", false, nil),
		}},
		{Vertexes: []*client.Vertex{vertex("[2/3] RUN make", "", false, &ended), vertex(export, "denied\nand more", false, &ended)}},
		{Vertexes: []*client.Vertex{vertex(export, "denied", false, &ended), vertex("exporting to oci image format", "x", false, &ended)}},
	}
	var says []string
	w := newWatch(func(format string, args ...any) { says = append(says, fmt.Sprintf(format, args...)) })
	in := make(chan *client.SolveStatus)
	go func() {
		defer close(in)
		for _, s := range statuses {
			in <- s
		}
	}()
	passed := 0
	for range w.through(in) {
		passed++
	}
	want := []build.Step{{Name: "[2/3] RUN make", Seconds: 2}, {Name: "[3/3] COPY a /", Cached: true, Seconds: 2}}
	if diff := cmp.Diff(want, w.list()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"warning: exporting cache to registry failed, and the image is built without: denied"}, says); diff != "" {
		t.Error(diff)
	}
	if passed != len(statuses) {
		t.Errorf("%d of %d statuses are shown", passed, len(statuses))
	}
}
