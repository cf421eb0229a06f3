package terraform

import (
	"encoding/json"
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

// asked is the part of a plan that Waybill asks about. The values of every
// resource before and after stand in it a second and third time, which for a
// large plan is most of the memory.
type asked struct {
	FormatVersion    json.RawMessage `json:"format_version,omitempty"`
	TerraformVersion json.RawMessage `json:"terraform_version,omitempty"`
	Variables        json.RawMessage `json:"variables,omitempty"`
	ResourceDrift    json.RawMessage `json:"resource_drift,omitempty"`
	ResourceChanges  json.RawMessage `json:"resource_changes,omitempty"`
	DeferredChanges  json.RawMessage `json:"deferred_changes,omitempty"`
	OutputChanges    json.RawMessage `json:"output_changes,omitempty"`
	Config           json.RawMessage `json:"configuration,omitempty"`
	Checks           json.RawMessage `json:"checks,omitempty"`
	Complete         json.RawMessage `json:"complete,omitempty"`
	Errored          json.RawMessage `json:"errored,omitempty"`
}

// ParsePlan reads what Show gives, and refuses a format that it does not know.
// Planned values and prior state are left out.
func ParsePlan(data []byte) (*Plan, error) {
	var part asked
	if err := json.Unmarshal(data, &part); err != nil {
		return nil, fmt.Errorf("read the plan's JSON: %w", err)
	}
	data, err := json.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("read the plan's JSON: %w", err)
	}
	var p Plan
	p.UseJSONNumber(true)
	if err := p.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("read the plan's JSON: %w", err)
	}
	return &p, nil
}
