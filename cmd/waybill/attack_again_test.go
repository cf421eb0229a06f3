package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// wrapped lets terraform run through a script, which does something first where it is
// called in a way: $* are the arguments.
func (w *infraWorld) wrapped(call, script string) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "terraform")
	text := "#!/bin/sh\nterraform=" + tooltest.Find(w.t, "terraform") + "\ncase \"$*\" in\n" + call + ")\n" + script + "\n;;\nesac\n" +
		"exec \"$terraform\" \"$@\"\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.env["WAYBILL_INPUT_TERRAFORM"] = path
}

// Between the check of a plan and its apply a root is planned again, which takes a while and
// runs providers. Nothing that this brings to light is applied.
func TestWhatPlanningAgainShows(t *testing.T) {
	t.Parallel()
	const planned, shown = "plan*/again*", "show*/again*"
	configured := "provider \"world\" {\n  server = data.world_fact.it.answer\n}\n" + strings.Replace(madeThing, "MORE", "", 1)
	for name, c := range map[string]struct {
		call, script string // of terraform
		code         int
		says         string
	}{
		"a provider writes into the tree": {
			planned, "\"$terraform\" \"$@\"\ncode=$?\necho '# other' >> more.tf\nexit $code", 3,
			`infra/net: not as in the planned commit: infra/net/more\.tf`,
		},
		"its state moved": {
			planned,
			`printf '{"version":4,"terraform_version":"1.0.0","serial":7,"lineage":"x","outputs":{},"resources":[]}' > terraform.tfstate`, 3,
			"infra/net: state serial was 0 when planned, is 7 now",
		},
		"only a part is planned": {
			planned, "exec \"$terraform\" \"$@\" -target=world_thing.made", 3, "terraform says of the plan: Resource targeting is in effect",
		},
		"somebody else holds the lock": {
			planned, "echo 'Error: Error acquiring the state lock' >&2\nexit 1", 3,
			"somebody else holds the state's lock: another apply may be running",
		},
		"the plan is incomplete": {
			shown, "\"$terraform\" \"$@\" > shown.out || exit 1\nsed 's/\"complete\":true/\"complete\":false/' shown.out\nrm shown.out\nexit 0", 3,
			"incomplete",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, things := answersWorld(t, configured)
			f := w.plan("--changed-since", "origin/main")
			w.approve("bob", f)
			w.merge()
			w.onMain()
			w.wrapped(c.call, c.script)
			code, _, words := w.apply()
			w.wants("apply", code, c.code, words, c.says)
			if _, err := os.Stat(filepath.Join(things, "made")); err == nil {
				t.Error("something was applied")
			}
		})
	}
}

// A root that is planned again for nothing but another one before it is applied by the plan
// that was approved, and not by the new one.
func TestTheApprovedPlanIsAppliedAfterAnother(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml":      infraRules + "  roots: [{dir: infra/one}, {dir: infra/two, after: [infra/one]}]\n",
		"infra/one/main.tf": fmt.Sprintf(matrixRoot, "old"), "infra/two/main.tf": fmt.Sprintf(matrixRoot, "old"),
	})
	root := fmt.Sprintf(matrixRoot, "new")
	w.open("ada", map[string]string{"infra/one/main.tf": root, "infra/two/main.tf": root})
	w.approve("bob", w.plan("--changed-since", "origin/main"))
	w.merge()
	w.onMain()
	log := filepath.Join(t.TempDir(), "applied")
	w.wrapped("apply*", "echo \"$*\" >> "+log)
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/two  planned again after infra/one", "infra/one: applied", "infra/two: applied")
	if applied := strings.Fields(read(t, log)); len(applied) == 0 || strings.Contains(read(t, log), "/again") ||
		strings.Count(read(t, log), "/plan") != 2 {
		t.Errorf("applied by %q", applied)
	}
}

// A dry run plans again what an apply would plan again, and nothing that does not change.
func TestADryRunOfWhatDoesNotChange(t *testing.T) {
	t.Parallel()
	w, _ := answersWorld(t, "provider \"world\" {\n  server = data.world_fact.it.answer\n}\n"+strings.Replace(madeThing, "MORE", "", 1))
	w.approve("bob", w.plan("--changed-since", "origin/main"))
	w.merge()
	w.onMain()
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "planned again", "infra/net: applied")
	w.approve("bob", w.plan("--changed-since", "HEAD^1"))
	code, _, words = w.apply("--dry-run")
	w.wants("dry run", code, 0, words)
	if strings.Contains(words, "planned again") {
		t.Errorf("it was planned again: %s", words)
	}
}

// An answer of today stands in no plan that was sealed. Where it is sensitive, it is hidden
// all the same when the apply says it.
func TestAnswersOfTodayAreHidden(t *testing.T) {
	t.Parallel()
	w, things := answersWorld(t, "provider \"world\" {\n  server = data.world_fact.it.secret\n}\n"+strings.Replace(madeThing, "MORE", "", 1))
	w.approve("bob", w.plan("--changed-since", "origin/main"))
	w.merge()
	w.onMain()
	write(t, things, map[string]string{"fact": "token-of-today"})
	w.wrapped("apply*", "echo 'Error: nobody at token-of-today' >&2\nexit 1")
	code, out, words := w.apply()
	w.wants("apply", code, 1, words, "planned again", "nobody at ")
	if strings.Contains(out+words, "token-of-today") {
		t.Errorf("it was shown: %s", words)
	}
}
