// Package retry tries again: with delays that grow and differ between jobs, for as
// long as the caller finds it worth it, and never longer than the context.
//
// What may be repeated, and what another side asks for, is for callers to judge.
package retry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Policy is how delays grow.
type Policy struct {
	First  time.Duration // about: each differs by chance, so that many jobs do not come back at once
	Factor float64       // of each delay to the one before
	Most   time.Duration // of a delay
	Spread float64       // how much a delay differs, as a part of it

	Sleep func(ctx context.Context, d time.Duration) error // Wait if nil
}

// Do runs try until it wants no more. It gives try the number of the attempt, from
// 1, and the delay that is due after it; try returns how long to wait for the next
// attempt, and whether there is one. The error is the context's.
func (p Policy) Do(ctx context.Context, try func(attempt int, delay time.Duration) (wait time.Duration, again bool)) error {
	sleep := p.Sleep
	if sleep == nil {
		sleep = Wait
	}
	delays := &backoff.ExponentialBackOff{
		InitialInterval: p.First, Multiplier: p.Factor, MaxInterval: p.Most, RandomizationFactor: p.Spread,
	}
	delays.Reset()
	for attempt := 1; ; attempt++ {
		wait, again := try(attempt, delays.NextBackOff())
		if !again {
			return nil
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// Wait waits. The error is why the context ended before.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// After reads how long an answer asks to be left alone: seconds or a date.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func After(h http.Header, now time.Time) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}
