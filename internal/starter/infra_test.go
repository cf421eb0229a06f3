package starter_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/starter"
)

// The files of an infrastructure repository can be read, and let nobody approve
// anything before somebody is named.
func TestInfra(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	result, err := starter.Write(dir, starter.Infra, starter.Names{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(result.Written)
	if diff := cmp.Diff([]string{".github/workflows/apply.yml", ".github/workflows/drift.yml", ".github/workflows/plan.yml", "waybill.yaml"}, result.Written); diff != "" {
		t.Error(diff)
	}
	cfg, err := config.Load(filepath.Join(dir, "waybill.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, found := cfg.Terraform().Approval("infra/prod", false); found {
		t.Error("somebody may approve")
	}
	if err := os.WriteFile(filepath.Join(dir, "waybill.yaml"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if result, err = starter.Write(dir, starter.Infra, starter.Names{}); err != nil || len(result.Written) != 0 || len(result.Same) != 2 || !slices.Equal(result.Kept, []string{"waybill.yaml"}) {
		t.Errorf("again: %+v %v", result, err)
	}
}
