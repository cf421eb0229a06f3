package process

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"unsafe"

	landlock "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Confines reports whether the kernel can confine a child: it has Landlock
// (https://docs.kernel.org/userspace-api/landlock.html), of a version that also keeps
// signals from leaving the child: one that ends another process can make the kernel write
// its memory into a file. With an older one a child is confined as far as that goes.
func Confines() bool { return confines(landlockVersion(), runtime.GOARCH) }

func confines(version int, machine string) bool {
	return version >= scopesSince && auditArch[machine] != 0
}

const scopesSince = 6

// auditArch is how filters of system calls name an architecture.
var auditArch = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// landlockVersion is 0 where there is none that can be used. The first one refuses to move
// any file to another directory, as terraform does.
func landlockVersion() int {
	version, err := landlock.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return usable(version)
}

func usable(version int) int {
	if version < 2 {
		return 0
	}
	return version
}

// start starts a child from a thread that is confined, and so the child is too. To the
// kernel that thread is in the child's own domain: this process is closed by Private.
func (c *Confinement) start(cmd *exec.Cmd) error {
	if err := Private(); err != nil {
		return err
	}
	return onItsThread(func() error {
		if err := c.enter(); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// onItsThread calls do on a thread that ends with it, because its goroutine does not let go
// of it. It is not the first thread, which never ends and stands for the whole process.
func onItsThread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done <- onItsThread(do) // this goroutine keeps the first thread meanwhile
			runtime.UnlockOSThread()
			return
		}
		done <- do()
	}()
	return <-done
}

// enter confines this thread for ever.
func (c *Confinement) enter() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("let a child become no other user: %w", err)
	}
	version := landlockVersion()
	if version == 0 {
		return nil // Confines says so
	}
	if err := fewerCapabilities(unix.Capset); err != nil {
		return fmt.Errorf("take capabilities from a child: %w", err)
	}
	if err := c.landlock(version); err != nil {
		return fmt.Errorf("confine a child to its files: %w", err)
	}
	arch, known := auditArch[runtime.GOARCH]
	if !known {
		return nil // Confines says so
	}
	if err := filterCalls(limitsOfOthers(arch), 0); err != nil {
		return fmt.Errorf("keep a child from the limits of other processes: %w", err)
	}
	if c.Reaches {
		return nil
	}
	if err := filterCalls(unixSockets(arch), 0); err != nil {
		return fmt.Errorf("keep a child from Unix sockets: %w", err)
	}
	return nil
}

// fewerCapabilities leaves root what the owner of a file may do with it, and no more. With
// others, such as CAP_PERFMON, Linux lets root look into processes whatever Landlock says.
// set is the call, of one thread or of all.
func fewerCapabilities(set func(*unix.CapUserHeader, *unix.CapUserData) error) error {
	const owners = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID |
		1<<unix.CAP_KILL | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	for i, kept := range []uint32{owners, 0} {
		sets[i].Effective &= kept
		sets[i].Permitted &= kept
		sets[i].Inheritable &= kept
	}
	return set(&header, &sets[0])
}

// What changes files, and what of it is about a file rather than a directory. Reading is
// not restricted.
const (
	changesOfFiles = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	changes        = changesOfFiles | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
)

