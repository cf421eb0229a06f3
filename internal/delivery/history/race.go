package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/retry"
)

const maxAttempts = 100

// racing bounds the race for a branch head. As the delays differ, a writer among 50
// lands well before its last attempt.
var racing = retry.Policy{First: 50 * time.Millisecond, Factor: 2, Most: 3 * time.Second, Spread: 0.5}

// Race runs try, which reads, decides and commits, again for as long as others
// are faster. It gives how often it ran.
func Race(ctx context.Context, try func() error) (attempts int, err error) {
	ended := racing.Do(ctx, func(attempt int, delay time.Duration) (time.Duration, bool) {
		attempts, err = attempt, try()
		return delay, errors.Is(err, configrepo.ErrMoved) && attempt < maxAttempts
	})
	switch {
	case ended != nil:
		return attempts, ended
	case errors.Is(err, configrepo.ErrMoved):
		return attempts, fmt.Errorf("lost the race for the branch %d times: %w: run it again", attempts, err)
	}
	return attempts, err
}
