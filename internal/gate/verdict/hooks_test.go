package verdict

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// hooked runs hooks on a plan of so many roots, in which secret is a sensitive value.
func hooked(t *testing.T, n int, secret string, r Request, hooks ...config.TerraformHook) (*Hooked, error) {
	t.Helper()
	r.Site, r.Path = &site.Site{Top: t.TempDir()}, os.Getenv("PATH")
	bundle := &seal.Bundle{}
	for i := range n {
		bundle.Document.Roots = append(bundle.Document.Roots, plan.RootRecord{Dir: fmt.Sprintf("infra/r%d", i)})
		bundle.Roots = append(bundle.Roots, seal.Root{JSON: fmt.Appendf(nil, `{"format_version":"1.2","output_changes":{"x":{
			"actions":["create"],"before":null,"after":%q,"after_unknown":false,"before_sensitive":false,"after_sensitive":true}}}`, secret)})
	}
	return r.runHooks(t.Context(), hooks, bundle, &Hooked{})
}

// A hook that does not end is trouble, and no verdict on the plan.
func TestAHookThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	hook := config.TerraformHook{Name: "slow", Run: "sleep 600", Refuse: true}
	_, err := hooked(t, 1, "x", Request{HookTime: 50 * time.Millisecond}, hook)
	const want = "hook slow on infra/r0: it did not end within 50ms"
	if err == nil || outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
	if hookTime != 10*time.Minute {
		t.Errorf("docs/terraform.md says ten minutes, and it is %s", hookTime)
	}
}

// What the hooks of many roots say together has room in the environment of a process,
// by which the job that decides gets it.
func TestHooksOfManyRoots(t *testing.T) {
	t.Parallel()
	said, err := hooked(t, 60, "planted-secret", Request{}, config.TerraformHook{
		Name: "long", Run: `printf 'START'; i=0; while [ $i -lt 100 ]; do printf '%0100d' 1; i=$((i+1)); done; printf end`,
	})
	if err != nil || len(said.Hooks) != 60 {
		t.Fatalf("%v %d", err, len(said.Hooks))
	}
	without := 0
	for _, h := range said.Hooks {
		if h.Output == noRoom {
			without++
		}
		if len([]rune(h.Output)) > hookOutput+100 || strings.Contains(h.Output, "START") {
			t.Errorf("%d bytes of one: %.50s", len(h.Output), h.Output)
		}
	}
	if without == 0 || without > 50 || !strings.HasSuffix(said.Hooks[0].Output, "end") {
		t.Errorf("%d without", without)
	}
	passed(t, said)
}

// passed gives what was said to a process as the workflow does.
func passed(t *testing.T, said *Hooked) {
	t.Helper()
	data, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	command := process.Command{Path: "true", Env: []string{"PATH=" + os.Getenv("PATH"), "WAYBILL_INPUT_HOOKS=" + string(data)}}
	if err := command.Run(t.Context()); err != nil {
		t.Errorf("%d bytes: %v", len(data), err)
	}
}

// Of more results than a process can be told, those that passed are counted, and those
// that refuse the plan are kept.
func TestMoreHooksThanAProcessCanBeTold(t *testing.T) {
	t.Parallel()
	said := &Hooked{}
	for i := range 3_000 {
		one := HookResult{Name: "conftest", Root: fmt.Sprintf("infra/environments/r%d", i), Output: "\"quoted\"\n\x1b"}
		if i == 2_900 {
			one.Code, one.Refuse, one.Output = 1, true, strings.Repeat("no\n", 400)
		}
		said.Hooks = append(said.Hooks, one)
	}
	if err := said.fit(); err != nil {
		t.Fatal(err)
	}
	passed(t, said)
	if len(said.Hooks)+said.Passed != 3_000 || said.Passed == 0 || said.refusal() == nil {
		t.Errorf("%d results and %d more, %v", len(said.Hooks), said.Passed, said.refusal())
	}
	if want := fmt.Sprintf("%d results more, with exit code 0", said.Passed); !strings.Contains(said.Markdown(), want) {
		t.Errorf("the comment does not say %q", want)
	}
	failed := &Hooked{}
	for i := range 3_000 {
		failed.Hooks = append(failed.Hooks, HookResult{Name: "conftest", Root: fmt.Sprintf("infra/environments/r%d", i), Code: 1})
	}
	if err := failed.fit(); err == nil || !strings.Contains(err.Error(), "3000 hooks failed, more than the job that decides can be told") {
		t.Error(err)
	}
}

