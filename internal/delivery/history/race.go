package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
)

// Bounds of the race for a branch head. With the backoff's jitter, a writer
// among 50 lands well before its last attempt.
const (
	maxAttempts = 100
	firstDelay  = 50 * time.Millisecond
	maxDelay    = 3 * time.Second
)

// Race runs try, which reads, decides and commits, again for as long as others
// are faster. It gives how often it ran.
func Race(ctx context.Context, try func() error) (attempts int, err error) {
	delay := firstDelay
	for attempts = 1; ; attempts++ {
		if err = try(); !errors.Is(err, configrepo.ErrMoved) {
			return attempts, err
		}
		if attempts == maxAttempts {
			return attempts, fmt.Errorf("lost the race for the branch %d times: %w: run it again", attempts, err)
		}
		timer := time.NewTimer(delay/2 + rand.N(delay)) // between half and one and a half of it
		select {
		case <-ctx.Done():
			timer.Stop()
			return attempts, ctx.Err()
		case <-timer.C:
		}
		delay = min(delay*2, maxDelay)
	}
}
