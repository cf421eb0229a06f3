package retry_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/retry"
)

// Delays grow by the factor up to the most, each differing by no more than the
// spread; try decides how long is waited, and when it ends.
func TestDo(t *testing.T) {
	t.Parallel()
	var waited, due []time.Duration
	p := retry.Policy{First: time.Second, Factor: 3, Most: 10 * time.Second, Spread: 0.1}
	p.Sleep = func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		return nil
	}
	if err := p.Do(t.Context(), func(attempt int, delay time.Duration) (time.Duration, bool) {
		due = append(due, delay)
		return time.Duration(attempt) * time.Minute, attempt < 4
	}); err != nil {
		t.Fatal(err)
	}
	if len(due) != 4 || len(waited) != 3 || waited[2] != 3*time.Minute {
		t.Fatalf("due %v, waited %v", due, waited)
	}
	for i, want := range []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 10 * time.Second} {
		if due[i] < want*9/10 || due[i] > want*11/10+time.Nanosecond {
			t.Errorf("the delay after attempt %d is %s, want about %s", i+1, due[i], want)
		}
	}
}

// Nothing is tried once the context has ended, and the error is why it did.
func TestDoEndsWithTheContext(t *testing.T) {
	t.Parallel()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	tried := 0
	err := retry.Policy{First: time.Hour, Factor: 1, Most: time.Hour}.Do(ctx, func(_ int, delay time.Duration) (time.Duration, bool) {
		tried++
		cancel(why)
		return delay, true
	})
	if !errors.Is(err, why) || tried != 1 {
		t.Errorf("%v after %d attempts", err, tried)
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "Thu, 26 Nov 2026 12:01:00 GMT": time.Minute, "Thu, 26 Nov 2026 11:00:00 GMT": 0,
		"": -1, "-1": -1, "soon": -1,
	} {
		got, ok := retry.After(http.Header{"Retry-After": {text}}, now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %s, %t", text, got, ok)
		}
	}
}
