package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// While terraform runs, the job's environment is closed to what it starts.
func TestPlanClosesItsEnvironment(t *testing.T) {
	t.Parallel()
	ready(t)
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || dumpable != 0 {
		t.Errorf("the process is open to others: %d %v", dumpable, err)
	}
}
