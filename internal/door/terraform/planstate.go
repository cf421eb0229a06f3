package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// partState is the state in a binary plan, refreshed. terraform writes it back, with
// what the plan changes, and takes from it which objects there are.
const partState = "tfstate"

// objects are the managed objects of a state, by address.
type objects map[string]object

type object struct {
	provider   string
	version    json.Number
	attributes map[string]any
}

// objectsOf reads the objects of a state. Those that wait to be deleted are left out.
func objectsOf(state []byte) (objects, error) {
	var read struct {
		Resources []struct {
			Module, Mode, Type, Name, Provider string
			Instances                          []struct {
				Index      any            `json:"index_key"`
				Deposed    string         `json:"deposed"`
				Version    json.Number    `json:"schema_version"`
				Attributes map[string]any `json:"attributes"`
			}
		}
	}
	if len(state) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(state, &read); err != nil {
		return nil, err
	}
	all := make(objects)
	for _, r := range read.Resources {
		for _, i := range r.Instances {
			if r.Mode == "managed" && i.Deposed == "" {
				all[address(r.Module, r.Type, r.Name, i.Index)] = object{r.Provider, i.Version, i.Attributes}
			}
		}
	}
	return all, nil
}

func address(module, kind, name string, index any) string {
	text := kind + "." + name
	if module != "" {
		text = module + "." + text
	}
	switch index := index.(type) {
	case nil:
		return text
	case string:
		return fmt.Sprintf("%s[%q]", text, index)
	}
	return fmt.Sprintf("%s[%v]", text, index)
}

// OtherObjects lists the objects that a binary plan has otherwise than the state that
// the backend holds, though the plan says nothing of it to those who read it: that it
// drifted, moves or is imported. Of an encrypted plan it is not known, and the error
// says so.
func OtherObjects(binary, state []byte, said *Plan) ([]string, error) {
	archive, err := openPlan(binary)
	if err != nil {
		return nil, err
	}
	var planned objects
	data, err := firstPart(archive, partState)
	if err == nil && data != nil {
		planned, err = objectsOf(data)
	}
	if err != nil {
		return nil, fmt.Errorf("read the state in the binary plan: %w", err)
	}
	held, err := objectsOf(state)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	shown, destroyed := saidOf(said), make(map[string]bool)
	for _, c := range said.ResourceChanges {
		destroyed[address(c.ModuleAddress, c.Type, c.Name, c.Index)] = c.Change != nil && c.Change.Actions.Delete()
	}
	every := maps.Clone(held)
	if every == nil {
		every = make(objects)
	}
	maps.Copy(every, planned)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(every)) {
		p, inPlan := planned[name]
		h, isHeld := held[name]
		as, is := shown[name]
		// What the configuration no longer has is destroyed by the provider of the state.
		if !is && (inPlan != isHeld || !p.is(h)) || is && !p.isAs(inPlan, as) ||
			destroyed[name] && inPlan && isHeld && p.provider != h.provider {
			differ = append(differ, name)
		}
	}
	return differ, nil
}

// saidOf are the objects of which a plan says that they drifted, moved or are imported,
// by address, as it says that they are before it is applied; nil where it says that there
// is none.
func saidOf(p *Plan) map[string]any {
	shown := make(map[string]any)
	for _, c := range slices.Concat(p.ResourceChanges, p.ResourceDrift) {
		if c.Change != nil && c.DeposedKey == "" && c.PreviousAddress != "" {
			shown[c.PreviousAddress] = nil // unless another one took its place
		}
	}
	for _, c := range p.ResourceChanges {
		if c.Change != nil && c.DeposedKey == "" && (c.PreviousAddress != "" || c.Change.Importing != nil) {
			shown[address(c.ModuleAddress, c.Type, c.Name, c.Index)] = c.Change.Before
		}
	}
	for _, c := range p.ResourceDrift {
		if c.Change != nil && c.DeposedKey == "" {
			shown[address(c.ModuleAddress, c.Type, c.Name, c.Index)] = c.Change.After
		}
	}
	return shown
}

// isAs reports whether an object is as a plan says that it is, in every attribute that
// both have: what the plan shows of it is what people approved, and what the plan holds is
// what terraform writes into the state.
func (o object) isAs(inPlan bool, said any) bool {
	attributes, is := said.(map[string]any)
	if !is || !inPlan {
		return is == inPlan
	}
	for name, value := range o.attributes {
		if as, both := attributes[name]; both && !sameValue(value, as) {
			return false
		}
	}
	return true
}

// sameValue reports whether a value of a state is one of a plan in JSON. A state has the type
// beside a value whose type no schema says.
func sameValue(inState, inPlan any) bool {
	switch s := inState.(type) {
	case map[string]any:
		if _, typed := s["type"]; typed && len(s) == 2 {
			if value, is := s["value"]; is && sameValue(value, inPlan) {
				return true
			}
		}
		p, is := inPlan.(map[string]any)
		return is && maps.EqualFunc(s, p, sameValue)
	case []any:
		p, is := inPlan.([]any)
		return is && slices.EqualFunc(s, p, sameValue)
	case float64:
		p, is := inPlan.(json.Number)
		if !is {
			return reflect.DeepEqual(inState, inPlan)
		}
		f, err := p.Float64()
		return err == nil && f == s
	}
	return reflect.DeepEqual(inState, inPlan)
}

// is reports whether the two are one object: no attribute of both has another value.
// A provider with another version of its schema may write them in another form.
func (o object) is(other object) bool {
	if o.version != other.version {
		return true
	}
	for name, value := range o.attributes {
		if before, both := other.attributes[name]; both && !reflect.DeepEqual(value, before) {
			return false
		}
	}
	return true
}
