package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Effects is the digest of what applying a plan of the root, in JSON, does. It leaves out
// what the plan leaves as it is: that can have drifted in the meantime, and nothing is done
// to it. Nor do checks do anything. Of a plan that brings the state up to date, what changed
// outside is what it does.
func (r RootRecord) Effects(planJSON []byte) (string, error) {
	if r.RefreshOnly {
		return digestOf(planJSON, true, false)
	}
	var whole map[string]json.RawMessage
	var in struct {
		Resources []json.RawMessage          `json:"resource_changes"`
		Outputs   map[string]json.RawMessage `json:"output_changes"`
	}
	err := json.Unmarshal(planJSON, &whole)
	if err == nil {
		err = json.Unmarshal(planJSON, &in)
	}
	if err != nil {
		return "", fmt.Errorf("read the changes of the plan: %w", err)
	}
	in.Resources = slices.DeleteFunc(in.Resources, func(c json.RawMessage) bool {
		var resource struct {
			Previous string          `json:"previous_address"`
			Change   json.RawMessage `json:"change"`
		}
		return json.Unmarshal(c, &resource) == nil && resource.Previous == "" && leftAlone(resource.Change)
	})
	maps.DeleteFunc(in.Outputs, func(_ string, c json.RawMessage) bool { return leftAlone(c) })
	for name, list := range map[string]any{"resource_changes": in.Resources, "output_changes": in.Outputs} {
		if whole[name], err = json.Marshal(list); err != nil {
			return "", fmt.Errorf("read the changes of the plan: %w", err)
		}
	}
	effects, err := json.Marshal(whole)
	if err != nil {
		return "", fmt.Errorf("read the changes of the plan: %w", err)
	}
	return digestOf(effects, false, false)
}

// leftAlone reports whether a change is none. What is imported comes into the state.
func leftAlone(change json.RawMessage) bool {
	var c struct {
		Actions   []string
		Importing *struct{}
	}
	return json.Unmarshal(change, &c) == nil && slices.Equal(c.Actions, []string{"no-op"}) && c.Importing == nil
}
