package assemble

import (
	"bytes"
	"os"
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
	program := tooltest.Find(t, "buildkitd")
	tooltest.Find(t, "docker-registry")
	if os.Geteuid() != 0 {
		t.Skip("buildkitd needs root")
	}
	var out bytes.Buffer
	if err := Run(t.Context(), &out, filepath.Dir(program)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "both pushed the same files") {
		t.Error("the two were not compared")
	}
	t.Log(out.String())
}
