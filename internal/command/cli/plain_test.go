package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
)

// Words from outside that begin a line are no command to the runner.
func TestWordsAreNoCommands(t *testing.T) {
	t.Parallel()
	got := run(t, nil, func(call *cli.Call) error {
		call.Sayf("%s: applied", "::set-output name=a::b")
		return errors.New("first\n::add-mask::second")
	}, "verify", "img")
	for line := range strings.SplitSeq(got.stderr, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("the runner would take %q as a command", line)
		}
	}
	if !strings.Contains(got.stderr, "set-output name=a") || !strings.Contains(got.stderr, "add-mask::second") {
		t.Errorf("the words are gone: %q", got.stderr)
	}
}

// What a command writes in Actions by itself holds no command to the runner,
// neither in results nor in words; the runner's own commands still reach it, and
// a document means the same.
func TestResultsAreNoCommands(t *testing.T) {
	t.Parallel()
	const name = "x ##[add-mask]app"
	env := map[string]string{"GITHUB_ACTIONS": "true", "WAYBILL_INPUT_REGISTRY_PASSWORD": "hunter2"}
	say := func(call *cli.Call) error {
		fmt.Fprintf(call.Stdout, "%s\n::error::%[1]s\n", name)
		fmt.Fprintf(call.Stderr, "%s\n::error::%[1]s\n", name)
		return errors.New(name)
	}
	got := run(t, env, say, "verify", "img")
	for stream, text := range map[string]string{"stdout": got.stdout, "stderr": got.stderr} {
		if strings.Contains(text, "##[") || strings.Contains(text, "\n::error::x") || !strings.Contains(text,
			"x # #[add-mask]app\n: :error::x") {
			t.Errorf("%s: %q", stream, text)
		}
	}
	if !strings.Contains(got.stderr, "::add-mask::hunter2\n") || !strings.Contains(got.stderr,
		"\n::error title=waybill error::x # #[add-mask]app") {
		t.Errorf("the runner's own commands are gone: %q", got.stderr)
	}
	got = run(t, env, func(call *cli.Call) error { return json.NewEncoder(call.Stdout).Encode(name) }, "verify", "img", "--format",
		"json")
	var back string
	if err := json.Unmarshal([]byte(got.stdout), &back); err != nil || back != name || strings.Contains(got.stdout, "##[") {
		t.Errorf("the document %q: %q, %v", got.stdout, back, err)
	}
	got = run(t, nil, say, "verify", "img")
	if got.stdout != name+"\n::error::"+name+"\n" {
		t.Errorf("outside Actions: %q", got.stdout)
	}
}
