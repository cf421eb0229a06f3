package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
)

// confined is the name under which the test binary confines itself, and then tries
// what a parser that an image has taken over would.
const confined = "waybill-scan-confined"

func init() {
	if filepath.Base(os.Args[0]) == confined {
		tryConfined()
	}
}

func tryConfined() {
	home, port := os.Getenv("HOME"), os.Args[1]
	number, _ := strconv.Atoi(port)
	address := &unix.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}}
	var other int
	_, _ = fmt.Sscan(os.Getenv("OTHER"), &other)
	request := exchange.Request{Gateway: "http://127.0.0.1:" + os.Args[2] + "/ticket", DatabaseDir: filepath.Join(home, "database")}
	if err := confine(request); err != nil {
		panic(err)
	}
	for _, try := range []struct {
		what string
		do   func() error
	}{
		{"read the workspace", func() error { _, err := os.ReadFile(filepath.Join(home, "work", "secret")); return err }},
		{"read the logins", func() error { _, err := os.ReadFile(filepath.Join(home, ".docker", "config.json")); return err }},
		{"read the database", func() error { _, err := os.ReadFile(filepath.Join(home, "database", "db")); return err }},
		{"write the database", func() error { return os.WriteFile(filepath.Join(home, "database", "db"), nil, 0o600) }},
		{"write the runner's files", func() error { return os.WriteFile(filepath.Join(home, "work", "env"), nil, 0o600) }},
		{"write a temporary file", func() error { return os.WriteFile(filepath.Join(os.TempDir(), "x"), nil, 0o600) }},
		{"read another process", func() error { _, err := os.ReadFile("/proc/1/environ"); return err }},
		{"signal another process", func() error { return unix.Kill(other, 0) }},
		{"end another process by its limits", func() error {
			now := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
			return unix.Prlimit(other, unix.RLIMIT_CPU, &now, nil)
		}},
		{"limit itself", func() error {
			var now unix.Rlimit
			if err := unix.Prlimit(0, unix.RLIMIT_CORE, nil, &now); err != nil {
				return err
			}
			return unix.Prlimit(0, unix.RLIMIT_CORE, &now, nil)
		}},
		{"have capabilities", capabilities},
		{"ask Docker", func() error { return reached(net.Dial("unix", os.Getenv("SOCKET"))) }},
		{"make a pair of sockets", func() error { return opened(firstOf(unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0))) }},
		{"ask the hypervisor", func() error { return opened(unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)) }},
		{"see packets", func() error { return opened(unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0)) }},
		{"send raw packets", func() error { return opened(unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP)) }},
		{"connect by SCTP", func() error { return opened(unix.Socket(unix.AF_INET, unix.SOCK_SEQPACKET, 0)) }},
		{"connect by MPTCP", func() error { return opened(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)) }},
		{"connect by sending", func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, address)
		}},
		{"connect by a message", func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Sendmsg(fd, []byte("x"), nil, address, unix.MSG_FASTOPEN)
		}},
		{"queue system calls", func() error {
			var parameters [120]byte
			fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&parameters)), 0)
			if errno != 0 {
				return errno
			}
			return unix.Close(int(fd))
		}},
		{"ask a name server", func() error { return reached(net.Dial("udp", "127.0.0.1:53")) }},
		{"read the system's programs", func() error { _, err := os.ReadDir("/usr/bin"); return err }},
		{"connect elsewhere", func() error { return reached(net.Dial("tcp", "127.0.0.1:"+port)) }},
		{"connect to the gateway", func() error { return reached(net.Dial("tcp", "127.0.0.1:"+os.Args[2])) }},
	} {
		answer := "yes"
		if err := try.do(); errors.Is(err, fs.ErrPermission) {
			answer = "no"
		} else if err != nil {
			answer = err.Error()
		}
		os.Stdout.WriteString(try.what + ": " + answer + "\n")
	}
	os.Exit(0)
}

func reached(conn net.Conn, err error) error {
	if err == nil {
		err = conn.Close()
	}
	return err
}

func opened(fd int, err error) error {
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

func firstOf(pair [2]int, err error) (int, error) { return pair[0], err }

// capabilities reports, by its error, that no thread has those with which root looks into
// other processes.
func capabilities() error {
	var more atomic.Int64
	var wait, held sync.WaitGroup // held until each goroutine has a thread of its own
	const threads = 16
	held.Add(threads)
	for range threads {
		wait.Go(func() {
			runtime.LockOSThread()
			held.Done()
			held.Wait()
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var sets [2]unix.CapUserData
			_ = unix.Capget(&header, &sets[0])
			if sets[0].Permitted&(1<<unix.CAP_SYS_ADMIN|1<<unix.CAP_SYS_PTRACE|1<<unix.CAP_NET_RAW) != 0 {
				more.Add(1)
			}
		})
	}
	wait.Wait()
	if more.Load() > 0 {
		return nil
	}
	return fs.ErrPermission
}

func TestConfined(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, temporary := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		"work/secret": "s", ".docker/config.json": "{}", "database/db": "d",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), confined)
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	var ports []string
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		ports = append(ports, port)
	}
	docker, err := net.Listen("unix", filepath.Join(temporary, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	other := exec.CommandContext(t.Context(), "sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	cmd := exec.CommandContext(t.Context(), program, ports...)
	cmd.Env = []string{
		"HOME=" + home, "TMPDIR=" + temporary, "SOCKET=" + docker.Addr().String(), fmt.Sprint("OTHER=", other.Process.Pid),
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = "read the workspace: no\nread the logins: no\nread the database: yes\nwrite the database: no\n" +
		"write the runner's files: no\nwrite a temporary file: yes\nread another process: no\n" +
		"signal another process: no\nend another process by its limits: no\nlimit itself: yes\nhave capabilities: no\n" +
		"ask Docker: no\nmake a pair of sockets: no\nask the hypervisor: no\nsee packets: no\nsend raw packets: no\n" +
		"connect by SCTP: no\nconnect by MPTCP: no\nconnect by sending: no\nconnect by a message: no\nqueue system calls: no\n" +
		"ask a name server: no\nread the system's programs: no\nconnect elsewhere: no\nconnect to the gateway: yes\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Error(diff)
	}
}
