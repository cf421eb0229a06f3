package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/evidence.md names the bounds of what is read beside an image.
func TestBoundsAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	b := Bounds{}.orDefaults()
	want := fmt.Sprintf("%d MiB each, %d,%03d candidates, %d GiB and %.0f seconds together",
		MaxAttachment>>20, b.Candidates/1000, b.Candidates%1000, b.Bytes>>30, b.Time.Seconds())
	if !strings.Contains(string(text), want) {
		t.Errorf("docs/evidence.md, What is beside an image, does not say %q", want)
	}
}
