// Package scratch makes private directories that do not stay behind.
//
// What lies in one can be secret: plans with every value in the clear, tokens. Its
// maker removes it. A process that is killed cannot, so each directory is locked for
// as long as its process lives, or a child that was given the lock. The next one that
// makes a directory beside it removes those that nobody holds.
package scratch

import (
	"fmt"
	"os"
	"path/filepath"
)

const prefix = "waybill-run-"

// maxSocketDir leaves room for the name of a provider's socket, whose whole path has
// at most 107 bytes.
const maxSocketDir = 80

// OfJob is the directory for temporary files that the runner empties with each job.
// It is empty where there is none, and where the user has chosen another one.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func OfJob(getenv func(string) string) string {
	dir := getenv("RUNNER_TEMP")
	if getenv("GITHUB_ACTIONS") != "true" || getenv("TMPDIR") != "" || len(dir) > maxSocketDir {
		return ""
	}
	if is, err := os.Stat(dir); err != nil || !is.IsDir() {
		return ""
	}
	return dir
}

// maxTries are enough to know that there are no locks on the file system: nobody sweeps
// there.
const maxTries = 5

// Dir is a directory of this process alone.
type Dir struct {
	Path string
	lock *os.File // nil where there are none
}

// New makes a directory in parent, or in that for temporary files if parent is empty.
func New(parent string) (*Dir, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent)
	for tried := 0; ; tried++ {
		path, err := os.MkdirTemp(parent, prefix)
		if err != nil {
			return nil, fmt.Errorf("make a private directory: %w", err)
		}
		d := &Dir{Path: path, lock: lock(path)}
		if _, err := os.Stat(path); err == nil && (d.lock != nil || tried == maxTries) {
			return d, nil
		}
		d.Remove() // another process took it for a leftover, before it was locked
	}
}

// Held is the lock, for a child that needs the directory for longer than this process
// may live.
func (d *Dir) Held() *os.File { return d.lock }

// Remove removes the directory with all that is in it.
func (d *Dir) Remove() {
	_ = os.RemoveAll(d.Path)
	_ = d.lock.Close()
}

// sweep removes the directories that nobody holds. What it may not remove is somebody
// else's.
func sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(parent, e.Name())
		if is, err := filepath.Match(prefix+"*", e.Name()); err != nil || !is || !e.IsDir() {
			continue
		}
		if held := lock(path); held != nil {
			_ = os.RemoveAll(path)
			_ = held.Close()
		}
	}
}
