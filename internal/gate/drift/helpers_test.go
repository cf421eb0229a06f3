package drift_test

import (
	"context"
	"time"
)

func noSleep(context.Context, time.Duration) error { return nil }
