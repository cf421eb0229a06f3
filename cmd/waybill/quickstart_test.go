package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var quickstartBlock = regexp.MustCompile("(?s)<!-- quickstart( says)? -->\n```(?:sh|text)\n(.*?)```\n")

// What docs/quickstart.md tells newcomers to type is typed here, word for word,
// and prints every line that the page shows; … stands for anything.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	tooltest.Find(t, "openssl")
	page, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	var typed, script strings.Builder
	script.WriteString("exec bash -euo pipefail -c 'bash -euo pipefail quickstart.sh 2>&1'\n")
	shown := 0
	for _, m := range quickstartBlock.FindAllStringSubmatch(string(page), -1) {
		if m[1] == "" {
			typed.WriteString(m[2])
			continue
		}
		for line := range strings.Lines(m[2]) {
			var words []string
			for _, word := range strings.Fields(line) {
				words = append(words, strings.ReplaceAll(regexp.QuoteMeta(word), "…", ".*"))
			}
			fmt.Fprintf(&script, "stdout '^ *%s *$'\n", strings.Join(words, " +"))
			shown++
		}
	}
	if strings.Count(typed.String(), "\n") < 40 || shown < 10 {
		t.Fatalf("the page has other steps: %d lines shown, and typed:\n%s", shown, typed.String())
	}
	dir := t.TempDir()
	fmt.Fprintf(&script, "\n-- quickstart.sh --\n%s", typed.String())
	file := filepath.Join(dir, "quickstart.txtar")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files: []string{file},
		Setup: func(env *testscript.Env) error {
			env.Setenv("REGISTRY", registrytest.New(t, nil).Host)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			config := "[user]\n\tname = Ada\n\temail = ada@example.com\n"
			return os.WriteFile(filepath.Join(env.WorkDir, ".gitconfig"), []byte(config), 0o600)
		},
	})
}
