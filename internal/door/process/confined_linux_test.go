package process_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// tries is set where this binary is the confined child: what it tries are its arguments.
const tries = "WAYBILL_TEST_TRIES"

func TestMain(m *testing.M) {
	if os.Getenv(tries) == "" {
		os.Exit(m.Run())
	}
	for _, do := range os.Args[1:] {
		what, on, _ := strings.Cut(do, "=")
		fmt.Printf("%s: %v\n", what, try(what, on))
	}
}

func try(what, on string) error {
	if do, is := onFiles[what]; is {
		if do(on) != nil {
			return fmt.Errorf("no")
		}
		return nil
	}
	var err error
	switch what {
	case "read":
		_, err = os.ReadFile(on)
	case "write":
		err = os.WriteFile(on, nil, 0o600)
	case "truncate": // without opening it
		err = os.Truncate(on, 0)
	case "make":
		err = os.Mkdir(on, 0o700)
	case "remove":
		err = os.Remove(on)
	case "signal":
		var pid int
		_, _ = fmt.Sscan(on, &pid)
		err = unix.Kill(pid, 0)
	case "limit":
		var pid int
		_, _ = fmt.Sscan(on, &pid)
		var now unix.Rlimit
		if err = unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &now); err == nil {
			err = unix.Prlimit(pid, unix.RLIMIT_CORE, &now, nil)
		}
	case "first": // where there is one processor, goroutines run on the thread that the process began with
		for range 20 {
			_ = process.Command{Path: "/bin/true", Confined: &process.Confinement{}}.Run(context.Background())
		}
		var status []byte
		if status, err = os.ReadFile("/proc/self/status"); err == nil && !strings.Contains(string(status), "\nNoNewPrivs:\t0\n") {
			err = fmt.Errorf("it is confined")
		}
	case "privileges":
		var set int
		if set, err = unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && set == 1 {
			err = fmt.Errorf("no new ones")
		}
	case "unix", "tcp":
		var conn net.Conn
		if conn, err = net.Dial(what, on); err == nil {
			err = conn.Close()
		}
	case "pair":
		if _, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			_, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
		}
	case "datagram", "raw": // by a pair that is pointed elsewhere; Linux makes one of datagrams of both
		kind := map[string]int{"datagram": unix.SOCK_DGRAM, "raw": unix.SOCK_RAW}[what]
		var pair [2]int
		if pair, err = unix.Socketpair(unix.AF_UNIX, kind, 0); err == nil {
			err = unix.Sendto(pair[0], []byte("x"), 0, &unix.SockaddrUnix{Name: on})
		}
	case "x32": // an amd64 kernel knows calls by this bit too, unless it was built without them
		if _, _, errno := unix.Syscall(unix.SYS_SOCKET|1<<30, unix.AF_UNIX, unix.SOCK_STREAM, 0); errno == unix.EACCES {
			err = errno
		}
	case "ring":
		if _, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); errno == unix.EACCES {
			err = errno
		}
	}
	if err != nil {
		return fmt.Errorf("no")
	}
	return nil
}

// A child that is confined reads no other process, becomes no other user, and changes
// nothing outside of its directories; and what it starts does neither.
func TestConfined(t *testing.T) {
	t.Parallel()
	if !process.Confines() {
		t.Fatal("the kernel has no Landlock")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), "sh", "-c", "echo ready; read wait")
	other.Env = []string{"KEY=secret"}
	hold, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err == nil {
		err = other.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { hold.Close(); _ = other.Wait() }()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	mine, theirs := t.TempDir(), t.TempDir()
	for _, name := range []string{mine + "/file", theirs + "/file", theirs + "/gone"} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", filepath.Join(mine, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	inbox, err := net.ListenPacket("unixgram", filepath.Join(mine, "d"))
	if err != nil {
		t.Fatal(err)
	}
	defer inbox.Close()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	process1 := fmt.Sprintf("/proc/%d/", other.Process.Pid)
	run := func(c *process.Confinement) string {
		command := process.Command{
			Path: "/bin/sh", Confined: c, Env: []string{tries + "=1"},
			Args: []string{"-c", `"$@"`, "sh", self,
				"read=" + process1 + "environ", "read=" + process1 + "maps", fmt.Sprintf("signal=%d", other.Process.Pid),
				fmt.Sprintf("limit=%d", other.Process.Pid), "limit=0", "privileges",
				"read=" + theirs + "/file", "truncate=" + theirs + "/file", "write=" + theirs + "/file",
				"make=" + theirs + "/new", "write=" + mine + "/new",
				"make=" + mine + "/dir", "write=/dev/null", "unix=" + mine + "/s", "datagram=" + mine + "/d", "raw=" + mine + "/d",
				"pair", "ring", "x32", "tcp=" + port.Addr().String(),
			},
		}
		out, err := command.Output(t.Context())
		if err != nil {
			t.Fatal(err, string(out))
		}
		if err := os.RemoveAll(theirs + "/new"); err != nil {
			t.Fatal(err)
		}
		_ = os.RemoveAll(mine + "/dir")
		return strings.ReplaceAll(strings.ReplaceAll(string(out), "<nil>", "yes"), ": ", " ")
	}
	const confined = "privileges no\nread yes\ntruncate no\nwrite no\nmake no\nwrite yes\nmake yes\nwrite yes\n"
	const others = "read no\nread no\nsignal no\nlimit no\nlimit yes\n"
	want := others + confined + "unix no\ndatagram no\nraw no\npair yes\nring no\nx32 no\ntcp yes\n"
	if got := run(&process.Confinement{Write: []string{mine}}); got != want {
		t.Errorf("confined: %s", got)
	}
	want = others + confined + "unix yes\ndatagram yes\nraw yes\npair yes\nring yes\nx32 yes\ntcp yes\n"
	if got := run(&process.Confinement{Write: []string{mine}, Reaches: true}); got != want {
		t.Errorf("confined, and it reaches others: %s", got)
	}
	if got := run(nil); strings.Contains(got, "no") {
		t.Errorf("not confined: %s", got) // else the above says nothing
	}
	if data, err := os.ReadFile(theirs + "/gone"); err != nil || string(data) != "x" {
		t.Errorf("%q %v", data, err)
	}
	missing := process.Command{Path: "/bin/true", Confined: &process.Confinement{Write: []string{mine + "/missing"}}}
	if err := missing.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "confine a child to its files: "+mine+"/missing") {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// The process that starts a confined child is confined in none of its threads, and looked
// into by no child: the thread that starts one is in the child's own domain.
func TestConfinementStaysWithTheChild(t *testing.T) {
	t.Parallel()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := (process.Command{Path: "/bin/true", Confined: &process.Confinement{}}).Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var held sync.WaitGroup // until each goroutine has a thread of its own
	const threads = 64
	held.Add(threads)
	for range threads {
		wait.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			held.Done()
			held.Wait()
			if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || set != 0 {
				t.Errorf("thread %d of this process is confined: %v", unix.Gettid(), err)
			}
		})
	}
	wait.Wait()
	if set, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || set != 0 {
		t.Errorf("children can look into this process: %d, %v", set, err)
	}
}

// Nor is the first thread, which never ends and stands for the process.
func TestTheFirstThreadIsNotConfined(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.Command{Path: self, Args: []string{"first"}, Env: []string{tries + "=1", "GOMAXPROCS=1"}}.Output(t.Context())
	if err != nil || string(out) != "first: <nil>\n" {
		t.Errorf("%s, %v", out, err)
	}
}
