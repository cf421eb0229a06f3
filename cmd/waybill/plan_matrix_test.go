package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/plan"
)

const matrixRoot = "terraform {\n  backend \"local\" {}\n}\n\nresource \"terraform_data\" \"x\" {\n  input = \"%s\"\n}\n"

// matrixWorld is a pull request that touches three roots of two environments.
func matrixWorld(t *testing.T) *infraWorld {
	t.Helper()
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml":      infraRules + "  environments:\n    - {dir: infra/one, name: infra-one}\n",
		"infra/one/main.tf": fmt.Sprintf(matrixRoot, "old"), "infra/two/main.tf": fmt.Sprintf(matrixRoot, "old"),
	})
	w.open("ada", map[string]string{
		"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n",
		"infra/one/main.tf":  fmt.Sprintf(matrixRoot, "new"), "infra/two/main.tf": fmt.Sprintf(matrixRoot, "new"),
	})
	return w
}

// planJob is a job of the matrix, or the one that joins.
func (w *infraWorld) planJob(args ...string) (code int, out, words string) {
	return w.run(append([]string{
		"plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--seal-to", w.recipient, "--store", w.store,
		"--format", "json", "--changed-since", "origin/main", "--group-size", "1", "--run", "77",
	}, args...)...)
}

func (w *infraWorld) groups(n int) {
	w.t.Helper()
	for i := range n {
		if code, _, words := w.planJob("--group", fmt.Sprintf("%d/%d", i+1, n)); code != 0 {
			w.t.Fatalf("group %d ended with %d: %s", i+1, code, words)
		}
	}
}

// Several jobs plan, one joins: the same plan, comment and fingerprint as of one job,
// which is approved and applied like any other.
func TestPlanInSeveralJobs(t *testing.T) {
	t.Parallel()
	w := matrixWorld(t)
	code, out, words := w.planJob("--list")
	w.wants("list", code, 0, words)
	for _, want := range []string{
		`"group": "1/3",\s+"environment": "infra-one"`, `"group": "2/3",\s+"environment": "infra"`, `"group": "3/3"`,
	} {
		w.wants("the matrix", code, 0, out, want)
	}
	if code, out, words = w.planJob("--spread"); !strings.Contains(out, `"group": "3/3"`) {
		t.Errorf("spread gives no matrix: %d %s %s", code, out, words)
	}
	w.groups(3)
	if comments := w.github.Pulls("acme/infra")[0].Comments; len(comments) > 0 {
		t.Errorf("a job of the matrix comments: %s", comments)
	}
	code, out, words = w.planJob("--join")
	w.wants("join", code, 0, words)
	var joined struct {
		Fingerprint plan.Fingerprint
		Roots       []struct{ Dir string }
	}
	if err := json.Unmarshal([]byte(out), &joined); err != nil || len(joined.Roots) != 3 {
		t.Fatalf("join gives %s: %v", out, err)
	}
	claim := w.firstClaim()
	if alone := w.plan("--changed-since", "origin/main"); alone != joined.Fingerprint || claim.Fingerprint != alone {
		t.Errorf("one job makes %s, several make %s, and the comment says %s", alone.Short(), joined.Fingerprint.Short(),
			claim.Fingerprint.Short())
	}
	if code, _, words = w.planJob("--join"); code != 0 {
		t.Fatalf("join again ended with %d: %s", code, words)
	}
	w.approve("dan", joined.Fingerprint)
	code, _, words = w.gate("--checkout", w.clone)
	w.wants("gate", code, 0, words)
	w.merge()
	code, _, words = w.apply("--environment", "infra-one")
	w.wants("apply of infra-one", code, 0, words)
	code, _, words = w.apply()
	w.wants("apply of one root again", code, 3, words, "infra/one: state lineage was none when planned")
	code, _, words = w.apply("--environment", "infra")
	w.wants("apply of infra", code, 0, words)
	for _, dir := range []string{"one", "two"} {
		if state := read(t, filepath.Join(w.clone, "infra", dir, "terraform.tfstate")); !strings.Contains(state, `"new"`) {
			t.Errorf("%s was not applied: %s", dir, state)
		}
	}
	if !strings.Contains(w.state(), "hello") {
		t.Error("prod was not applied")
	}
	w.noSecrets(secret)
}

// Few roots that one role reads are planned at once.
func TestSpreadPlansFewRootsInOneJob(t *testing.T) {
	t.Parallel()
	w := matrixWorld(t)
	if f := w.plan("--changed-since", "origin/main", "--spread"); f == "" || w.firstClaim().Fingerprint != f {
		t.Errorf("three roots were not planned by the job: %s", f)
	}
}

