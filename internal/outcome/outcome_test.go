package outcome_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/outcome"
)

func TestCode(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"nothing":           {nil, outcome.Done},
		"plain error":       {cause, outcome.Broken},
		"usage":             {outcome.Usagef("x"), outcome.Usage},
		"refused, wrapped":  {fmt.Errorf("a: %w", outcome.Refusedf("x")), outcome.Refused},
		"trouble, joined":   {errors.Join(outcome.Pendingf("x"), cause), outcome.Broken},
		"outermost decides": {outcome.Usagef("a: %w", outcome.Refusedf("x")), outcome.Usage},
	} {
		if got := outcome.Code(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if err := outcome.Refusedf("because: %w", cause); !errors.Is(err, cause) || err.Error() != "because: cause" {
		t.Errorf("the cause is lost: %v", err)
	}
}
