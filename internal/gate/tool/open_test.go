package tool_test

import (
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/release/releasetest"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

func environment(name string) string {
	return map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.TempDir()}[name]
}

// apply asks for the version that the plan was made with, whatever is there.
func TestTerraformOfThePlan(t *testing.T) {
	t.Parallel()
	tooltest.Find(t, "terraform")
	m := releasetest.New(t)
	m.Release("0.12.31", []byte("#!/bin/sh\n"))
	choose := func(program, made string) (string, error) {
		kit, err := tool.Prepare(tool.Request{Top: t.TempDir(), Program: program, Mirror: m.URL, Getenv: environment, Say: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		defer kit.Close()
		err = kit.AsPlanned(t.Context(), map[string]string{"infra/prod": made})
		return kit.Programs["infra/prod"], err
	}
	if _, err := choose("terraform", "terraform 0.12.31"); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "0.12.31 (the plan of infra/prod) are not signed") {
		t.Errorf("another version: %v", err)
	}
	there, err := terraform.Open(terraform.Options{
		Dir: t.TempDir(), DataDir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")},
	}).Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := m.Requests.Load()
	for program, made := range map[string]string{"terraform": there, "tofu": "opentofu 1.2.3", "/opt/terraform": "terraform 0.12.31"} {
		if got, err := choose(program, made); err != nil || got != "" && got != "terraform" {
			t.Errorf("%s for %s: %q %v", program, made, got, err)
		}
	}
	if _, err := choose("terraform", "opentofu 1.2.3"); err != nil {
		t.Errorf("a plan of OpenTofu's is for the comparison to refuse: %v", err)
	}
	if m.Requests.Load() > asked {
		t.Error("the mirror was asked for what is there")
	}
}

// The private directory goes with the kit, and a variable that terraform must not
// get is refused.
func TestPrepare(t *testing.T) {
	t.Parallel()
	kit, err := tool.Prepare(tool.Request{Top: t.TempDir(), Program: "terraform", Getenv: environment})
	if err != nil {
		t.Fatal(err)
	}
	kit.Close()
	if _, err := os.Stat(kit.Work); !os.IsNotExist(err) {
		t.Errorf("the private directory is still there: %v", err)
	}
	_, err = tool.Prepare(tool.Request{Top: t.TempDir(), Env: []string{"TF_CLI_ARGS"}, Getenv: environment})
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "--env TF_CLI_ARGS") {
		t.Errorf("a variable that changes what terraform does: %v", err)
	}
}
