package assemble

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// TestRun only sees that the benchmark runs: it asserts no time.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("a benchmark")
	}
	program := tooltest.Buildkitd(t)
	tooltest.Find(t, "docker-registry")
	var out bytes.Buffer
	if err := Run(t.Context(), &out, filepath.Dir(program), Size{Runs: 1, BinaryMB: 1, Shared: 10}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "both pushed the same files") {
		t.Error("the two were not compared")
	}
	t.Log(out.String())
}
