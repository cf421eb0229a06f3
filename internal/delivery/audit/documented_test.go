package audit

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, An audit, names these bounds.
func TestLimitsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md",
		fmt.Sprintf("An archive has at most %d MiB, and no file over %d MiB", maxSize>>20, maxFile>>20))
}
