package desk

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Looking back, says how many deployments are replayed.
func TestNumberIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", fmt.Sprintf("how many of the last %d deployments its rules would have stopped", replayMost))
}
