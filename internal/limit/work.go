package limit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Bounds of a process that reads what others wrote.
const (
	// Memory is where work is given up.
	Memory = 1 << 30
	// hard is where the command ends without waiting for anything more.
	hard = 2 << 30
	// Grace is how long a command may take to end after an interrupt.
	Grace = 2 * time.Second
	// Time is how long one piece of work may take.
	Time = 20 * time.Second

	poll = 10 * time.Millisecond
)

// Exceeded is work that took more than it may.
type Exceeded struct{ Message string }

func (e *Exceeded) Error() string { return e.Message }

func exceeded(format string, args ...any) error {
	return &Exceeded{Message: fmt.Sprintf(format, args...)}
}

// Command runs f, whose context ends when the process uses more memory than it
// may. It returns no later than Grace after the end of the context, even if f
// does not: then f goes on until the process ends, which callers must bring
// about at once.
func Command(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(Memory * 3 / 4)) // collect more often before giving up
	return guard{memory: used, soft: Memory, hard: hard, grace: Grace}.run(ctx, cancel, func() error { return f(ctx) })
}

const endless = "Something that it reads grows without end: see what changed last"

// guard is Command with its bounds and measure as values.
type guard struct {
	memory     func() uint64
	soft, hard uint64
	grace      time.Duration
}

func (g guard) run(ctx context.Context, cancel context.CancelCauseFunc, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	ended := ctx.Done()
	var over <-chan time.Time
	for {
		select {
		case err := <-done:
			return g.because(ctx, err)
		case <-ended:
			ended, over = nil, time.After(g.grace)
		case <-over:
			return g.because(ctx, exceeded("the command was interrupted, and did not end within %s: stopped", g.grace))
		case <-ticker.C:
			switch n := g.memory(); {
			case n > g.hard:
				return exceeded("the command needs more than %d MiB of memory: stopped. "+endless, g.hard>>20)
			case n > g.soft:
				cancel(exceeded("the command needs more than %d MiB of memory: given up. "+endless, g.soft>>20))
			}
		}
	}
}

// because replaces an error that only says that the context ended by the reason
// for that.
func (g guard) because(ctx context.Context, err error) error {
	var reason *Exceeded
	if err != nil && errors.As(context.Cause(ctx), &reason) {
		return reason
	}
	return err
}

var samples = []string{"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/free:bytes"}

// used is the memory that the process holds, without what it could give back.
func used() uint64 {
	read := make([]metrics.Sample, len(samples))
	for i, name := range samples {
		read[i].Name = name
	}
	metrics.Read(read)
	return read[0].Value.Uint64() - read[1].Value.Uint64() - read[2].Value.Uint64()
}

// slots bounds how much work is done at once: more would only share the time.
var slots = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// Do runs f, which cannot be interrupted, and stops waiting for it when ctx ends
// or when it takes longer than Time. The name says what was being done.
func Do[T any](ctx context.Context, name string, f func() (T, error)) (T, error) {
	return within(ctx, name, Time, f)
}

func within[T any](ctx context.Context, name string, limit time.Duration, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil { // also where there is a slot, and the work would be quick
		return none, context.Cause(ctx)
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		defer func() {
			if p := recover(); p != nil { // a library that meets what it did not expect
				r.err = fmt.Errorf("%s: the library that does it stopped with: %v", name, p)
			}
		}()
		r.value, r.err = f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	defer func() { <-slots }()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-timer.C:
		return none, exceeded("%s takes longer than %s: given up. "+
			"A chart or kustomization that loops, or a definition's pattern on a long text, is the usual cause: see what changed last",
			name, limit)
	}
}
