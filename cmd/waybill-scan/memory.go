package main

import (
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// gcPercent lets the heap of a process that soon ends grow to five times what
// lives on it, below the limit: collecting costs a fifth of a scan otherwise.
const gcPercent = 400

// limitMemory makes the collector work harder near the limit, and the process
// die a little beyond it rather than take the machine with it. Zero is no
// limit. It switches the collector on, which waybill scan starts the process without.
func limitMemory(bytes int64) error {
	debug.SetGCPercent(gcPercent)
	if bytes <= 0 {
		return nil
	}
	debug.SetMemoryLimit(bytes)
	hard := uint64(bytes) + uint64(bytes)/4
	return unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: hard, Max: hard})
}
