// Package process is the only door to child processes.
//
// A child gets the environment it is given and nothing else, is interrupted
// before it is killed, and is never waited for without end. Secrets go in by
// environment or standard input: arguments are visible to every process of the
// machine and are repeated in errors.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/waybill-dev/waybill/internal/retry"
)

// DefaultGrace is how long a child has between the interrupt and the kill.
const DefaultGrace = 10 * time.Second

const stderrKept = 4 << 10

// Command is a child process as a value.
type Command struct {
	Path   string    // a file, or a name looked up on PATH
	Args   []string  // without the program's own name; no secrets
	Env    []string  // NAME=value; nothing is inherited
	Dir    string    // working directory; empty is ours
	Stdin  io.Reader // nil is empty
	Stdout io.Writer // nil is dropped
	Stderr io.Writer // nil is dropped; its end is kept for the error either way
	Grace  time.Duration
	// Group starts the child in a process group of its own, which is what the
	// signals go to: for children that start children. The group ends with the child.
	Group bool
	// Holds stays open in the child, so that a lock on it lasts as long as the child
	// does. nil is none.
	Holds *os.File
	// Confined bounds what the child can do; nil does not.
	Confined *Confinement

	sleep func(ctx context.Context, d time.Duration) error // between attempts to start; retry.Wait if nil
}

// Error says which program ended how, with the end of what it wrote to stderr.
type Error struct {
	Program string
	Code    int // -1 when it was ended by a signal or never started
	Stderr  string
	Cause   error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Program, e.Cause)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// Unwrap keeps the cause reachable.
func (e *Error) Unwrap() error { return e.Cause }

// ErrLeft is the cause where a child ended and left a program running that holds its
// output open: what that writes later would be lost.
var ErrLeft = errors.New("it ended, and left a program running that holds its output open")

// ErrNotFound is the cause where a program is not on PATH.
var ErrNotFound = exec.ErrNotFound

// LookPath finds a program on PATH.
func LookPath(name string) (string, error) { return exec.LookPath(name) }

// Run starts the child and waits for it. When ctx ends, the child is
// interrupted, and killed after Grace.
func (c Command) Run(ctx context.Context) error {
	cmd, kept, err := c.begin(ctx)
	if err == nil {
		err = c.wait(cmd)
	}
	return c.wrap(err, kept)
}

// wait waits for the child, and ends what is left of its group: a program that a shell
// starts in the background is not interrupted with it.
func (c Command) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if c.Group {
		endGroup(cmd)
	}
	return err
}

// Output runs the child and returns what it wrote to stdout.
func (c Command) Output(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run(ctx)
	return out.Bytes(), err
}

// Server is a child that runs until it is stopped.
type Server struct {
	command Command
	cmd     *exec.Cmd
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
}

// Start starts the child and returns at once. Stop ends it; so does the end of
// ctx.
func (c Command) Start(ctx context.Context) (*Server, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd, kept, err := c.begin(ctx)
	if err != nil {
		cancel()
		return nil, c.wrap(err, kept)
	}
	s := &Server{command: c, cmd: cmd, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = c.wrap(c.wait(cmd), kept)
	}()
	return s, nil
}

// PID is the child's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Done is closed when the child has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is how the child ended; only valid after Done.
func (s *Server) Err() error { return s.err }

// Stop interrupts the child, waits, and kills it after its grace.
func (s *Server) Stop() {
	s.cancel()
	<-s.done
}

// startAttempts is how often a program that is busy is started: for a second in all.
const startAttempts = 10

// begin starts the child. A program that this process has just written can be busy:
// a child that was forked at that moment holds the file open until it runs its own
// program (https://go.dev/issue/22315). That takes microseconds, so it is tried again.
func (c Command) begin(ctx context.Context) (cmd *exec.Cmd, kept *Tail, err error) {
	policy := retry.Policy{First: 5 * time.Millisecond, Factor: 2, Most: 200 * time.Millisecond, Spread: 0.2, Sleep: c.sleep}
	ended := policy.Do(ctx, func(attempt int, delay time.Duration) (time.Duration, bool) {
		cmd, kept = c.prepare(ctx)
		if c.Confined != nil {
			err = c.Confined.start(cmd)
		} else {
			err = cmd.Start()
		}
		return delay, errors.Is(err, syscall.ETXTBSY) && attempt < startAttempts
	})
	if ended != nil {
		err = ended
	}
	return cmd, kept, err
}

func (c Command) prepare(ctx context.Context) (*exec.Cmd, *Tail) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = c.Env
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	cmd.Dir, cmd.Stdin, cmd.Stdout = c.Dir, c.Stdin, c.Stdout
	kept := &Tail{Limit: stderrKept}
	cmd.Stderr = io.Writer(kept)
	if c.Stderr != nil {
		cmd.Stderr = io.MultiWriter(c.Stderr, kept)
	}
	if c.Group {
		inGroup(cmd)
	}
	if c.Holds != nil {
		cmd.ExtraFiles = []*os.File{c.Holds}
	}
	cmd.Cancel = func() error {
		if c.Group {
			return interrupt(cmd)
		}
		return cmd.Process.Signal(os.Interrupt)
	}
	cmd.WaitDelay = c.Grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = DefaultGrace
	}
	return cmd, kept
}

func (c Command) wrap(err error, kept *Tail) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = ErrLeft
	}
	e := &Error{Program: filepath.Base(c.Path), Code: -1, Stderr: strings.TrimSpace(kept.String()), Cause: err}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		e.Code = exit.ExitCode()
	}
	return e
}

// Tail keeps the last lines written to it, whole: what begins within a line could begin
// within a secret, which nobody would know by its rest.
type Tail struct {
	Limit int // bytes

	lock sync.Mutex // stdout and stderr may come at the same time
	data []byte
	cut  bool
}

func (t *Tail) Write(p []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.data = append(t.data, p...)
	if over := len(t.data) - t.Limit; over > 0 {
		t.cut = true
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *Tail) String() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	if !t.cut {
		return string(t.data)
	}
	_, whole, _ := bytes.Cut(t.data, []byte("\n"))
	return "… (the beginning is left out)\n" + string(whole)
}
