package process

import (
	"fmt"
	"runtime"
	"unsafe"

	landlock "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Renounce takes from this process and from what it starts, for ever, what a program that
// reads hostile input must not have once it is taken over: capabilities beyond those of a
// file's owner, a change of limits of other processes, and every socket but those of TCP.
// Landlock bounds TCP alone, and not as MPTCP, nor where it connects as it sends.
//
// All threads must have set PR_SET_NO_NEW_PRIVS, as Landlock's library has them do.
func Renounce() error {
	arch, known := auditArch[runtime.GOARCH]
	if !known {
		return fmt.Errorf("filter system calls: those of %s are not known here", runtime.GOARCH)
	}
	if err := landlock.AllThreadsPrctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("let this process become no other user: %w", err)
	}
	if err := fewerCapabilities(onAllThreads); err != nil {
		return fmt.Errorf("take capabilities from this process: %w", err)
	}
	if err := filterCalls(limitsOfOthers(arch), unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return fmt.Errorf("keep this process from the limits of others: %w", err)
	}
	if err := filterCalls(otherSockets(arch), unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return fmt.Errorf("keep this process from sockets: %w", err)
	}
	return nil
}

func onAllThreads(header *unix.CapUserHeader, sets *unix.CapUserData) error {
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(sets)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// otherSockets denies sockets that are not of TCP, and what makes or connects one past
// a filter: io_uring, calls of another architecture, and sending that connects.
func otherSockets(arch uint32) []unix.SockFilter {
	const third, fourth = argument + 16, argument + 24
	return assemble([]step{
		{code: load, k: architecture},
		{code: is, k: arch, no: "deny"},
		{code: load, k: number},
		{code: least, k: x32, yes: "deny"},
		{code: is, k: unix.SYS_IO_URING_SETUP, yes: "deny"},
		{code: is, k: unix.SYS_SOCKETPAIR, yes: "deny"},
		{code: is, k: unix.SYS_SENDMSG, yes: "third"},
		{code: is, k: unix.SYS_SENDTO, yes: "fourth"},
		{code: is, k: unix.SYS_SENDMMSG, yes: "fourth"},
		{code: is, k: unix.SYS_SOCKET, no: "allow"},

		{code: load, k: argument},
		{code: is, k: unix.AF_INET, yes: "internet"},
		{code: is, k: unix.AF_INET6, no: "deny"},

		{label: "internet", code: load, k: second},
		{code: only, k: kinds},
		{code: is, k: unix.SOCK_STREAM, no: "deny"},
		{code: load, k: third},
		{code: is, k: 0, yes: "allow"},
		{code: is, k: unix.IPPROTO_TCP, yes: "allow", no: "deny"},

		{label: "third", code: load, k: third},
		{code: has, k: unix.MSG_FASTOPEN, yes: "deny", no: "allow"},
		{label: "fourth", code: load, k: fourth},
		{code: has, k: unix.MSG_FASTOPEN, yes: "deny"},

		{label: "allow", code: ends, k: unix.SECCOMP_RET_ALLOW},
		{label: "deny", code: ends, k: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)},
	})
}

// has compares bits.
const has = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K

// step is one instruction of a filter. A comparison goes on at the label yes or no, and with
// the next step where that is empty. Labels are of later steps.
type step struct {
	label   string
	code    uint16
	k       uint32
	yes, no string
}

func assemble(steps []step) []unix.SockFilter {
	places := make(map[string]int)
	for i, s := range steps {
		if s.label != "" {
			places[s.label] = i
		}
	}
	filter := make([]unix.SockFilter, len(steps))
	for i, s := range steps {
		to := func(label string) uint8 {
			if label == "" {
				return 0
			}
			return uint8(places[label] - i - 1)
		}
		filter[i] = unix.SockFilter{Code: s.code, K: s.k, Jt: to(s.yes), Jf: to(s.no)}
	}
	return filter
}
