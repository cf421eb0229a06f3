package process_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// program32 writes a program of 32 bits that makes one system call and ends with its
// error as exit code.
// https://refspecs.linuxfoundation.org/elf/elf.pdf
func program32(t *testing.T, call uint32, arguments ...uint32) string {
	t.Helper()
	const at, header = 0x08048000, 52 + 32
	little := binary.LittleEndian
	var code []byte
	for i, value := range append([]uint32{call}, append(arguments, 0, 0, 0, 0)[:4]...) {
		code = little.AppendUint32(append(code, []byte{0xb8, 0xbb, 0xb9, 0xba, 0xbe}[i]), value) // mov eax, ebx, ecx, edx, esi
	}
	code = append(code, 0xcd, 0x80, 0xf7, 0xd8, 0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80) // call; ebx = -eax; exit
	file := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	file = little.AppendUint16(little.AppendUint16(file, 2), 3) // a program, of the i386
	for _, word := range []uint32{1, at + header, 52, 0, 0, 52 | 32<<16, 1, 0} {
		file = little.AppendUint32(file, word)
	}
	size := uint32(header + len(code))
	for _, word := range []uint32{1, 0, at, at, size, size, 5, 0x1000} { // one segment, to read and run
		file = little.AppendUint32(file, word)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, append(file, code...), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a confined child may not call, it may not call as a program of 32 bits, whose calls
// have other numbers, nor by those of x32.
func TestConfinedCallsOfOtherArchitectures(t *testing.T) {
	t.Parallel()
	other := exec.CommandContext(t.Context(), "sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	pid := uint32(other.Process.Pid)
	// https://github.com/torvalds/linux/blob/master/arch/x86/entry/syscalls/syscall_32.tbl
	const prlimit64, socket = 340, 359
	const crashed = -1 // a child that reaches no others may make no call of 32 bits, so that it cannot even end
	ended := func(c *process.Confinement, call uint32, arguments ...uint32) int {
		err := process.Command{Path: program32(t, call, arguments...), Confined: c}.Run(t.Context())
		var failed *process.Error
		switch {
		case errors.As(err, &failed):
			return failed.Code
		case err != nil:
			t.Fatal(err)
		}
		return 0
	}
	err := process.Command{Path: program32(t, prlimit64, 0, unix.RLIMIT_CORE)}.Run(t.Context())
	if errors.Is(err, unix.ENOEXEC) {
		t.Log("this kernel runs no programs of 32 bits, confined or not: there is nothing to keep from them")
		return
	}
	for name, c := range map[string]struct {
		call      uint32
		arguments []uint32
		alone     int // exit code of a child that reaches no others
		reaches   int // and of one that does
		free      int // and of one that is not confined
	}{
		"the limits of another process": {prlimit64, []uint32{pid, unix.RLIMIT_CORE}, crashed, int(unix.EPERM), 0},
		"its own limits":                {prlimit64, []uint32{0, unix.RLIMIT_CORE}, crashed, 0, 0},
		"a Unix socket":                 {socket, []uint32{unix.AF_UNIX, unix.SOCK_STREAM}, crashed, 253, 253}, // file 3
	} {
		for what, one := range map[string]struct {
			c    *process.Confinement
			want int
		}{
			"alone": {&process.Confinement{}, c.alone}, "reaches": {&process.Confinement{Reaches: true}, c.reaches}, "free": {nil, c.free},
		} {
			if got := ended(one.c, c.call, c.arguments...); got != one.want {
				t.Errorf("%s, %s: it ended with %d, want %d", name, what, got, one.want)
			}
		}
	}
	limit := fmt.Sprintf("prlimit of x32=%d", pid)
	for _, c := range []struct {
		c    *process.Confinement
		want string
	}{{&process.Confinement{}, " no"}, {&process.Confinement{Reaches: true}, " no"}, {nil, " yes"}} {
		if got := tried(t, c.c, []string{limit, "limit=0"}); got[0] != "prlimit of x32"+c.want || got[1] != "limit yes" {
			t.Errorf("%+v: %q, want %s", c.c, got, c.want)
		}
	}
}
