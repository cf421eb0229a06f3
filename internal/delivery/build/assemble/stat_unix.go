//go:build unix

package assemble

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// hardLink names what a file with several names is, by device and inode.
func hardLink(info fs.FileInfo) (id [2]uint64, linked bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Nlink < 2 {
		return id, false
	}
	return [2]uint64{uint64(st.Dev), st.Ino}, true //nolint:unconvert // narrower on other platforms
}

// device gives the numbers of a device file.
func device(info fs.FileInfo) (major, minor int64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	number := uint64(st.Rdev) //nolint:unconvert // narrower on other platforms
	return int64(unix.Major(number)), int64(unix.Minor(number))
}
