package build

import (
	"sync"
	"time"
)

// Paced says how far a long work is, in megabytes, at most once a second and not in
// its first one: "pushed 1.5 of 3.0 MB", without the total if it is 0. It may be
// called by several at once. now tells the time.
func Paced(now func() time.Time, verb string, say func(format string, args ...any)) func(done, total int64) {
	var mu sync.Mutex
	var last time.Time
	return func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		at := now()
		if last.IsZero() {
			last = at
		}
		switch {
		case at.Sub(last) < time.Second:
			return
		case total > 0:
			say("%s %.1f of %.1f MB", verb, float64(done)/1e6, float64(total)/1e6)
		default:
			say("%s %.1f MB", verb, float64(done)/1e6)
		}
		last = at
	}
}
