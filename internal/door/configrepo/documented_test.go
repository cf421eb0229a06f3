package configrepo

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Limits, names these bounds.
func TestLimitsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", fmt.Sprintf("| the repository | %d,000 files and %d MiB. Files over %d MiB are not read",
		maxSnapshotFiles/1000, maxSnapshotBytes>>20, maxFileBytes>>20))
}
