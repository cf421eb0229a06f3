package terraform

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Mode is what terraform was asked to plan.
type Mode string

// The modes, by the numbers that they have in a binary plan:
// https://github.com/hashicorp/terraform/blob/main/internal/plans/planproto/planfile.proto
const (
	Normal      Mode = "normal"
	Destroying  Mode = "destroy"
	RefreshOnly Mode = "refresh-only"
)

var modes = []Mode{Normal, Destroying, RefreshOnly}

// fieldMode is the mode in the message Plan. The narrowing fields are addresses to which
// a plan is applied alone, those that it leaves out, those that are replaced whatever
// their configuration says, and actions that are invoked alone. Waybill asks for none.
const fieldMode = 17

var fieldsNarrowing = []protowire.Number{5, 6, 16, 32}

// ErrNarrowed is reported of a plan that is applied to some addresses alone. terraform
// shows all that was planned, and applies less.
var ErrNarrowed = errors.New("it names the addresses that it is applied to, as -target does")

// PlanMode is the mode of a binary plan. Of an encrypted plan it is not known, and the
// error says so.
func PlanMode(plan []byte) (Mode, error) {
	archive, err := openPlan(plan)
	if err != nil {
		return "", err
	}
	message, err := firstPart(archive, "tfplan")
	if err != nil {
		return "", fmt.Errorf("read the mode of the binary plan: %w", err)
	}
	mode := uint64(0)
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return "", protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return "", protowire.ParseError(size)
		}
		switch {
		case slices.Contains(fieldsNarrowing, number):
			return "", ErrNarrowed
		case number == fieldMode && kind == protowire.VarintType:
			mode, _ = protowire.ConsumeVarint(message[n:]) // the last one counts
		}
		message = message[n+size:]
	}
	if mode >= uint64(len(modes)) {
		return "", fmt.Errorf("the binary plan is of a mode that is not known: %d", mode)
	}
	return modes[mode], nil
}
