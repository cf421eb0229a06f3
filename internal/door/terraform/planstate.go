package terraform

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
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
		destroyed[addressOf(c)] = c.Change != nil && c.Change.Actions.Delete()
	}
	every := maps.Clone(held)
	if every == nil {
		every = make(objects)
	}
	maps.Copy(every, planned)
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(every)) {
		p, inPlan := planned[name]
		as, is := shown[name]
		if !is {
			as.from = name
		}
		h, isHeld := held[as.from]
		other := inPlan != isHeld || !p.is(h)
		if is {
			_, taken := held[name]
			other = !p.isAs(inPlan, as.now) || as.of(h, isHeld, p, taken)
		}
		// What the configuration no longer has is destroyed by the provider of the state.
		if other || inPlan && (p.older(h) || destroyed[name] && p.provider != h.provider) {
			differ = append(differ, name)
		}
	}
	return differ, nil
}

// shownObject is what a plan says of an object that it has otherwise than the state: that
// it drifted, moves or is imported.
type shownObject struct {
	now     any    // as it is before the plan is applied; nil if it is gone
	from    string // the address that the state has it at; empty for one that is imported
	before  any    // as it was, where it drifted
	drifted bool
	left    bool // it moved away
	retyped bool // it moves to another type, so that its attributes are others
}

// of reports whether it is not what the plan says that it was: people are shown the
// difference between the two, and nothing of a value that they have in common. taken is
// whether the state has an object in its place.
func (s shownObject) of(held object, isHeld bool, planned object, taken bool) bool {
	switch {
	case s.left:
		return false
	case s.from == "":
		return taken
	case !isHeld:
		return true
	case s.retyped || s.now != nil && planned.version != held.version:
		return false
	case s.drifted:
		return !held.isAs(true, s.before)
	}
	return !planned.is(held)
}

// saidOf are the objects of which a plan says that they drifted, moved or are imported,
// by address.
func saidOf(p *Plan) map[string]shownObject {
	shown := make(map[string]shownObject)
	for _, c := range slices.Concat(p.ResourceChanges, p.ResourceDrift) {
		if c.Change != nil && c.DeposedKey == "" && c.PreviousAddress != "" {
			shown[c.PreviousAddress] = shownObject{left: true} // unless another one took its place
		}
	}
	for _, c := range p.ResourceChanges {
		if c.Change != nil && c.DeposedKey == "" && (c.PreviousAddress != "" || c.Change.Importing != nil) {
			shown[addressOf(c)] = shownObject{now: c.Change.Before, from: c.PreviousAddress, retyped: retyped(c)}
		}
	}
	for _, c := range p.ResourceDrift {
		if c.Change != nil && c.DeposedKey == "" {
			name := addressOf(c)
			from := cmp.Or(c.PreviousAddress, shown[name].from, name)
			shown[name] = shownObject{now: c.Change.After, from: from, before: c.Change.Before, drifted: true, retyped: retyped(c)}
		}
	}
	return shown
}

func addressOf(c *ResourceChange) string { return address(c.ModuleAddress, c.Type, c.Name, c.Index) }

// retyped reports whether a resource moves from one of another type.
func retyped(c *ResourceChange) bool {
	at := c.PreviousAddress
	return at != "" && !strings.HasPrefix(at, c.Type+".") && !strings.Contains(at, "."+c.Type+".")
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

// older reports whether an object is of an older version of its schema: terraform takes
// one to a newer version alone, and an old one it would bring up to date without a word.
func (o object) older(than object) bool {
	a, errA := o.version.Int64()
	b, errB := than.version.Int64()
	return errA == nil && errB == nil && a < b
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
