package history

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Rules between environments, says what counts as one move.
func TestTimeIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md", "within two seconds counts as the same move")
	if shortest != 2*time.Second {
		t.Errorf("the page says two seconds, not %s", shortest)
	}
}
