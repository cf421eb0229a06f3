package limit

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/config-repository.md, Limits, names these bounds.
func TestLimitsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	tooltest.Says(t, "config-repository.md",
		fmt.Sprintf("| one YAML file | %d MiB, a million values once aliases are followed, %d levels, %d,%03d keys in a mapping |",
			MaxBytes>>20, MaxDepth, MaxKeys/1000, MaxKeys%1000),
		fmt.Sprintf("| time | %.0f seconds for one rendering; two seconds to end after an interrupt |", Time.Seconds()),
		fmt.Sprintf("| memory | a command gives up at %d GiB, and stops at once at %d GiB |", Memory>>30, hard>>30))
	if MaxNodes != 1_000_000 || Grace.Seconds() != 2 {
		t.Errorf("the page says a million values and two seconds, not %d and %s", MaxNodes, Grace)
	}
}
