package vitals

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Health, says how often a query is evaluated.
func TestStepsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", fmt.Sprintf("It is evaluated every %.0f seconds, and less often over more than %.0f hours",
		shortest.Seconds(), (points*shortest).Truncate(3600e9).Hours()))
}