// An output is redacted before it is cut, and what begins within a secret is not shown.
func TestOutputsThatAreSecrets(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("planted-Sesame-", 8_000) // more than is kept of an output
	key := strings.Repeat("planted-line-4711\n", 6_000)
	for name, c := range map[string]struct{ secret, run, want string }{
		"one that is all of it": {long, `grep -o 'planted[A-Za-z-]*' "$PLAN"`, "… (the beginning is left out)\n"},
		"one, and words behind": {long, `grep -o 'planted[A-Za-z-]*' "$PLAN"; echo done`, "… (the beginning is left out)\ndone\n"},
		"one of many lines":     {key, `i=0; while [ $i -lt 9000 ]; do echo planted-line-4711; i=$((i+1)); done; echo done`, "done\n"},
		"one that is cut in the show": {
			"planted-Sesame-4711", `i=0; while [ $i -lt 900 ]; do echo x planted-Sesame-4711; i=$((i+1)); done`,
			"x (sensitive value)\n",
		},
	} {
		said, err := hooked(t, 1, c.secret, Request{}, config.TerraformHook{Name: "look", Run: c.run})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out := said.Hooks[0].Output
		shown := slices.ContainsFunc([]string{"planted", "Sesame", "4711"}, func(part string) bool { return strings.Contains(out, part) })
		if shown || !strings.HasSuffix(out, c.want) {
			t.Errorf("%s: %d bytes: %.200s … %s", name, len(out), out, out[max(0, len(out)-80):])
		}
	}
}

// What a hook's exit code means, and of which roots it is asked.
func TestHowHooksEnd(t *testing.T) {
	t.Parallel()
	said, err := hooked(t, 2, "x", Request{},
		config.TerraformHook{Name: "law", Run: "exit 125", Refuse: true, Dir: "infra/*1"},
		config.TerraformHook{Name: "advice", Run: "exit 1"},
		config.TerraformHook{Name: "elsewhere", Run: "exit 127", Dir: "other/**"},
		config.TerraformHook{Name: "passed", Run: "true", Refuse: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range said.Hooks {
		got = append(got, fmt.Sprintf("%s %s %d %t", h.Name, h.Root, h.Code, h.Refuse))
	}
	want := []string{
		"advice infra/r0 1 false", "passed infra/r0 0 true", "law infra/r1 125 true", "advice infra/r1 1 false", "passed infra/r1 0 true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := said.refusal(); outcome.Code(err) != outcome.Refused ||
		!strings.HasPrefix(err.Error(), "hook law refuses the plan of infra/r1 (exit code 125). Its output is") {
		t.Error(err)
	}
	for name, c := range map[string]struct{ run, says string }{
		"no program":             {"planted-Sesame-4711", "(sensitive value): not found"},
		"no program that starts": {"exit 126", "exit status 126"},
		"a signal":               {"kill -9 $$", "signal: killed"},
		"a signal by the shell":  {"exit 137", "exit status 137"},
	} {
		_, err := hooked(t, 1, "planted-Sesame-4711", Request{}, config.TerraformHook{Name: "trouble", Run: c.run, Refuse: true})
		if outcome.Code(err) != outcome.Broken || !strings.HasPrefix(err.Error(), "hook trouble on infra/r0: ") ||
			!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "Sesame") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A gate that is told to end is not a hook that takes too long.
func TestHooksThatAreCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := Request{Site: &site.Site{}, Path: os.Getenv("PATH")}.hook(ctx, config.TerraformHook{Run: "true"}, nil)
	if err == nil || strings.Contains(err.Error(), "did not end within") || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	slow := config.TerraformHook{Run: `trap "exit 3" INT; while :; do sleep 0.05; done`}
	code, _, err := Request{Site: &site.Site{}, Path: os.Getenv("PATH")}.hook(ctx, slow, nil)
	if err == nil || code != 0 {
		t.Errorf("what it ends with then is no verdict: %d", code)
	}
}

// Names of roots and hooks leave no place of the comment, and what refuses is named up to
// a number.
func TestWhatHooksSayStaysInItsPlace(t *testing.T) {
	t.Parallel()
	said := &Hooked{}
	for range 12 {
		said.Hooks = append(said.Hooks, HookResult{
			Name: "<b>law", Root: "infra/a\nb</summary>@acme" + strings.Repeat("x", 900), Code: 1, Refuse: true, Output: "````\n</details>",
		})
	}
	refusal := said.refusal().Error()
	if strings.Contains(refusal, "\n") || strings.Count(refusal, "refuses the plan") != 10 ||
		!strings.Contains(refusal, " and 2 more. Its") {
		t.Error(refusal)
	}
	shown := said.Markdown()
	if strings.Contains(shown, "<b>") || strings.Contains(shown, "b</summary>") || strings.Contains(shown, strings.Repeat("x", 300)) ||
		!strings.Contains(shown, "\n`````\n````\n</details>\n`````\n") {
		t.Error(shown)
	}
	ran, err := hooked(t, 1, "x", Request{}, config.TerraformHook{Name: "look", Run: `printf 'a\033[2Jb\342\200\256c'`})
	if err != nil || strings.ContainsAny(ran.Hooks[0].Output, "\x1b\u202e") || !strings.Contains(ran.Hooks[0].Output, "[2Jb") {
		t.Errorf("%v: %+v", err, ran.Hooks)
	}
	if one := (&Hooked{Hooks: []HookResult{{Name: "x", Root: "r", Refuse: true}, {Name: "y", Root: "r", Code: 1}}}); one.refusal() != nil {
		t.Error(one.refusal())
	}
}
