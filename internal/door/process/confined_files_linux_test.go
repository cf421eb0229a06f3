package process_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// onFiles are what the confined child tries with files, one right of Landlock each.
var onFiles = map[string]func(on string) error{
	"create": func(on string) error { return opened(on, os.O_CREATE|os.O_RDONLY) },
	"append": func(on string) error { return opened(on, os.O_APPEND|os.O_WRONLY) },
	"fifo":   func(on string) error { return unix.Mknod(on, unix.S_IFIFO|0o600, 0) },
	"socket": func(on string) error { return unix.Mknod(on, unix.S_IFSOCK|0o600, 0) },
	// The character device 0:0 is the one that Linux lets everybody make.
	// https://github.com/torvalds/linux/commit/a3c751a50fe6bbe50eb7622a14b18b361804ee0c
	"device": func(on string) error { return unix.Mknod(on, unix.S_IFCHR|0o600, 0) },
	"link":   func(on string) error { return os.Symlink("/", on) },
	"move": func(on string) error {
		from, to, _ := strings.Cut(on, ":")
		return os.Rename(from, to)
	},
	"hard": func(on string) error {
		from, to, _ := strings.Cut(on, ":")
		return os.Link(from, to)
	},
	"control": func(on string) error { // of a device; a device that does not know what is asked says so otherwise
		fd, err := unix.Open(on, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if _, err = unix.IoctlGetTermios(fd, unix.TCGETS); !errors.Is(err, unix.EACCES) {
			err = nil
		}
		return err
	},
	"abstract": func(on string) error { // a Unix socket whose name is in no directory
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, &unix.SockaddrUnix{Name: on})
	},
	"prlimit of x32": func(on string) error { // an amd64 kernel knows calls by this bit too, unless it was built without them
		var pid uintptr
		_, _ = fmt.Sscan(on, &pid)
		_, _, errno := unix.Syscall6(unix.SYS_PRLIMIT64|1<<30, pid, unix.RLIMIT_CORE, 0, 0, 0, 0)
		if errno == unix.EPERM || errno == unix.EACCES {
			return errno
		}
		return nil
	},
}

func opened(name string, flags int) error {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Outside of its directories, a confined child makes, changes, moves and removes nothing of
// any kind; within them it does all of it.
func TestConfinedFiles(t *testing.T) {
	t.Parallel()
	mine, theirs := t.TempDir(), t.TempDir()
	made := func(dir string) {
		for _, name := range []string{"file", "other", "kept", "sub/file"} {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err == nil {
				err = os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600)
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	made(mine)
	made(theirs)
	in := func(dir string) []string {
		return []string{
			"create=" + dir + "/new", "append=" + dir + "/file", "truncate=" + dir + "/file", "make=" + dir + "/dir",
			"fifo=" + dir + "/fifo",
			"socket=" + dir + "/socket", "device=" + dir + "/device", "link=" + dir + "/link", "hard=" + dir + "/file:" + dir + "/hard",
			"move=" + dir + "/file:" + dir + "/moved", "move=" + dir + "/sub/file:" + dir + "/up", "remove=" + dir + "/other",
			"remove=" + dir + "/empty",
		}
	}
	across := []string{
		"hard=" + theirs + "/kept:" + mine + "/taken", "move=" + theirs + "/kept:" + mine + "/kept",
		"move=" + mine + "/kept:" + theirs + "/given",
		"control=/dev/urandom",
	}
	allowed := []string{"write=/dev/null", "write=/dev/zero", "append=/dev/full", "control=/dev/null"}
	tries := slices.Concat(in(mine), in(theirs), across, allowed)
	var want []string
	for i, one := range tries {
		what, _, _ := strings.Cut(one, "=")
		can := i < len(in(mine)) || i >= len(tries)-len(allowed)
		want = append(want, what+map[bool]string{true: " yes", false: " no"}[can])
	}
	for _, c := range []*process.Confinement{{Write: []string{mine}}, {Write: []string{mine}, Reaches: true}} {
		if got := tried(t, c, tries); !slices.Equal(got, want) {
			t.Errorf("%+v:\n%q, want\n%q", *c, got, want)
		}
		if err := os.RemoveAll(mine); err != nil {
			t.Fatal(err)
		}
		made(mine)
	}
	for _, one := range tried(t, nil, tries) { // else the above says nothing
		if strings.HasSuffix(one, " no") {
			t.Errorf("not confined: %s", one)
		}
	}
}

// tried starts a child that tries, by way of a program that does not confine anything itself.
func tried(t *testing.T, c *process.Confinement, what []string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := process.Command{
		Path: "/bin/sh", Confined: c, Env: []string{tries + "=1"}, Args: append([]string{"-c", `"$@"`, "sh", self}, what...),
	}
	out, err := command.Output(t.Context())
	if err != nil {
		t.Fatal(err, string(out))
	}
	said := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(string(out)), ": <nil>", " yes"), ": no", " no")
	return strings.Split(said, "\n")
}

// A socket whose name is in no directory is reached by a child that may reach others.
func TestConfinedSocketsWithoutAFile(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("@waybill-test-%d-%s", os.Getpid(), filepath.Base(t.TempDir()))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	}
	if err == nil {
		err = unix.Listen(fd, 8)
	}
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]*process.Confinement{"abstract no": {}, "abstract yes": {Reaches: true}} {
		if got := tried(t, c, []string{"abstract=" + name}); got[0] != what {
			t.Errorf("%+v: %s", *c, got[0])
		}
	}
}

// A confined child of root has what the owner of a file may do, and nothing more of what root
// may: each other capability lets it out in a way of its own.
func TestConfinedCapabilities(t *testing.T) {
	t.Parallel()
	sets := func(status string) (all []uint64) {
		for _, name := range []string{"\nCapInh:\t", "\nCapPrm:\t", "\nCapEff:\t"} {
			_, rest, _ := strings.Cut(status, name)
			var set uint64
			if _, err := fmt.Sscanf(rest, "%x", &set); err != nil {
				t.Fatal(err)
			}
			all = append(all, set)
		}
		return all
	}
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, reaches := range []bool{false, true} {
		command := process.Command{Path: "/bin/cat", Args: []string{"/proc/self/status"}, Confined: &process.Confinement{Reaches: reaches}}
		child, err := command.Output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID and CAP_SETUID
		// are the first eight. Another user than root has none.
		for i, set := range sets(string(child)) {
			if want := sets(string(own))[i] & 0xff; set != want {
				t.Errorf("reaches %t: set %d is %x, want %x", reaches, i, set, want)
			}
		}
	}
}
