package build

import "time"

// Paced says how far a push is, at most once a second, and nothing in its first
// one. now tells the time.
func Paced(now func() time.Time, say func(format string, args ...any)) func(done, total int64) {
	var last time.Time
	return func(done, total int64) {
		at := now()
		if last.IsZero() {
			last = at
		}
		if at.Sub(last) >= time.Second {
			last = at
			say("pushed %.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
		}
	}
}
