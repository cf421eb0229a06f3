package apply_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// bundle is a sealed plan of sandbox/play, as somebody made it who skipped what
// the plan command refuses.
func bundle(planJSON string) *seal.Bundle {
	return &seal.Bundle{
		Document: plan.Document{
			Version: plan.DocumentVersion, Head: "h", Roots: []plan.RootRecord{{Dir: "sandbox/play", Workspace: "default"}},
		},
		Roots: []seal.Root{{JSON: []byte(planJSON)}},
	}
}

// What the plan command refuses, apply refuses too: a plan can be sealed by
// anybody.
func TestOpenRefusesWhatPlanRefuses(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for dir, text := range map[string]string{
		"infra/prod":   "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key    = \"prod\"\n  }\n}\n",
		"sandbox/play": "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key    = \"./prod\"\n  }\n}\n",
	} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, dir, "main.tf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	states := roots.States{Head: roots.Owners(top, []roots.Root{{Dir: "infra/prod"}, {Dir: "sandbox/play"}}, nil)}
	for name, c := range map[string]struct {
		json   string
		states roots.States
		want   string
	}{
		"an incomplete plan": {`{"format_version":"1.2","complete":false}`, roots.States{}, "the plan is incomplete: it leaves out a part"},
		"an errored plan": {
			`{"format_version":"1.2","errored":true}`, roots.States{}, "the plan is incomplete: terraform could not finish it",
		},
		"another's state": {`{"format_version":"1.2"}`, states, "sandbox/play keeps its state where infra/prod does"},
	} {
		_, err := apply.Open(t.Context(), apply.Request{Top: top, Bundle: bundle(c.json), Head: "h", States: c.states})
		if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	moved := bundle(`{"format_version":"1.2"}`)
	moved.Document.Roots[0].Backend = "s3 bucket=b key=was"
	_, err := apply.Open(t.Context(), apply.Request{
		Top: top, Bundle: moved, Head: "h", States: roots.States{Head: roots.Owners(top, []roots.Root{{Dir: "sandbox/play"}}, nil)},
	})
	if outcome.Code(err) != outcome.Refused || !strings.Contains(
		err.Error(), "place of the state was s3 bucket=b key=was when planned, is s3 bucket=b key=prod now",
	) {
		t.Errorf("a state that lies elsewhere: %v", err)
	}
}
