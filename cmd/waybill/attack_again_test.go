package main

import (
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
			planned, `printf '{"version":4,"terraform_version":"1.0.0","serial":7,"lineage":"x","outputs":{},"resources":[]}' > terraform.tfstate`, 3,
			"infra/net: state serial was 0 when planned, is 7 now",
		},
		"only a part is planned": {
			planned, "exec \"$terraform\" \"$@\" -target=world_thing.made", 3, "terraform says of the plan: Resource targeting is in effect",
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
