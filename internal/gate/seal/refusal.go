package seal

import (
	"fmt"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Reason says why a sealed plan is refused.
type Reason string

// The reasons.
const (
	NotSealed Reason = "not-sealed"
	WrongKey  Reason = "wrong-key"
	Altered   Reason = "altered"
	Truncated Reason = "truncated"
	OtherPlan Reason = "other-plan"
	OtherRoot Reason = "other-root"
	Swapped   Reason = "swapped"
	Expired   Reason = "expired"
)

// Refusal is a sealed plan that is not taken.
type Refusal struct {
	Reason Reason
	Detail string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the sealed plan is refused (%s): %s", r.Reason, r.Detail)
}

// refuse makes a refusal that ends the command as one.
func refuse(reason Reason, format string, args ...any) error {
	return &outcome.Error{Code: outcome.Refused, Cause: &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}}
}
