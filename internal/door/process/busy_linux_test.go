package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A program that is open for writing cannot be started. It is tried again, and not
// for ever.
func TestABusyProgramIsStartedAgain(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	open, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.WriteString("#!/bin/sh\necho ran\n"); err != nil {
		t.Fatal(err)
	}
	waits := 0
	c := Command{Path: program, sleep: func(context.Context, time.Duration) error { waits++; return nil }}
	if err := c.Run(t.Context()); !errors.Is(err, syscall.ETXTBSY) || waits != startAttempts-1 {
		t.Errorf("open all the time: %v after %d waits", err, waits)
	}
	waits = 0
	c.sleep = func(context.Context, time.Duration) error { waits++; _ = open.Close(); return nil }
	// A child that another test starts at this moment has the file open until it runs.
	if out, err := c.Output(t.Context()); err != nil || string(out) != "ran\n" || waits == 0 {
		t.Errorf("closed meanwhile: %q, %v after %d waits", out, err, waits)
	}
	if open, err = os.OpenFile(program, os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := errors.New("no more time")
	c.sleep = func(ctx context.Context, _ time.Duration) error { cancel(ended); return context.Cause(ctx) }
	if server, err := c.Start(ctx); !errors.Is(err, ended) {
		t.Errorf("the context ended: %v, %v", server, err)
	}
}
