package terraform

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func TestLockOf(t *testing.T) {
	t.Parallel()
	words := "╷\n│ Error: Error acquiring the state lock\n│ \n│ Error message: resource temporarily unavailable\n│ Lock Info:\n│   " +
		"ID:        3a9aefbf-432c\n│   Path:      \n│   Operation: OperationTypeApply\n│   Who:       root@vm\n│   Version:   " +
		"1.11.4\n│   Created:   2026-11-20 12:20:53 +0000 UTC\n│   Info:      \n╵"
	err := explain(&process.Error{Program: "terraform", Stderr: words, Cause: errors.New("exit status 1")}, "")
	if lock, ok := LockOf(err); !ok || lock.String() != "root@vm since 2026-11-20 12:20:53 +0000 UTC (lock 3a9aefbf-432c)" ||
		!IsReason(err, Locked) {
		t.Errorf("%v %v", lock, ok)
	}
	// The http backend gives the wrong one's information.
	err = explain(
		errors.New("x"),
		"Error: Error acquiring the state lock\n\nError message: HTTP remote state already locked: ID=held\nLock Info:\n  ID:       "+
			" asked\n  Who:       me",
	)
	if lock, ok := LockOf(err); !ok || lock.String() != "lock held" {
		t.Errorf("%v %v", lock, ok)
	}
	for words, want := range map[string]Reason{
		"Error: Failed to save state\n\nError: Failed to persist state to backend": Unsaved,
		"Error: Error releasing the state lock\n\nError message: 409":              LockLost,
	} {
		if err := explain(errors.New("x"), words); !IsReason(err, want) {
			t.Errorf("%s: %v", words, err)
		}
	}
	if _, ok := LockOf(errors.New("Lock Info:\n  ID: x")); ok {
		t.Error("words of another are taken for terraform's")
	}
}

// The kernel holds the lock of a local state, and gives it back when its process ends.
func TestLockOfALocalState(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]struct {
		code int
		says string
	}{
		"Failed to unlock state: LocalState not locked":       {outcome.Refused, "so that one still runs"},
		"Local state cannot be unlocked by another process":   {outcome.Refused, "so that one still runs"},
		"Failed to unlock state: the backend is out of reach": {outcome.Broken, "unlock the state: .*out of reach"},
	} {
		program := filepath.Join(t.TempDir(), "terraform")
		if err := os.WriteFile(program, []byte("#!/bin/sh\necho '"+words+"' >&2\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		err := Open(Options{Path: program, Dir: t.TempDir()}).ForceUnlock(t.Context(), Lock{ID: "some"})
		if err == nil || outcome.Code(err) != want.code || !regexp.MustCompile(want.says).MatchString(err.Error()) {
			t.Errorf("%s: %v", words, err)
		}
	}
}
