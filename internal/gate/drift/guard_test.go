package drift_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/tool"
)

// Nothing of a root is run, or read by anybody but the policy, that the policy
// refuses, or that no terraform fits.
func TestBrokenBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	report, err := drift.Find(t.Context(), drift.Request{
		Top: top, Roots: []roots.Root{{Dir: "a"}, {Dir: "b"}}, Now: time.Now(),
		Broken: map[string]error{"b": errors.New("no terraform fits")},
		Tool: tool.Tool{Program: "no-such-program", Work: t.TempDir(), Env: func([]string) []string { return nil },
			Guard: func(_ context.Context, dir, _ string) error { return errors.New("the policy refuses " + dir) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"the policy refuses a", "no terraform fits"} {
		if r := report.Roots[i]; r.Status != drift.Broken || !strings.Contains(r.Problem, want) {
			t.Errorf("%+v, want %q", r, want)
		}
	}
}
