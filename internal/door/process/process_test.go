package process_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
)

func shell(script string) process.Command {
	return process.Command{Path: "/bin/sh", Args: []string{"-c", script}}
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("WAYBILL_TEST_SECRET", "leaked")
	c := shell("echo \"[$WAYBILL_TEST_SECRET] [$GIVEN]\"")
	out, err := c.Output(t.Context())
	if err != nil || string(out) != "[] []\n" {
		t.Errorf("with no environment: %q %v", out, err)
	}
	c.Env = []string{"GIVEN=yes"}
	if out, err = c.Output(t.Context()); err != nil || string(out) != "[] [yes]\n" {
		t.Errorf("with an environment: %q %v", out, err)
	}
}

func TestErrorSaysProgramCodeAndEndOfStderr(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	c := shell("i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; echo the reason >&2; exit 7")
	c.Stderr = &stderr
	err := c.Run(t.Context())
	var e *process.Error
	if !errors.As(err, &e) || e.Code != 7 || e.Program != "sh" {
		t.Fatalf("error %v", err)
	}
	if !strings.HasSuffix(err.Error(), "the reason") || len(err.Error()) > 8<<10 {
		t.Errorf("error of %d bytes ends %q", len(err.Error()), err.Error()[max(0, len(err.Error())-40):])
	}
	if !strings.HasPrefix(stderr.String(), "line 0\n") {
		t.Error("stderr was not passed on whole")
	}
}

func TestInterruptedBeforeKilled(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	c := shell("trap 'echo cleaned up; exit 3' INT; echo ready; while :; do sleep 0.05; done")
	c.Stdout, c.Grace = w, time.Minute
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx); w.Close() }()
	lines := bufio.NewScanner(r)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("got %q", lines.Text())
	}
	cancel()
	if !lines.Scan() || lines.Text() != "cleaned up" {
		t.Errorf("the child was not interrupted: %q", lines.Text())
	}
	if err := <-done; err == nil {
		t.Error("want an error after an interrupt")
	}
}

func TestKilledAfterGrace(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := shell("trap '' INT; echo ready; while :; do sleep 0.05; done")
	c.Stdout, c.Grace = w, 50*time.Millisecond
	server, err := c.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(r); !lines.Scan() {
		t.Fatal("the child never began")
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	server.Stop() // would hang for ever without the kill
	if server.Err() == nil {
		t.Error("want an error of the killed child")
	}
	if p, err := os.FindProcess(server.PID()); err == nil && p.Signal(nil) == nil {
		t.Errorf("process %d still runs", server.PID())
	}
}

// What a child has started ends with it, whether it ends by itself or is interrupted. A
// program in the background of a shell takes no interrupt.
func TestAGroupEndsWithItsChild(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"by itself": "exit 3", "interrupted": "trap 'exit 3' INT; echo ready; wait",
		"killed": "trap '' INT; echo ready; while :; do wait; done",
	} {
		// Whoever holds the pipe is alive.
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ready := &readyWriter{do: cancel}
		c := shell("sleep 600 <&3 >/dev/null 2>&1 & exec 3<&-\n" + script)
		c.Group, c.Holds, c.Stdout, c.Grace = true, w, ready, 50*time.Millisecond
		err = c.Run(ctx)
		cancel()
		w.Close()
		if err == nil {
			t.Errorf("%s: want an error", name)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) { // waits as long as anybody has it open
			t.Errorf("%s: %v", name, err)
		}
		r.Close()
	}
}

// readyWriter does something when something is written.
type readyWriter struct{ do func() }

func (w *readyWriter) Write(p []byte) (int, error) {
	w.do()
	return len(p), nil
}

func TestMissingProgram(t *testing.T) {
	t.Parallel()
	err := process.Command{Path: "/nowhere/terraform"}.Run(t.Context())
	var e *process.Error
	if !errors.As(err, &e) || e.Code != -1 || e.Program != "terraform" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// What is left of a long output begins with a whole line: half a secret is not known as
// one.
func TestTailKeepsWholeLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"short":                     "short",
		"1234567890":                "1234567890",
		"half a secret\nwhole\n":    "… (the beginning is left out)\nwhole\n",
		"one line that is too long": "… (the beginning is left out)\n",
		"secret\n9 bytes.\n":        "… (the beginning is left out)\n9 bytes.\n",
	} {
		kept := &process.Tail{Limit: 10}
		for i := range len(text) {
			_, _ = kept.Write([]byte{text[i]})
		}
		if kept.String() != want {
			t.Errorf("%q: %q, want %q", text, kept, want)
		}
	}
}

// A child that ends and leaves a program running is told from one that fails.
func TestAProgramThatIsLeftRunning(t *testing.T) {
	t.Parallel()
	c := shell("sleep 600 &")
	c.Group, c.Grace = true, 20*time.Millisecond
	out := new(bytes.Buffer)
	c.Stdout = out
	if err := c.Run(t.Context()); !errors.Is(err, process.ErrLeft) || !strings.Contains(err.Error(), "left a program running") {
		t.Errorf("error %v", err)
	}
	c.Args[1] = "sleep 600 & exit 4"
	var e *process.Error
	if err := c.Run(t.Context()); !errors.As(err, &e) || e.Code != 4 {
		t.Errorf("error %v", err)
	}
}
