package cli_test

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
)

// help is what every command prints for --help.
func help(t *testing.T) map[string]string {
	t.Helper()
	commands := map[string]cli.Func{}
	for _, c := range contract.Commands() {
		commands[c.Name] = func(context.Context, *cli.Call) error { return nil }
	}
	texts := map[string]string{}
	for name := range commands {
		var out bytes.Buffer
		program := cli.Program{Name: "waybill", Commands: commands}
		process := cli.Process{Args: []string{name, "--help"}, Getenv: func(string) string { return "" }, Stdout: &out, Stderr: &out}
		if code := program.Run(t.Context(), process); code != 0 {
			t.Fatalf("%s --help: exit %d: %s", name, code, out.String())
		}
		texts[name] = out.String()
	}
	return texts
}

// The help names inputs as one types them, never as action.yml does.
func TestHelpSpellsFlags(t *testing.T) {
	t.Parallel()
	snake := regexp.MustCompile(`[a-z]+(_[a-z]+)+`)
	inputs := map[string]bool{}
	for _, c := range contract.Commands() {
		for _, in := range c.Inputs {
			inputs[in.Name] = true
		}
	}
	for name, text := range help(t) {
		for _, word := range snake.FindAllString(text, -1) {
			if inputs[word] {
				t.Errorf("%s --help says %s, which nobody can type", name, word)
			}
		}
		if strings.ContainsAny(strings.NewReplacer("{{version}}", "", "{{major}}.{{minor}}", "").Replace(text), "{}") {
			t.Errorf("%s --help holds a reference that names no input", name)
		}
	}
}

// Each flag stands in one line of the help with its value, once, and the types
// are those that are read.
func TestHelpOfEachFlag(t *testing.T) {
	t.Parallel()
	texts := help(t)
	for _, c := range contract.Commands() {
		for _, in := range c.Inputs {
			want := in.Label()
			if value := in.Value(); value != "" && !in.Positional && !in.Secret {
				want += " " + value
			}
			lines := regexp.MustCompile(`(?m)^  `+regexp.QuoteMeta(want)+`( .*)?$`).FindAllString(texts[c.Name], -1)
			if len(lines) != 1 {
				t.Errorf("%s --help has the line %q %d times", c.Name, want, len(lines))
			}
			if in.Placeholder != "" && strings.Contains(texts[c.Name], "("+in.Placeholder+")") {
				t.Errorf("%s --help repeats the placeholder %s", c.Name, in.Placeholder)
			}
		}
	}
	for command, flags := range map[string][]string{
		"plan": {"--parallel int", "--expires duration"}, "rollback": {"--steps int", "--allow-new "},
		"build": {"--engine auto|buildkit|assemble", "--platform OS/ARCH"},
	} {
		for _, flag := range flags {
			if !strings.Contains(texts[command], "\n  "+flag) {
				t.Errorf("%s --help has no %q", command, flag)
			}
		}
	}
}

// The flags of the command itself come first, the required ones before the
// others, then the groups; no line is longer than a terminal.
func TestHelpIsInGroups(t *testing.T) {
	t.Parallel()
	texts, last := help(t), -1
	for _, part := range []string{
		"Usage:", "Arguments:\n  IMAGE", "Flags:\n  --app", "\n  --env ", "\n  --via ",
		"Repository flags:\n  --repo", "GitHub flags:\n  --app-id", "Sigstore flags:", "Secrets, by environment:",
	} {
		at := strings.Index(texts["bump"], part)
		if at <= last {
			t.Errorf("%q does not follow what comes before it", part)
		}
		last = at
	}
	for name, text := range texts {
		for line := range strings.Lines(text) {
			if utf8.RuneCountInString(line) > 101 && len(strings.Fields(line)) > 1 && !strings.HasPrefix(line, "  waybill ") {
				t.Errorf("%s --help has a line of %d characters: %s", name, utf8.RuneCountInString(line), line)
			}
		}
	}
}
