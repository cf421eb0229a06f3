package check

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, What check judges, says how many are rendered.
func TestLimitsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", fmt.Sprintf("is rendered on both sides, at most %d of them", maxWrappers))
}
