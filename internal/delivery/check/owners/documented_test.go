package owners

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Protection, names the size from which GitHub reads no owners.
func TestSizeIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", fmt.Sprintf("and one over %d MB, which GitHub does not load", maxOwners/1_000_000))
}
