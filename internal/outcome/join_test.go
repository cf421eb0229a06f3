package outcome_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Whatever the order in which errors meet, and however deep they are wrapped,
// the same one decides: broken over usage over refused over pending.
func TestJoinedOutcomesHaveAnOrder(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		code int
		err  error
	}{
		{outcome.Broken, errors.New("the registry did not answer")}, {outcome.Usage, outcome.Usagef("no such flag")},
		{outcome.Refused, outcome.Refusedf("not signed")}, {outcome.Pending, outcome.Pendingf("not approved")}, {outcome.Done, nil},
	}
	for i, worse := range kinds {
		for _, other := range kinds[i:] {
			for name, joined := range map[string]error{
				"first":   outcome.Join(worse.err, other.err),
				"last":    outcome.Join(other.err, worse.err),
				"between": outcome.Join(other.err, nil, worse.err, other.err),
				"wrapped": fmt.Errorf("of #4: %w", outcome.Join(other.err, fmt.Errorf("of #5: %w", worse.err))),
				"nested":  outcome.Join(other.err, outcome.Join(other.err, worse.err)),
				"formatted": func() error {
					if worse.err == nil || other.err == nil {
						return outcome.Join(worse.err, other.err)
					}
					return fmt.Errorf("%w; %w", other.err, worse.err)
				}(),
				"the standard library's": errors.Join(other.err, worse.err),
			} {
				if name == "wrapped" && worse.err == nil {
					continue
				}
				if got := outcome.Code(joined); got != worse.code {
					t.Errorf("%d and %d, %s: %d", worse.code, other.code, name, got)
				}
			}
			if got := outcome.Worse(other.code, worse.code); got != worse.code {
				t.Errorf("%d and %d: %d", worse.code, other.code, got)
			}
		}
	}
	if err := outcome.Join(nil, nil); err != nil {
		t.Errorf("nothing joined is %v", err)
	}
	if outcome.Worse(outcome.Done, 99) != outcome.Broken {
		t.Error("an unknown code is not trouble")
	}
	joined := outcome.Join(kinds[3].err, kinds[2].err)
	if !errors.Is(joined, kinds[2].err) || joined.Error() != "not approved\nnot signed" {
		t.Errorf("the causes are lost: %v", joined)
	}
}
