package configrepo

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
)

func TestArrival(t *testing.T) {
	t.Parallel()
	hour := func(n int) time.Time { return time.Date(2026, 11, 20, n, 0, 0, 0, time.UTC) }
	now := hour(23)
	line := map[string]int{"d": 0, "c": 1, "b": 2, "a": 3} // a is the oldest
	for what, test := range map[string]struct {
		moves    []github.Move // newest first
		position int
		want     time.Time // zero is not known
	}{
		"its own push": {
			[]github.Move{{Before: "b", After: "c", At: hour(2)}, {Before: "a", After: "b", At: hour(1)}}, 2, hour(1),
		},
		"a push of several": {[]github.Move{{Before: "a", After: "d", At: hour(3)}}, 2, hour(3)},
		"put back after a force push": {
			[]github.Move{
				{Before: "a", After: "c", At: hour(5)}, {Before: "c", After: "a", At: hour(4)},
				{Before: "b", After: "c", At: hour(2)},
			},
			1, hour(5),
		},
		"a new branch":              {[]github.Move{{Before: github.ZeroOID, After: "d", At: hour(6)}}, 3, hour(6)},
		"newer than what is listed": {[]github.Move{{Before: "a", After: "b", At: hour(1)}}, 0, now},
		"older than what is listed": {[]github.Move{{Before: "b", After: "c", At: hour(1)}}, 3, time.Time{}},
		"moves of another branch":   {[]github.Move{{Before: "x", After: "y", At: hour(1)}}, 0, time.Time{}},
		"no list":                   {nil, 0, time.Time{}},
		"over a commit that was dropped": {
			[]github.Move{{Before: "x", After: "d", At: hour(7)}, {Before: "a", After: "c", At: hour(2)}}, 1, hour(7),
		},
	} {
		move, known := arrival(test.moves, line, test.position, now)
		if known != !test.want.IsZero() || known && !move.At.Equal(test.want) {
			t.Errorf("%s: got %s, %v, want %s", what, move.At, known, test.want)
		}
	}
}
