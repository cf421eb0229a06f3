package webhook

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Telling people, says how long a notification waits.
func TestTimeIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", "It waits five seconds at most, follows no redirect")
	if Timeout != 5*time.Second {
		t.Errorf("the page says five seconds, not %s", Timeout)
	}
}