// A part that is missing, failed, or not what it should be makes all of the plan fail,
// and the pull request says which.
func TestJoinTrustsNoPart(t *testing.T) {
	t.Parallel()
	change := func(file string, change func(p map[string]any)) func(w *infraWorld) {
		return func(w *infraWorld) {
			path := filepath.Join(w.store, file)
			var p map[string]any
			if err := json.Unmarshal([]byte(read(w.t, path)), &p); err != nil {
				w.t.Fatal(err)
			}
			change(p)
			data, _ := json.Marshal(p)
			write(w.t, w.store, map[string]string{file: string(data)})
		}
	}
	const second = "part-77-2.sealed.part.json"
	for name, c := range map[string]struct {
		code   int
		do     func(w *infraWorld)
		reason string
	}{
		"missing": {1, func(w *infraWorld) { _ = os.Remove(filepath.Join(w.store, second)) },
			`group 2/3 \(infra\) has no plan: its job did not run to its end. It should plan infra/prod`},
		"failed": {1, func(w *infraWorld) {
			write(w.t, w.clone, map[string]string{"infra/prod/broken.tf": "output \"b\" {\n  value = nothing.here\n}\n"})
			w.planJob("--group", "2/3")
		}, `group 2/3 \(infra\): infra/prod: .*\n(.*\n)*.*nothing`},
		"refused": {3, func(w *infraWorld) {
			write(w.t, w.clone, map[string]string{"infra/prod/b.tf": "data \"external\" \"b\" {\n  program = [\"id\"]\n}\n"})
			w.planJob("--group", "2/3")
		}, `group 2/3 \(infra\): policy: (.*\n)*.*data source "external" is denied`},
		"of another commit": {3, change(second, func(p map[string]any) { p["head"] = strings.Repeat("a", 40) }),
			`group 2/3 \(infra\): its part is of commit aaaaaaa`},
		"after a push": {3, func(w *infraWorld) { w.push("ada", map[string]string{"infra/two/more.tf": "locals {}\n"}) },
			`group 1/3 \(infra-one\): its part is of commit`},
		"of another repository": {3, change(second, func(p map[string]any) { p["repository"] = "acme/other" }),
			`its part is of repository "acme/other"`},
		"of another group": {3, func(w *infraWorld) {
			write(w.t, w.store, map[string]string{second: read(w.t, filepath.Join(w.store, "part-77-1.sealed.part.json"))})
		}, `group 2/3 \(infra\): its part is of group "1/3"`},
		"without its root": {3, change(second, func(p map[string]any) { p["roots"], p["parts"] = nil, nil }),
			`its part holds infra/prod 0 times`},
		"with a root twice": {3, change(second, func(p map[string]any) {
			p["roots"], p["parts"] = append(p["roots"].([]any), p["roots"].([]any)...), append(p["parts"].([]any), p["parts"].([]any)...)
		}), `its part holds infra/prod 2 times`},
		"with a root more": {3, change(second, func(p map[string]any) {
			p["waits"] = []any{map[string]any{"dir": "infra/else", "workspace": "default", "after": []string{"infra/one"}}}
		}), "its part holds infra/else, which belongs to another group"},
		"without a fingerprint": {3, change(second, func(p map[string]any) { p["parts"] = []string{} }), `0 fingerprints for 1 root`},
		"not read": {3, func(w *infraWorld) {
			write(w.t, w.store, map[string]string{second: "{"})
		}, `its part cannot be read`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := matrixWorld(t)
			w.groups(3)
			c.do(w)
			code, _, words := w.planJob("--join")
			w.wants("join", code, c.code, words, c.reason)
			comments := strings.Join(w.github.Pulls("acme/infra")[0].Comments, "\n")
			w.wants("the comment", 0, 0, comments, "The plan of .* (failed|was refused)", "group [12]/3")
		})
	}
}

// What a part says beside its sealed plan is a claim: a sealed part that is another one
// makes another plan, which nobody approved.
func TestApplyRefusesASwappedPart(t *testing.T) {
	t.Parallel()
	w := matrixWorld(t)
	w.groups(3)
	code, _, words := w.planJob("--join")
	w.wants("join", code, 0, words)
	w.approve("dan", w.firstClaim().Fingerprint)
	w.merge()
	write(w.t, w.store, map[string]string{"part-77-2.sealed": read(t, filepath.Join(w.store, "part-77-3.sealed"))})
	code, _, words = w.apply()
	w.wants("apply", code, 3, words, `its parts do not hold infra/prod in workspace default exactly once`)
	if w.state() != "" {
		t.Error("something was applied")
	}
}

// A value that one part calls sensitive and another one does not is shown by the jobs that
// plan, which hold no key, and hidden by the gate, which opens every part.
func TestSecretsOfOtherParts(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": infraRules, "infra/two/main.tf": fmt.Sprintf(matrixRoot, "old")})
	w.asApp()
	w.open("ada", map[string]string{
		"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n", "infra/two/main.tf": fmt.Sprintf(matrixRoot, secret),
	})
	w.groups(2)
	code, _, words := w.planJob("--join")
	w.wants("join", code, 0, words)
	planned := w.github.Pulls("acme/infra")[0].Comments[0]
	w.wants("the plan comment", 0, 0, planned, `infra/prod`, `input.password = \(sensitive value\)`, `input = "`+secret)
	code, _, words = w.gate("--status", "--comment", "--checkout", w.clone, "--seal-key-file", w.keyFile())
	w.wants("gate", code, 0, words, "still needed")
	comments := w.github.Pulls("acme/infra")[0].Comments
	w.wants("the gate's comment", 0, 0, comments[len(comments)-1], "The sealed plan itself says:", `input = "\(sensitive value\)"`)
	if strings.Contains(comments[len(comments)-1], secret) {
		t.Error("the gate's comment shows the secret")
	}
}
