package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// ciRun runs .ci/run with a make whose tests say what they say, as a user of this
// id, and gives what it says, its exit code, and what ran with sudo.
func ciRun(t *testing.T, id, tests, withSudo string) (said, asRoot string, code int) {
	t.Helper()
	p := publishing{t: t, root: t.TempDir()}
	script, err := os.ReadFile(filepath.Join(tooltest.Root(t), ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(p.root, ".ci", "run"), string(script))
	for name, text := range map[string]string{
		"make": `[ "$1" = check ] && exit; cat "$STATE/tests"; ! grep -q ^FAIL "$STATE/tests"`, "id": `echo "$USER_ID"`,
		"go":   `case "$1" in env) echo /cache ;; *) cat "$STATE/root"; ! grep -q ^FAIL "$STATE/root" ;; esac`,
		"sudo": `[ -s "$STATE/root" ] || exit 1; shift; [ "$1" = true ] || { echo "$*" >> "$STATE/ran"; "$@"; }`,
	} {
		p.write(filepath.Join(p.root, "bin", name), "#!/bin/bash\n"+text+"\n")
	}
	p.write(filepath.Join(p.root, "tests"), tests)
	p.write(filepath.Join(p.root, "root"), withSudo)
	var out bytes.Buffer
	err = process.Command{
		Path: "/bin/bash", Args: []string{filepath.Join(p.root, ".ci", "run")}, Stdout: &out, Stderr: &out,
		Env: []string{"PATH=" + filepath.Join(p.root, "bin") + ":" + os.Getenv("PATH"), "STATE=" + p.root, "USER_ID=" + id,
			"TMPDIR=" + t.TempDir()},
	}.Run(t.Context())
	var failed *process.Error
	if errors.As(err, &failed) {
		code = failed.Code
		out.WriteString(failed.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	ran, _ := os.ReadFile(filepath.Join(p.root, "ran"))
	return out.String(), string(ran), code
}

// A test that needs rights is skipped for a user without them, and CI gives it them.
func TestCIRunsSkippedTestsAgainAsRoot(t *testing.T) {
	t.Parallel()
	const (
		passing = "--- PASS: TestA (0.1s)\nok  \tx/a\t1s\n"
		skipped = "    b_test.go:7: buildkitd needs root\n    --- SKIP: TestB/one (0.1s)\n--- SKIP: TestB (0.1s)\n--- SKIP: TestC (0.1s)\n" +
			"--- PASS: TestD (0.1s)\nok  \tx/b\t1s\n"
		now = "--- PASS: TestB (0.1s)\n--- PASS: TestC (0.1s)\nok  \tx/b\t1s\n"
	)
	for name, c := range map[string]struct {
		id, tests, withSudo, says, asRoot string
		code                              int
	}{
		"nothing skipped": {"1001", passing, now, "1 passed, 0 failed", "", 0},
		"skipped, then passed": {
			"1001", passing + skipped, now, "4 passed, 0 failed", "go test -timeout 20m -v -run ^(TestB|TestC)$ x/b", 0,
		},
		"still skipped":  {"1001", passing + skipped, skipped, "skipped tests are failures in CI", "x/b", 1},
		"failed as root": {"1001", passing + skipped, "--- FAIL: TestB (0.1s)\nFAIL\n", "--- FAIL: TestB", "x/b", 1},
		"no sudo":        {"1001", passing + skipped, "", "skipped tests are failures in CI", "", 1},
		"root already":   {"0", passing + skipped, now, "skipped tests are failures in CI", "", 1},
		"failed":         {"1001", passing + "--- FAIL: TestE (0.1s)\nFAIL\tx/e\n", now, "make test failed; the failures:", "", 1},
		"no test":        {"1001", "ok  \tx/a\t1s [no tests to run]\n", now, "0 passed, 0 failed", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, asRoot, code := ciRun(t, c.id, c.tests, c.withSudo)
			ran := strings.Contains(asRoot, c.asRoot) && (asRoot == "") == (c.asRoot == "")
			if code != c.code || !strings.Contains(said, c.says) || !ran {
				t.Errorf("exit code %d, want %d; as root ran %q, want %q; without %q says\n%s", code, c.code, asRoot, c.asRoot, c.says, said)
			}
		})
	}
}
