package main

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform/release/releasetest"
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
		"the input": {args: []string{"--terraform-version", asked}, from: "the input terraform_version"},
		"waybill.yaml for the root": {
			files: map[string]string{
				"waybill.yaml": "apiVersion: waybill.dev/v1\nterraform:\n  version: \">= 1\"\n  roots: [{dir: infra/prod, " +
					"version: " + asked + "}]\n",
			},
			from: "waybill.yaml",
		},
		"waybill.yaml for all of them": {
			files: map[string]string{
				"waybill.yaml": "apiVersion: waybill.dev/v1\nterraform:\n  version: " + asked + "\n  roots: [{dir: infra/prod}]\n",
			},
			from: "waybill.yaml",
		},
		"a version file above the root": {
			files: map[string]string{"infra/.terraform-version": asked + "\n"}, args: []string{"--dir", "infra/prod"},
			from: "infra/.terraform-version",
		},
		"required_version of a module": {
			files: map[string]string{"modules/b/v.tf": "terraform {\n  required_version = \"" + asked + "\"\n}\n"},
			args:  []string{"--dir", "infra/prod"}, from: "required_version in modules/b/v.tf:2",
		},
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
				`terraform: on PATH is terraform 1\.\d+\.\d+, asked for is `+strings.ReplaceAll(asked, ".", `\.`)+
					` \(`+a.from+`\): installing from `+m.URL,
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
	code, _, words := w.run(
		"plan", "--dir", "infra/prod", "--terraform-version", ">= 1.5, < 2.0", "--terraform-mirror", "http://127.0.0.1:1",
	)
	(&infraWorld{t: t}).wants("what is there satisfies, and the input wins over the file", code, 0, words)
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
	(&infraWorld{t: t}).wants(
		"plan", code, 3, words,
		`has no terraform 0\.12\.31 \(required_version in modules/b/v\.tf:2\) and >= 1 \(the input terraform_version\)`,
	)
}
