package terraform

import (
	"fmt"

	tfjson "github.com/hashicorp/terraform-json"
)

// The forms of a plan, as terraform show -json gives it.
// https://developer.hashicorp.com/terraform/internals/json-format
type (
	Plan           = tfjson.Plan
	ResourceChange = tfjson.ResourceChange
	Change         = tfjson.Change
	Actions        = tfjson.Actions
)

// ParsePlan reads what Show gives, and refuses a format that it does not know.
func ParsePlan(data []byte) (*Plan, error) {
	var p Plan
	p.UseJSONNumber(true)
	if err := p.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("read the plan's JSON: %w", err)
	}
	return &p, nil
}
