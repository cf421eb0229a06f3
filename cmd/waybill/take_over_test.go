package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A new root whose code says what a state holds already changes nothing. Before its merge it
// takes that state over all the same, neither by a plan nor by a plan that a job of the pull
// request made without comparing with the default branch. Once it is merged, there is
// nothing left to take.
func TestAPlanThatChangesNothingTakesNoStateOver(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	state := filepath.Join(t.TempDir(), "terraform.tfstate")
	files := map[string]string{"main.tf": "terraform {\n  backend \"local\" {\n    path = \"" + state + "\"\n  }\n}\n\n" +
		"resource \"terraform_data\" \"precious\" {}\n"}
	elsewhere := t.TempDir()
	write(t, elsewhere, files)
	w.terraform(elsewhere, "init")
	w.terraform(elsewhere, "apply", "-auto-approve")
	precious := read(t, state)
	w.open("ada", map[string]string{"infra/new/main.tf": files["main.tf"]})

	const says = "infra/new is new, or has a new backend or workspace, and the state there already holds 1 resource"
	code, _, words := w.planJob("--changed-since", "origin/main")
	w.wants("plan", code, 3, words, says)
	f := w.plan("--dir", "infra/new")
	w.approve("bob", f)
	arguments := []string{"--plan", w.sealedFile(f), "--fingerprint", string(f)}
	code, _, words = w.apply(arguments...)
	w.wants("apply", code, 3, words, says)
	w.merge()
	code, _, words = w.apply(arguments...)
	if strings.Contains(words, "is new, or has") {
		t.Errorf("after the merge, apply ends with %d: %s", code, words)
	}
	if read(t, state) != precious {
		t.Error("the state was changed")
	}
}
