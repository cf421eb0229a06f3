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
	StateModule    = tfjson.StateModule
)

// asked is the part of a plan that Waybill asks about. The values of every managed
// resource before and after stand in it a second and third time, which for a
// large plan is most of the memory. What data sources read stands in the prior state alone.
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
	PriorState       *askedState     `json:"prior_state,omitempty"`
}

type askedState struct {
	FormatVersion json.RawMessage `json:"format_version,omitempty"`
	Values        *struct {
		RootModule *askedModule `json:"root_module,omitempty"`
	} `json:"values,omitempty"`
}

type askedModule struct {
	Resources    []askedResource `json:"resources,omitempty"`
	ChildModules []askedModule   `json:"child_modules,omitempty"`
}

// askedResource is a data source; of any other resource it is empty.
type askedResource struct {
	Mode            json.RawMessage `json:"mode,omitempty"`
	Values          json.RawMessage `json:"values,omitempty"`
	SensitiveValues json.RawMessage `json:"sensitive_values,omitempty"`
}

// UnmarshalJSON keeps nothing of a managed resource.
func (r *askedResource) UnmarshalJSON(data []byte) error {
	var of struct{ Mode string }
	if err := json.Unmarshal(data, &of); err != nil || of.Mode != "data" {
		return err
	}
	type plain askedResource
	return json.Unmarshal(data, (*plain)(r))
}

// ParsePlan reads what Show gives, and refuses a format that it does not know.
// Planned values are left out, and of the prior state all but what data sources read.
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
