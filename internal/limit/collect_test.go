package limit

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGrowth(t *testing.T) {
	t.Parallel()
	for alive, want := range map[uint64]int{
		0: most, 1 << 20: most, 25 << 20: most, 32 << 20: 300, 64 << 20: usual, 100 << 20: usual, 128 << 20: usual, 4 << 30: usual,
	} {
		if got := growth(alive); got != want {
			t.Errorf("a heap with %d MiB may grow by %d percent, want %d", alive>>20, got, want)
		}
	}
}

// The heap of this process is small, so it may grow as far as any. A change of the
// percentage by somebody else is put right by the next collection.
func TestCollectLess(t *testing.T) {
	before := debug.SetGCPercent(250)
	defer debug.SetGCPercent(before)
	CollectLess(func(string) string { return "250" })
	if now := debug.SetGCPercent(250); now != 250 {
		t.Errorf("GOGC is set, and the heap may grow by %d percent", now)
	}
	CollectLess(func(string) string { return "100" })
	if now := debug.SetGCPercent(250); now != usual {
		t.Errorf("GOGC=100 is set, and the heap may grow by %d percent", now)
	}
	CollectLess(func(string) string { return "" })
	if now := debug.SetGCPercent(120); now != most {
		t.Errorf("the heap may grow by %d percent, want %d", now, most)
	}
	for range 100 { // finalizers run a little after a collection
		runtime.GC()
		runtime.Gosched()
		if now := debug.SetGCPercent(120); now == most {
			return
		}
	}
	t.Error("no collection sets it anew")
}
