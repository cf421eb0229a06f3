package main

import (
	"runtime/debug"
	"testing"
)

// The process is started without a collector, and has one as soon as it knows its limit,
// also where there is none.
func TestLimitMemoryCollects(t *testing.T) {
	before := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(before)
	if err := limitMemory(0); err != nil {
		t.Fatal(err)
	}
	if got := debug.SetGCPercent(-1); got != gcPercent {
		t.Errorf("the heap may grow by %d percent, want %d", got, gcPercent)
	}
}
