package limit

import (
	"runtime"
	"runtime/debug"
	"strconv"
)

const (
	// roomy is the heap up to which it may grow to five times of what lives on it.
	roomy = 128 << 20
	most  = 400 // percent that a heap may grow by
	usual = 100 // Go's own
)

// CollectLess lets a small heap grow further before it is collected: to five times
// what lives on it, while that is less than 128 MiB, and to twice otherwise, as Go
// does. Collecting takes a quarter of the processor time of a short command. What the
// user sets by GOGC stays, also Go's own 100, which package early could not tell from
// nothing.
func CollectLess(getenv func(string) string) {
	switch getenv("GOGC") {
	case "":
		adjust()
	case strconv.Itoa(usual):
		debug.SetGCPercent(usual)
	}
}

// adjust sets by how much the heap may grow, now and after each collection.
func adjust() {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	debug.SetGCPercent(growth(now.HeapAlloc))
	runtime.SetFinalizer(new([16]byte), func(*[16]byte) { adjust() }) // nobody holds it: the next collection finds it
}

// growth is by how many percent a heap may grow on which alive bytes live.
func growth(alive uint64) int {
	return min(most, max(usual, int(100*roomy/max(alive, 1))-100))
}
