package terraform

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What terraform starts looks into no other process of the job, such as the runner's,
// which has the job's token and secrets, nor becomes another user. It writes files, as
// providers do.
func TestTerraformLooksIntoNoOtherProcess(t *testing.T) {
	t.Parallel()
	runner := exec.CommandContext(t.Context(), "sleep", "600")
	runner.Env = []string{"TOKEN=secret"}
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = runner.Process.Kill(); _ = runner.Wait() }()
	program := filepath.Join(t.TempDir(), "terraform")
	script := fmt.Sprintf(`#!/bin/sh
for pid in %d $PPID; do
  cat /proc/$pid/environ >/dev/null 2>&1 && echo read the environment
  cat /proc/$pid/maps >/dev/null 2>&1 && echo read the memory
  kill -0 $pid 2>/dev/null && echo could end it
  prlimit --pid $pid --core=0 2>/dev/null && echo could make it write its memory into a file
done
grep -q 'NoNewPrivs:.1' /proc/self/status || echo may become another user
echo x >"$1" && echo wrote
`, runner.Process.Pid)
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	root := &Root{o: Options{Path: program, Env: []string{"PATH=" + os.Getenv("PATH")}}}
	if err := root.command(&out, filepath.Join(t.TempDir(), "file")).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out.String() != "wrote\n" {
		t.Error(out.String())
	}
}
