//go:build unix

package layercache

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private reports whether this user alone can write to a file or directory.
func private(name string, is fs.FileInfo) error {
	st, ok := is.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != os.Geteuid() || is.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by other users: remove it, or run chmod go-w on it as its owner", name)
	}
	return nil
}
