package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// TestRun only sees that the benchmark runs, and that nobody reads a layer
// twice for us: it asserts no time.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("a benchmark")
	}
	tools := filepath.Dir(tooltest.Find(t, "trivy"))
	tooltest.Find(t, "cosign")
	tooltest.Find(t, "crane")
	for _, program := range []string{"waybill", "waybill-scan"} {
		if _, err := os.Stat(filepath.Join(filepath.Dir(tools), program)); err != nil {
			t.Skipf("needs %s: run make build", program)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out, plan{tools, func() time.Duration { return 0 }, []int{0}, 1}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "each layer is read 1.0 times by waybill") {
		t.Error("a layer was read more than once")
	}
	t.Log(out.String())
}
