package render

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Limits, names these bounds.
func TestLimitsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md",
		fmt.Sprintf("| one rendering | %d,%03d files and %d MiB, ", maxLoads/1000, maxLoads%1000, maxLoadBytes>>20),
		fmt.Sprintf("| one chart | %d MiB; one call of a function makes up to %d MiB of text or a million numbers |",
			maxLoadBytes>>20, maxText>>20))
	if maxList != 1_000_000 {
		t.Errorf("the page says a million numbers, not %d", maxList)
	}
}
