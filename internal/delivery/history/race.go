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
var racing = retry.Policy{First: 400 * time.Millisecond, Factor: 1.7, Most: 4 * time.Second, Spread: 0.9}

// turns is a repository whose writers can take turns.
type turns interface {
	Turn(ctx context.Context) (end func(), err error)
}

// Race runs try, which reads, decides and commits to the repository, again for as long
// as others are faster. Where writers can take turns, the second try is in one, and no
// other writer is faster then. It gives how often it ran.
func Race(ctx context.Context, repo any, try func() error) (attempts int, err error) {
	ended := racing.Do(ctx, func(attempt int, delay time.Duration) (time.Duration, bool) {
		attempts, err = attempt, inTurn(ctx, repo, attempt, try)
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

func inTurn(ctx context.Context, repo any, attempt int, try func() error) error {
	if t, ok := repo.(turns); ok && attempt > 1 {
		end, err := t.Turn(ctx)
		if err != nil {
			return err
		}
		defer end()
	}
	return try()
}
