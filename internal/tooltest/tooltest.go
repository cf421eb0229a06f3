// Package tooltest finds the real programs that integration tests run:
// BuildKit, Sigstore's services, act, and the public command lines that Waybill
// has to agree with.
//
// `make tools` builds them into bin/tools from this repository's modules. A
// test whose program is not there is skipped with one line that says so, and
// .ci/run counts a skip as a failure.
package tooltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// Dir is the variable that names another directory than bin/tools.
const Dir = "WAYBILL_TOOLS"

// Find gives the path of a program in bin/tools, else on PATH (with the system
// directories that Debian leaves out of an ordinary user's), else skips.
func Find(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv(Dir), filepath.Join(Root(t), "bin", "tools"), "/usr/local/sbin", "/usr/sbin"} {
		if dir == "" {
			continue
		}
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	path, err := process.LookPath(name)
	if err != nil {
		t.Skipf("needs %s: run make tools", name)
	}
	return path
}

// Says reports an error for each text that a page below docs does not have: a number there
// and in the code is the same one.
func Says(t testing.TB, page string, texts ...string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Root(t), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if !strings.Contains(string(data), text) {
			t.Errorf("docs/%s does not say %q", page, text)
		}
	}
}

// Buildkitd gives the path of the BuildKit daemon. It mounts and makes
// namespaces, so a test that starts it is skipped for a user without root's
// rights; CI is root.
func Buildkitd(t testing.TB) string {
	t.Helper()
	program := Find(t, "buildkitd")
	Find(t, "runc")
	if os.Geteuid() != 0 {
		t.Skip("buildkitd needs root")
	}
	return program
}

// File gives the path of a file that `make tools` puts beside the programs,
// else skips.
func File(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv(Dir), filepath.Join(Root(t), "bin", "tools")} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); dir != "" && err == nil && !info.IsDir() {
			return path
		}
	}
	t.Skipf("needs %s: run make tools", name)
	return ""
}

// Root is the top of this repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && len(data) > 0 {
			if _, err := os.Stat(filepath.Join(dir, "internal", "tooltest")); err == nil {
				return dir
			}
		}
	}
	t.Fatal("cannot find the top of the repository")
	return ""
}
