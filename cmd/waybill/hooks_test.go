package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/verdict"
)

// hookWorld is a planned pull request, whose default branch names hooks.
func hookWorld(t *testing.T, hooks string) (w *infraWorld, base string) {
	t.Helper()
	w = newInfraWorld(t, map[string]string{"waybill.yaml": infraRules + "  hooks:\n" + hooks, "limit.txt": "base\n"})
	base = w.cloneAs("ada")
	w.open("ada", map[string]string{
		"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n", "limit.txt": "change\n",
		"waybill.yaml": infraRules + "  hooks:\n    - {name: mine, run: \"true\"}\n",
	})
	w.plan()
	return w, base
}

func (w *infraWorld) hooks(checkout string) (said string, code int, words string) {
	w.t.Helper()
	code, out, words := w.gate("--run-hooks", "--checkout", checkout, "--format", "json")
	var document struct{ Hooked json.RawMessage }
	_ = json.Unmarshal([]byte(out), &document)
	return string(document.Hooked), code, words
}

// The hooks of the default branch run on the whole plan, with nothing of the job, and the
// comment shows what they print without breaking out of its place or telling a secret.
func TestHooksSeeThePlanAndNothingElse(t *testing.T) {
	t.Parallel()
	w, base := hookWorld(t, `    - name: look
      run: |
        env; cat limit.txt; grep -c planted "$PLAN"; grep -o 'planted-[A-Za-z0-9-]*' "$PLAN" | head -1
        printf '%s\n' '`+"````"+`' '</details>' '/approve all'
    - {name: elsewhere, dir: infra/other, run: "exit 9"}
    - {name: advice, run: "echo costs more; exit 3"}
`)
	said, code, words := w.hooks(base)
	w.wants("hooks", code, 0, words)
	var hooked verdict.Hooked
	if err := json.Unmarshal([]byte(said), &hooked); err != nil || len(hooked.Hooks) != 2 {
		t.Fatalf("%s: %v", said, err)
	}
	look := hooked.Hooks[0].Output
	for _, want := range []string{"PLAN=/", "ROOT=infra/prod", "\nbase\n", "\n1\n"} {
		if !strings.Contains(look, want) {
			t.Errorf("the hook does not see %q: %s", want, look)
		}
	}
	for _, not := range []string{"TOKEN", "SEAL", "GITHUB", "TF_VAR", secret, w.key} {
		if strings.Contains(look, not) {
			t.Errorf("the hook sees or shows %q: %s", not, look)
		}
	}
	code, _, words = w.gate("--hooks", said, "--comment", "--checkout", w.clone)
	w.wants("gate", code, 4, words, "is not approved yet")
	comments := w.github.Pulls("acme/infra")[0].Comments
	shown := comments[len(comments)-1]
	for _, want := range []string{
		"✅ look on infra/prod: exit code 0", "⚠️ advice on infra/prod: exit code 3", "\n`````\n", "costs more",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the comment lacks %q: %s", want, shown)
		}
	}
	w.noSecrets(secret)
}

// A hook that refuses holds the plan, and so does one that did not run on it.
func TestHooksHoldThePlan(t *testing.T) {
	t.Parallel()
	w, base := hookWorld(t, "    - {name: law, run: \"echo no public buckets; exit 2\", refuse: true}\n")
	code, _, words := w.gate()
	w.wants("without hooks", code, 1, words, "the hooks of waybill.yaml did not run on this plan")
	said, code, words := w.hooks(base)
	w.wants("hooks", code, 0, words)
	code, _, words = w.gate("--hooks", said, "--comment")
	w.wants("gate", code, 3, words, `hook law refuses the plan of infra/prod \(exit code 2\)`)
	comments := strings.Join(w.github.Pulls("acme/infra")[0].Comments, "\n")
	w.wants("the comment", 0, 0, comments, `A hook refuses this plan`, `❌ refused: law on infra/prod`, `no public buckets`)
	code, _, words = w.gate("--hooks", strings.Replace(said, `"rules": "`, `"rules": "0`, 1))
	w.wants("other rules", code, 1, words, "the hooks ran on plan .* run the gate again")
	code, _, words = w.gate("--hooks", "{")
	w.wants("not read", code, 1, words, "read what the hooks said")
	w.push("ada", map[string]string{"infra/prod/note.tf": "output \"note\" {\n  value = \"other\"\n}\n"})
	w.plan()
	code, _, words = w.gate("--hooks", said)
	w.wants("another plan", code, 1, words, "the hooks ran on plan .* run the gate again")
	if _, code, words = w.hooks(w.clone); code != 3 || !strings.Contains(words, "hooks run in the default branch, and the checkout is") {
		t.Errorf("in the checkout of the change: %d %s", code, words)
	}
}

// A hook whose program is not there says nothing of the plan: that is trouble.
func TestAHookThatCannotRunIsTrouble(t *testing.T) {
	t.Parallel()
	w, base := hookWorld(t, "    - {name: gone, run: no-such-program, refuse: true}\n")
	_, code, words := w.hooks(base)
	w.wants("hooks", code, 1, words, "hook gone on infra/prod: .*no-such-program.*not found")
}
