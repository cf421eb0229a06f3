package proving

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Verifying a deployment, says when a lost start is tried again.
func TestTimeIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", "Where a start is lost, it is tried again after an hour")
	if lost != time.Hour {
		t.Errorf("the page says an hour, not %s", lost)
	}
}
