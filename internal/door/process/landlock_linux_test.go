package process

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The first Landlock refuses to move a file to another directory, as terraform does, and so
// it is not used; of a later one, only what it knows is asked.
func TestVersionsOfLandlock(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]int{-1: 0, 0: 0, 1: 0, 2: 2, 6: 6} {
		if got := usable(version); got != want {
			t.Errorf("version %d is used as %d, want %d", version, got, want)
		}
	}
	const reads = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	if got, all := handled(scopesSince).HandledAccessFS, uint64(unix.LANDLOCK_ACCESS_FS_IOCTL_DEV<<1-1); got != all&^reads {
		t.Errorf("%x is restricted, want all but reading: %x", got, all&^reads)
	}
	for version, want := range map[int]bool{0: false, 5: false, 6: true, 7: true} {
		if got := confines(version, "amd64"); got != want {
			t.Errorf("version %d confines: %t", version, got)
		}
	}
	if confines(6, "riscv64") {
		t.Error("a machine whose system calls have no filter here confines")
	}
	for version, want := range map[int]struct {
		truncate, devices, scoped bool
	}{2: {}, 3: {truncate: true}, 4: {truncate: true}, 5: {truncate: true, devices: true}, 6: {true, true, true}} {
		a := handled(version)
		if a.HandledAccessFS&unix.LANDLOCK_ACCESS_FS_REFER == 0 ||
			a.HandledAccessFS&unix.LANDLOCK_ACCESS_FS_TRUNCATE != 0 != want.truncate ||
			a.HandledAccessFS&unix.LANDLOCK_ACCESS_FS_IOCTL_DEV != 0 != want.devices ||
			(a.Scoped == unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET|unix.LANDLOCK_SCOPE_SIGNAL) != want.scoped {
			t.Errorf("version %d: %+v", version, a)
		}
	}
}
