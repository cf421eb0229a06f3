// Package flow says where what a plan alone holds goes to in a configuration: the
// answers of data sources, and values of variables that nobody else gives.
//
// It follows names through locals, variables of modules and their outputs. It evaluates
// nothing, so that it can only err on the safe side: what it cannot follow counts as
// reached. It decides nothing.
package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

// Found is what is reached.
type Found struct {
	// Settings depend on anything that is no constant: those of providers, of connections
	// and provisioners, and of ephemeral resources. Then those that no plan shows and that
	// depend on an answer: conditions, and arguments that are written and never read.
	Settings []string
	// Answers are, for each resource and data source by its TYPE.NAME, the arguments and
	// blocks that depend on an answer, and the outputs of the root that do, by "output.NAME".
	Answers map[string][]string
}

// mask says what something depends on.
type mask int

// answer is a data source, or a variable that the plan alone gives; other is anything else
// that is known only when terraform runs.
const (
	answer mask = 1 << iota
	other
)

const anything = answer | other

// maxDepth bounds how far a name is followed. Beyond, it depends on anything.
const maxDepth = 500

// Find reads the modules of a root that is initialised: their directories, by the keys
// that terraform gives them (a.b; the root's is empty). unclear reports whether the plan
// alone says the value of a variable of the root.
func Find(dirs map[string]string, unclear func(variable string) bool) (*Found, error) {
	f := &finder{modules: make(map[string]*module), unclear: unclear, found: &Found{Answers: make(map[string][]string)}}
	for key, dir := range dirs {
		m, err := f.read(key, dir)
		if err != nil {
			return nil, err
		}
		f.modules[key] = m
	}
	for _, key := range slices.Sorted(maps.Keys(f.modules)) {
		f.modules[key].sinks()
	}
	f.found.Settings = sorted(f.found.Settings)
	for name, list := range f.found.Answers {
		f.found.Answers[name] = sorted(list)
	}
	return f.found, nil
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

type finder struct {
	modules map[string]*module
	unclear func(string) bool
	found   *Found
	depth   int
}

// module is one call of a module.
type module struct {
	find    *finder
	key     string
	locals  map[string][]hcl.Expression
	outputs map[string][]hcl.Expression
	calls   map[string]map[string][]hcl.Expression // arguments, by call
	blocks  []block                                // of every other kind
	known   map[string]mask                        // of locals, outputs and variables
}

// block is a block of the file, in either syntax.
type block struct {
	kind   string
	labels []string
	body
}

func (f *finder) read(key, dir string) (*module, error) {
	bodies, whole, err := configuration.Bodies(dir)
	if err != nil {
		return nil, fmt.Errorf("read a module: %w", err)
	}
	m := &module{
		find: f, key: key, locals: make(map[string][]hcl.Expression), outputs: make(map[string][]hcl.Expression),
		calls: make(map[string]map[string][]hcl.Expression), known: make(map[string]mask),
	}
	if !whole {
		f.found.Settings = append(f.found.Settings, m.name("a file that cannot be read"))
	}
	for _, b := range bodies {
		for _, one := range blocksOf(b) {
			m.add(one)
		}
	}
	return m, nil
}

func (m *module) add(b block) {
	switch b.kind {
	case "locals":
		for name, e := range b.attributes {
			m.locals[name] = append(m.locals[name], e...)
		}
	case "module":
		if m.calls[b.labels[0]] == nil {
			m.calls[b.labels[0]] = make(map[string][]hcl.Expression)
		}
		for name, e := range b.attributes {
			m.calls[b.labels[0]][name] = append(m.calls[b.labels[0]][name], e...)
		}
	case "output":
		m.outputs[b.labels[0]] = append(m.outputs[b.labels[0]], b.attributes["value"]...)
		m.blocks = append(m.blocks, b)
	default:
		m.blocks = append(m.blocks, b)
	}
}

// name is how something of the module is called in a message.
func (m *module) name(what string) string {
	if m.key == "" {
		return what
	}
	return what + " of module " + m.key
}

// place is where an expression stands: what each stands for there, and the names that a
// dynamic block gives.
type place struct {
	each  mask
	bound []string
}

// of is what expressions depend on.
func (m *module) of(at place, expressions ...hcl.Expression) (all mask) {
	for _, e := range expressions {
		names, known := configuration.Names(e)
		if !known {
			return anything
		}
		for _, name := range names {
			all |= m.refers(at, name)
		}
	}
	return all
}

// refers is what a name depends on.
func (m *module) refers(at place, t hcl.Traversal) mask {
	root := t.RootName()
	if slices.Contains(at.bound, root) {
		return 0 // what it goes through is counted where that stands
	}
	switch root {
	case "path", "terraform", "tofu", "count", "ephemeral": // what is ephemeral is in no plan
		return 0
	case "each":
		return at.each
	case "data":
		return anything
	case "var", "local", "module":
		names := attributesOf(t)
		if len(names) == 0 {
			return anything
		}
		return m.named(root, names)
	}
	return other
}

// attributesOf are the attributes of a reference, without its indexes.
func attributesOf(t hcl.Traversal) (names []string) {
	for _, step := range t[1:] {
		if a, is := step.(hcl.TraverseAttr); is {
			names = append(names, a.Name)
		} else if i, is := step.(hcl.TraverseIndex); is && len(names) == 0 && i.Key.Type().FriendlyName() == "string" {
			names = append(names, i.Key.AsString()) // local["x"]
		}
	}
	return names
}

// named follows a name of the module, once.
func (m *module) named(kind string, names []string) mask {
	if kind == "module" {
		child := m.find.modules[strings.TrimPrefix(m.key+"."+names[0], ".")]
		if child == nil {
			return anything
		}
		if len(names) > 1 {
			return child.named("output", names[1:2])
		}
		all := mask(0)
		for output := range child.outputs {
			all |= child.named("output", []string{output})
		}
		return all
	}
	key := kind + "." + names[0]
	if known, is := m.known[key]; is {
		return known
	}
	if m.find.depth++; m.find.depth > maxDepth {
		m.find.depth--
		return anything
	}
	m.known[key] = anything // also where it leads back here
	result := mask(0)
	switch kind {
	case "local":
		result = m.of(place{}, m.locals[names[0]]...)
		if len(m.locals[names[0]]) == 0 {
			result = anything
		}
	case "output":
		result = m.of(place{}, m.outputs[names[0]]...)
	case "var":
		result = m.variable(names[0])
	}
	m.find.depth--
	m.known[key] = result
	return result
}

// variable is what a variable depends on: that of the root by who says its value, that of
// another module by what its call gives it.
func (m *module) variable(name string) mask {
	if m.key == "" {
		if m.find.unclear(name) {
			return anything
		}
		return 0
	}
	parent, call := "", m.key
	if i := strings.LastIndexByte(m.key, '.'); i >= 0 {
		parent, call = m.key[:i], m.key[i+1:]
	}
	caller := m.find.modules[parent]
	if caller == nil || caller.calls[call] == nil {
		return anything
	}
	given := caller.calls[call]
	return caller.of(place{each: caller.of(place{}, given["for_each"]...)}, given[name]...)
}
