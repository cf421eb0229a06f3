package terraform

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrEncrypted is reported of a plan that only OpenTofu itself can read.
var ErrEncrypted = errors.New("the binary plan is encrypted")

// maxState bounds the copy of the state that is read out of a plan.
const maxState = 1 << 30

// PlanState is the version of the state that a binary plan was made from: what
// terraform itself holds the state against before it applies the plan.
func PlanState(plan []byte) (StateID, error) {
	archive, err := zip.NewReader(bytes.NewReader(plan), int64(len(plan)))
	if errors.Is(err, zip.ErrFormat) {
		return StateID{}, ErrEncrypted
	}
	if err != nil {
		return StateID{}, fmt.Errorf("read the binary plan: %w", err)
	}
	file, err := archive.Open("tfstate")
	if err != nil {
		return StateID{}, fmt.Errorf("read the state in the binary plan: %w", err)
	}
	defer file.Close()
	var state stateJSON
	if err := json.NewDecoder(io.LimitReader(file, maxState)).Decode(&state); err != nil {
		return StateID{}, fmt.Errorf("read the state in the binary plan: %w", err)
	}
	return state.id(), nil
}
