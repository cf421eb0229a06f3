//go:build unix

package scratch

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the lock of a directory for as long as the file is open, here or in a
// child. It gives nil where somebody else has it, and where there are no locks.
func lock(dir string) *os.File {
	file, err := os.Open(dir)
	if err != nil {
		return nil
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil
	}
	return file
}
