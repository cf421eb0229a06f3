package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/release/releasetest"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// Who asks for which version, and that nothing is run by another one.
func TestTerraformVersion(t *testing.T) {
	t.Parallel()
	const asked = "0.12.31"
	for name, a := range map[string]struct {
		files map[string]string
		args  []string
		from  string
	}{
		"the input":                     {args: []string{"--terraform-version", asked}, from: "the input terraform_version"},
		"waybill.yaml for the root":     {files: map[string]string{"waybill.yaml": "apiVersion: waybill.dev/v1\nterraform:\n  version: \">= 1\"\n  roots: [{dir: infra/prod, version: " + asked + "}]\n"}, from: "waybill.yaml"},
		"waybill.yaml for all of them":  {files: map[string]string{"waybill.yaml": "apiVersion: waybill.dev/v1\nterraform:\n  version: " + asked + "\n  roots: [{dir: infra/prod}]\n"}, from: "waybill.yaml"},
		"a version file above the root": {files: map[string]string{"infra/.terraform-version": asked + "\n"}, args: []string{"--dir", "infra/prod"}, from: "infra/.terraform-version"},
		"required_version of a module":  {files: map[string]string{"modules/b/v.tf": "terraform {\n  required_version = \"" + asked + "\"\n}\n"}, args: []string{"--dir", "infra/prod"}, from: "required_version in modules/b/v.tf:2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPolicyWorld(t, "terraform")
			m := releasetest.New(t)
			m.Release(asked, []byte("#!/bin/sh\ntouch "+w.canary+"\necho 'Terraform v"+asked+"'\n"))
			w.commit(policySeed)
			w.commit(a.files)
			w.terraform = "terraform"
			code, _, words := w.run(append([]string{"plan", "--terraform-mirror", m.URL}, a.args...)...)
			(&infraWorld{t: t}).wants("plan", code, 3, words,
				`terraform: on PATH is terraform 1\.\d+\.\d+, asked for is `+strings.ReplaceAll(asked, ".", `\.`)+` \(`+a.from+`\): installing from `+m.URL,
				`refused: `+m.URL+`: the checksums of terraform 0\.12\.31 \(`+a.from+`\) are not signed by the key of HashiCorp's releases: nothing was run`)
			if w.sang() {
				t.Error("it was run")
			}
		})
	}
	w := newPolicyWorld(t, "terraform")
	w.commit(policySeed)
	w.commit(map[string]string{".terraform-version": asked, "modules/b/v.tf": "terraform {\n  required_version = \">= 1.4\"\n}\n"})
	w.terraform = "terraform"
	code, _, words := w.run("plan", "--dir", "infra/prod", "--terraform-version", ">= 1.5, < 2.0", "--terraform-mirror", "http://127.0.0.1:1")
	(&infraWorld{t: t}).wants("what is there satisfies, and the input wins over the file", code, 0, words)
}

// apply asks for the version that the plan was made with, whatever is there.
func TestTerraformOfThePlan(t *testing.T) {
	t.Parallel()
	tooltest.Find(t, "terraform")
	m := releasetest.New(t)
	m.Release("0.12.31", []byte("#!/bin/sh\n"))
	command, _ := contract.Lookup("apply")
	values, err := contract.Resolve(command, map[string][]string{"terraform_mirror": {m.URL}}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	call := &cli.Call{Command: command, In: values, Stderr: io.Discard}
	choose := func(program, made string) (string, error) {
		tool := plan.Tool{Program: program, Work: t.TempDir(), Env: func([]string) []string { return []string{"PATH=" + os.Getenv("PATH")} }}
		err := terraformOfPlan(t.Context(), call, []plan.RootRecord{{Dir: "infra/prod", Terraform: made}}, &tool)
		return tool.Programs["infra/prod"], err
	}
	if _, err := choose("terraform", "terraform 0.12.31"); outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "0.12.31 (the plan of infra/prod) are not signed") {
		t.Errorf("another version: %v", err)
	}
	there, err := terraform.Open(terraform.Options{Dir: t.TempDir(), DataDir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}}).Version(t.Context())
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

// required_version holds whatever else is asked for.
func TestRequiredVersionAlwaysHolds(t *testing.T) {
	t.Parallel()
	w := newPolicyWorld(t, "terraform")
	m := releasetest.New(t)
	m.Release("0.12.31", []byte("#!/bin/sh\n"))
	w.commit(policySeed)
	w.commit(map[string]string{"modules/b/v.tf": "terraform {\n  required_version = \"0.12.31\"\n}\n"})
	w.terraform = "terraform"
	code, _, words := w.run("plan", "--dir", "infra/prod", "--terraform-version", ">= 1", "--terraform-mirror", m.URL)
	(&infraWorld{t: t}).wants("plan", code, 3, words, `has no terraform 0\.12\.31 \(required_version in modules/b/v\.tf:2\) and >= 1 \(the input terraform_version\)`)
}
