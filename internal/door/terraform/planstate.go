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
	version    json.Number
	attributes map[string]any
}

// objectsOf reads the objects of a state. Those that wait to be deleted are left out.
func objectsOf(state []byte) (objects, error) {
	var read struct {
		Resources []struct {
			Module, Mode, Type, Name string
			Instances                []struct {
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
				all[address(r.Module, r.Type, r.Name, i.Index)] = object{i.Version, i.Attributes}
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
	for _, part := range archive.File {
		if part.Name != partState {
			continue
		}
		data, err := readPart(part)
		if err == nil {
			planned, err = objectsOf(data)
		}
		if err != nil {
			return nil, fmt.Errorf("read the state in the binary plan: %w", err)
		}
		break // terraform reads the first
	}
	held, err := objectsOf(state)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	shown := make(map[string]bool)
	for _, c := range said.ResourceDrift {
		shown[address(c.ModuleAddress, c.Type, c.Name, c.Index)], shown[c.PreviousAddress] = true, true
	}
	for _, c := range said.ResourceChanges {
		if c.PreviousAddress != "" || c.Change != nil && c.Change.Importing != nil {
			shown[address(c.ModuleAddress, c.Type, c.Name, c.Index)], shown[c.PreviousAddress] = true, true
		}
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
		if !shown[name] && (inPlan != isHeld || !p.is(h)) {
			differ = append(differ, name)
		}
	}
	return differ, nil
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
