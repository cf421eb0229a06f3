package verdict

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// A hook looks into no other process, where the key is, becomes no other user, and changes
// neither the checkout, nor the runner's files, nor what the next hook is given.
func TestHooksAreConfined(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "set_output")
	if err := os.WriteFile(outside, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := hooked(t, 1, "x", Request{},
		config.TerraformHook{Name: "malicious", Run: `
			cat /proc/$PPID/environ >/dev/null 2>&1 && echo read the key
			cat /proc/$PPID/maps >/dev/null 2>&1 && echo read the memory
			for t in /proc/$PPID/task/*; do cat $t/environ >/dev/null 2>&1 && echo read the key by a thread; done
			readlink /proc/$PPID/fd/1 >/dev/null 2>&1 && echo saw its files
			(cd /proc/$PPID/root) 2>/dev/null && echo went through its root
			mount -t tmpfs none "$HOME" 2>/dev/null && echo mounted
			unshare -Urm mount -t tmpfs none "$HOME" 2>/dev/null && echo mounted in a namespace
			setsid sh -c "echo evil >` + outside + `" 2>/dev/null && echo wrote from another session
			ln ` + outside + ` "$HOME/link" 2>/dev/null && echo evil >"$HOME/link" && echo wrote by a link
			(: >` + outside + `) 2>/dev/null && echo cut it off
			kill -0 $PPID 2>/dev/null && echo could end this process
			prlimit --pid $PPID --core=0 2>/dev/null && echo could make it write its memory into a file
			(echo evil >` + outside + `) 2>/dev/null && echo wrote the outputs of the step
			(echo evil >policy.rego) 2>/dev/null && echo wrote the checkout
			grep -q 'NoNewPrivs:.1' /proc/self/status || echo may become another user
			grep -q 'Seccomp:.2' /proc/self/status || echo may use the socket of Docker
			echo '{}' >"$PLAN"; echo x >"$HOME/x"; echo x >"$TMPDIR/y"; echo done`},
		config.TerraformHook{Name: "honest", Run: `grep -c format_version "$PLAN"; ls "$HOME"`},
	)
	if err != nil || said.Unconfined {
		t.Fatal(err, said)
	}
	if got := said.Hooks[0].Output; got != "done\n" {
		t.Errorf("the malicious hook: %s", got)
	}
	if got := said.Hooks[1].Output; got != "1\nplan.json\n" {
		t.Errorf("the honest hook after it: %q", got)
	}
	if data, err := os.ReadFile(outside); err != nil || string(data) != "as it was" {
		t.Errorf("%q %v", data, err)
	}
	const says = "This machine cannot confine hooks"
	if shown := said.Markdown(); strings.Contains(shown, says) {
		t.Error(shown)
	}
	said.Unconfined = true
	if shown := said.Markdown(); !strings.Contains(shown, says) {
		t.Error(shown)
	}
}

// A hook that leaves a program running is told what to do. The program, which has the plan,
// does not run on beside the next hook.
func TestAHookThatLeavesAProgramRunning(t *testing.T) {
	t.Parallel()
	runs := func(seconds string) bool {
		files, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(files, func(file string) bool {
			data, err := os.ReadFile(file) // it may have ended since
			return err == nil && string(data) == "sleep\x00"+seconds+"\x00"
		})
	}
	quick := Request{HookGrace: 50 * time.Millisecond}
	_, err := hooked(t, 1, "x", quick, config.TerraformHook{Name: "open", Run: "sleep 61703 &", Refuse: true})
	const want = "hook open on infra/r0: its command ended, and left a program running, which was ended: let `run` of the hook in " +
		"waybill.yaml wait for what it starts in the background (write `wait` behind it), or end that"
	if err == nil || outcome.Code(err) != outcome.Broken || err.Error() != want {
		t.Error(err)
	}
	said, err := hooked(t, 1, "x", quick,
		config.TerraformHook{Name: "silent", Run: "sleep 61704 >/dev/null 2>&1 &"},
		config.TerraformHook{Name: "waits", Run: "sleep 0 & wait"},
		config.TerraformHook{Name: "refuses", Run: "sleep 61705 & exit 3"})
	if err != nil || len(said.Hooks) != 3 || said.Hooks[0].Code+said.Hooks[1].Code != 0 || said.Hooks[2].Code != 3 {
		t.Errorf("%+v %v", said, err)
	}
	_, err = hooked(t, 1, "x", Request{HookTime: 50 * time.Millisecond, HookGrace: 50 * time.Millisecond},
		config.TerraformHook{Name: "slow", Run: "sleep 61706 & sleep 600"})
	if err == nil || !strings.Contains(err.Error(), "it did not end within 50ms") {
		t.Error(err)
	}
	for _, seconds := range []string{"61703", "61704", "61705", "61706"} {
		for range 500 { // a program that was killed takes a moment to go
			if !runs(seconds) {
				break
			}
		}
		if runs(seconds) {
			t.Errorf("sleep %s still runs", seconds)
		}
	}
}

// What a hook that takes too long has started ends with it.
func TestHooksLeaveNothingRunning(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	both, err := unix.Open(pipe, unix.O_RDWR|unix.O_CLOEXEC, 0) // so that nobody waits to open it
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(pipe, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	slow := config.TerraformHook{Name: "slow", Run: `trap "exit 1" INT; sleep 600 >/dev/null 2>&1 <` + pipe + ` & wait`}
	_, err = hooked(t, 1, "x", Request{HookTime: 500 * time.Millisecond}, slow)
	if err == nil || !strings.Contains(err.Error(), "did not end within 500ms") {
		t.Error(err)
	}
	unix.Close(both)
	for { // until nobody reads it
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 20_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			t.Errorf("a program that the hook started goes on: %v", err)
		}
		return
	}
}
