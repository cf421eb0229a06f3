package terraform

import (
	"encoding/json"
	"fmt"
	"strings"

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

// Incomplete says why a plan is not all of what its configuration asks for; empty
// where it is. Such a plan is never approved: the next one would do the rest.
func Incomplete(data []byte) (string, error) {
	var p struct {
		Complete *bool             `json:"complete"`
		Errored  bool              `json:"errored"`
		Deferred []json.RawMessage `json:"deferred_changes"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return "", fmt.Errorf("read the plan's JSON: %w", err)
	}
	switch {
	case p.Errored:
		return "terraform could not finish it", nil
	case len(p.Deferred) > 0:
		return fmt.Sprintf("it defers %d changes to a later plan", len(p.Deferred)), nil
	case p.Complete != nil && !*p.Complete:
		return "it leaves out a part of the configuration, as -target does", nil
	}
	return "", nil
}

// Invoked says which actions a plan invokes, and what each of them comes with. No
// change of a resource says so.
// https://developer.hashicorp.com/terraform/internals/json-format
func Invoked(data []byte) (lines []string, err error) {
	var p struct {
		Actions []struct {
			Address   string
			Lifecycle *struct {
				Resource string `json:"triggering_resource_address"`
				Event    string `json:"action_trigger_event"`
			} `json:"lifecycle_action_trigger"`
		} `json:"action_invocations"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("read the plan's JSON: %w", err)
	}
	for _, a := range p.Actions {
		line := "the plan invokes " + a.Address
		if a.Lifecycle != nil {
			line += " with " + a.Lifecycle.Resource + " (" + a.Lifecycle.Event + ")"
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// incompleteWarnings are how terraform says so itself, also in versions whose
// JSON does not.
var incompleteWarnings = []string{
	"Resource targeting is in effect", "Applied changes may be incomplete", "Provider development overrides are in effect",
	"Provider development overrides",
}

// Partial gives the warning by which terraform says that a plan is not all of
// its configuration, or not made by the locked providers.
func Partial(warnings []string) string {
	for _, w := range warnings {
		for _, sign := range incompleteWarnings {
			if strings.HasPrefix(w, sign) {
				return sign
			}
		}
	}
	return ""
}