// handled is what a version of Landlock can restrict.
func handled(version int) landlock.RulesetAttr {
	a := landlock.RulesetAttr{HandledAccessFS: changes}
	for since, right := range map[int]uint64{
		2: unix.LANDLOCK_ACCESS_FS_REFER, 3: unix.LANDLOCK_ACCESS_FS_TRUNCATE, 5: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV,
	} {
		if version < since {
			a.HandledAccessFS &^= right
		}
	}
	if version >= scopesSince {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return a
}

// landlock enters a domain of Landlock, by which the kernel also refuses to look into
// processes outside of it.
func (c *Confinement) landlock(version int) error {
	a := handled(version)
	if c.Reaches {
		a.Scoped &^= unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	ruleset, err := landlock.LandlockCreateRuleset(&a, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	for _, dir := range c.Write {
		if err := allow(ruleset, dir, a.HandledAccessFS); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	for _, device := range []string{"/dev/null", "/dev/zero", "/dev/full"} {
		if err := allow(ruleset, device, a.HandledAccessFS&changesOfFiles); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s: %w", device, err)
		}
	}
	// The library confines all threads of a process, and this is about one.
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return landlock.LandlockAddPathBeneathRule(ruleset, &landlock.PathBeneathAttr{AllowedAccess: rights, ParentFd: fd}, 0)
}

// Parts of filters of system calls. Numbers are places in struct seccomp_data.
const (
	number, architecture = 0, 4
	argument, second     = 16, 24          // of the call, their lower halves
	x32                  = uint32(1) << 30 // a bit in the numbers of x86-64
	kinds                = 0xf             // bits of a socket's kind; the others are its flags
	load                 = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	is                   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	least                = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	only                 = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	ends                 = unix.BPF_RET | unix.BPF_K
)

// The architecture of 32 bits whose calls a machine takes too, and its number of prlimit64.
// https://github.com/torvalds/linux/blob/master/arch/x86/entry/syscalls/syscall_32.tbl
// https://github.com/torvalds/linux/blob/master/arch/arm/tools/syscall.tbl
var (
	otherArch  = map[string]uint32{"amd64": unix.AUDIT_ARCH_I386, "arm64": unix.AUDIT_ARCH_ARM}
	otherLimit = map[string]uint32{"amd64": 340, "arm64": 369}
)

// limitsOfOthers lets a process change its own limits alone. The user of another process
// may change that one's, and Landlock does not keep it from that: it could let a process,
// such as the runner, write its memory into a file, and let the kernel end it, by a limit
// of its time.
func limitsOfOthers(arch uint32) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: load, K: architecture},
		{Code: is, K: arch, Jf: 3},
		{Code: load, K: number},
		{Code: only, K: ^x32},
		{Code: is, K: unix.SYS_PRLIMIT64, Jt: 3, Jf: 5},
		{Code: is, K: otherArch[runtime.GOARCH], Jf: 4},
		{Code: load, K: number},
		{Code: is, K: otherLimit[runtime.GOARCH], Jf: 2},
		{Code: load, K: argument},
		{Code: is, K: 0, Jf: 1}, // 0 is the process itself
		{Code: ends, K: unix.SECCOMP_RET_ALLOW},
		{Code: ends, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
	}
}

// unixSockets lets nothing make a Unix socket by name: neither by the system call,
// nor by io_uring or the calls of another architecture, which no filter of system calls
// looks into. A pair of sockets reaches nobody else, but for one of datagrams: each of them
// can be sent to another address.
func unixSockets(arch uint32) []unix.SockFilter {
	return []unix.SockFilter{
		{Code: load, K: architecture},
		{Code: is, K: arch, Jf: 12},
		{Code: load, K: number},
		{Code: least, K: x32, Jt: 10},
		{Code: is, K: unix.SYS_IO_URING_SETUP, Jt: 9},
		{Code: is, K: unix.SYS_SOCKETPAIR, Jf: 4},
		{Code: load, K: second},
		{Code: only, K: kinds},
		{Code: is, K: unix.SOCK_STREAM, Jt: 4},
		{Code: is, K: unix.SOCK_SEQPACKET, Jt: 3, Jf: 4},
		{Code: is, K: unix.SYS_SOCKET, Jf: 2},
		{Code: load, K: argument},
		{Code: is, K: unix.AF_UNIX, Jt: 1},
		{Code: ends, K: unix.SECCOMP_RET_ALLOW},
		{Code: ends, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)},
	}
}

// filterCalls filters the system calls of this thread, or, by SECCOMP_FILTER_FLAG_TSYNC, of
// all threads.
func filterCalls(filter []unix.SockFilter, flags uintptr) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	if thread != 0 {
		return fmt.Errorf("thread %d has another filter", thread)
	}
	return nil
}
