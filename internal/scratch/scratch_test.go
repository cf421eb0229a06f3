package scratch

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
)

func left(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(path, "secret"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return err == nil
}

// make makes a directory with a secret in it.
func make(t *testing.T, parent string) *Dir {
	t.Helper()
	d, err := New(parent)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path, "secret"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// What a killed process leaves is removed by the next one, when its children have ended
// too; what a living one has is not, nor what is somebody else's.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	parent, elsewhere := t.TempDir(), t.TempDir()
	for _, path := range []string{filepath.Join(parent, "waybill-other"), elsewhere} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "secret"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(elsewhere, filepath.Join(parent, prefix+"link")); err != nil {
		t.Fatal(err)
	}
	living, killed, removed := make(t, parent), make(t, parent), make(t, parent)
	stdin, input := io.Pipe()
	child, err := process.Command{Path: "/bin/cat", Stdin: stdin, Holds: killed.Held()}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	killed.lock.Close() // which the end of a process does
	removed.Remove()
	if left(t, removed.Path) {
		t.Error("a directory stays when it is removed")
	}
	another := make(t, parent)
	if !left(t, living.Path) || !left(t, killed.Path) {
		t.Error("the directory of a living process, or of a child, was taken away")
	}
	input.Close()
	<-child.Done()
	another.Remove()
	make(t, parent).Remove()
	if left(t, killed.Path) {
		t.Error("what a killed process left is still there")
	}
	if !left(t, living.Path) || !left(t, elsewhere) || !left(t, filepath.Join(parent, "waybill-other")) {
		t.Error("more than leftovers was taken away")
	}
}

func TestOfJob(t *testing.T) {
	t.Parallel()
	temp, long := os.TempDir(), filepath.Join(t.TempDir(), "directory-with-a-long-name-in-which-no-provider-could-make-its-socket-any-more")
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a job":                   {map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_TEMP": temp}, temp},
		"no job":                  {map[string]string{"RUNNER_TEMP": temp}, ""},
		"the user's choice":       {map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_TEMP": temp, "TMPDIR": "/large"}, ""},
		"no such directory":       {map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_TEMP": filepath.Join(temp, "none")}, ""},
		"too long for providers":  {map[string]string{"GITHUB_ACTIONS": "true", "RUNNER_TEMP": long}, ""},
		"a runner that says none": {map[string]string{"GITHUB_ACTIONS": "true"}, ""},
	} {
		if got := OfJob(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
