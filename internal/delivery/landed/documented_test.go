package landed

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, On GitHub's own pages, says how many one run makes.
func TestNumberIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", fmt.Sprintf("One run makes at most %d; the next one makes the others", most))
}
