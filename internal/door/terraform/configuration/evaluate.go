package configuration

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// scope is one module as one call of it sees it. What cannot be told without
// running terraform (resources, data sources, unknown functions) evaluates to a
// value that is not known; nothing is ever taken to be what it may not be.
type scope struct {
	find       *finder
	key        string // of the call, a.b; empty for the root
	dir        string // real
	def        *definitions
	variables  map[string]cty.Value
	given      map[string]bool // variables of the root that nothing in the tree sets
	parent     *scope
	arguments  map[string]argument // of the call, evaluated in parent
	locals     map[string]cty.Value
	pending    map[string]bool // locals on the way
	plains     map[string]bool // names, and whether they are plain
	isTemplate bool            // not a module: it knows no path
}

// argument is what a call gives to a variable.
type argument struct {
	expression hcl.Expression
	names      env
}

// env are the names that stand for something in one place alone: each, and the
// variables of for.
type env map[string]cty.Value

// Limits of what is evaluated: beyond, a value counts as not known.
const (
	maxValueSize  = 64 << 10
	maxForNesting = 2
	maxLoopText   = 8 << 10 // of loops within each other
	maxLoopValue  = 4 << 10 // that they go through
	maxInstances  = 10_000  // of a resource or module, or rounds of for
)

// eval gives the value of an expression, as far as it can be told.
func (s *scope) eval(e hcl.Expression, names env) (v cty.Value) {
	if e == nil {
		return cty.DynamicVal
	}
	native, ok := e.(hclsyntax.Expression)
	if !ok {
		return s.evalJSON(e, names)
	}
	loops := nesting(native)
	if loops > maxForNesting {
		return cty.DynamicVal
	}
	context := s.context(e, names)
	if loops > 1 && !smallLoops(native, context) {
		return cty.DynamicVal
	}
	v, diagnostics := e.Value(context)
	if diagnostics.HasErrors() {
		return cty.DynamicVal
	}
	v, _ = v.UnmarkDeep()
	// The names of many files may be one large value; nothing is made of it here.
	fileNames := loops == 0 && v.IsWhollyKnown() && v.Type().Equals(cty.Set(cty.String)) && !v.IsNull() && v.LengthInt() <= maxInstances
	if !fileNames && size(v, maxValueSize) > maxValueSize {
		return cty.DynamicVal
	}
	return v
}

// smallLoops reports whether loops within each other have little to go through.
func smallLoops(e hclsyntax.Expression, context *hcl.EvalContext) bool {
	if r := e.Range(); r.End.Byte-r.Start.Byte > maxLoopText {
		return false
	}
	for _, v := range context.Variables {
		if size(v, maxLoopValue) > maxLoopValue {
			return false
		}
	}
	return true
}

// evalJSON evaluates the templates in an expression of the JSON syntax.
func (s *scope) evalJSON(e hcl.Expression, names env) cty.Value {
	if pairs, diagnostics := hcl.ExprMap(e); !diagnostics.HasErrors() {
		object := make(map[string]cty.Value, len(pairs))
		for _, pair := range pairs {
			if key := s.evalJSON(pair.Key, names); isText(key) {
				object[key.AsString()] = s.evalJSON(pair.Value, names)
			} else {
				return cty.DynamicVal
			}
		}
		return cty.ObjectVal(object)
	}
	if items, diagnostics := hcl.ExprList(e); !diagnostics.HasErrors() {
		values := make([]cty.Value, 0, len(items))
		for _, item := range items {
			values = append(values, s.evalJSON(item, names))
		}
		return cty.TupleVal(values)
	}
	raw, diagnostics := e.Value(nil)
	if diagnostics.HasErrors() {
		return cty.DynamicVal
	}
	if !isText(raw) {
		return raw
	}
	template, err := parseTemplate([]byte(raw.AsString()), e.Range().Filename, e.Range().Start)
	if err != nil {
		return cty.DynamicVal
	}
	return s.eval(template, names)
}

// context holds what an expression names.
func (s *scope) context(e hcl.Expression, names env) *hcl.EvalContext {
	objects := map[string]map[string]cty.Value{}
	values := make(map[string]cty.Value)
	for _, traversal := range e.Variables() {
		root, attribute := traversal.RootName(), ""
		if v, ok := names[root]; ok {
			values[root] = v
			continue
		}
		if len(traversal) > 1 {
			if step, ok := traversal[1].(hcl.TraverseAttr); ok {
				attribute = step.Name
			}
		}
		if v, ok := s.named(root, attribute); ok && attribute != "" {
			if objects[root] == nil {
				objects[root] = make(map[string]cty.Value)
			}
			objects[root][attribute] = v
		} else if objects[root] == nil {
			values[root] = cty.DynamicVal
		}
	}
	for root, object := range objects {
		values[root] = cty.ObjectVal(object)
	}
	return &hcl.EvalContext{Variables: values, Functions: s.find.functions}
}

// named is the value of var.x, local.x, path.x and the like; false for what
// terraform alone knows.
func (s *scope) named(root, attribute string) (cty.Value, bool) {
	if s.isTemplate {
		return cty.DynamicVal, false
	}
	switch root {
	case "var":
		if v, ok := s.variables[attribute]; ok {
			return v, true
		}
		return cty.DynamicVal, true
	case "local":
		return s.local(attribute), true
	case "path":
		switch attribute {
		case "module":
			return cty.StringVal(s.find.relative(s.dir)), true
		case "root":
			return cty.StringVal("."), true
		case "cwd":
			return cty.StringVal(s.find.root), true
		}
	case "terraform":
		if s.find.named {
			return cty.StringVal("workspace"), true
		}
		return cty.UnknownVal(cty.String), true
	case "count":
		if s.find.named {
			return cty.Zero, true
		}
		return cty.UnknownVal(cty.Number), true
	}
	return cty.DynamicVal, false
}

func (s *scope) local(name string) cty.Value {
	if v, ok := s.locals[name]; ok && !s.find.named {
		return v
	}
	if s.pending[name] {
		return cty.DynamicVal
	}
	s.pending[name] = true
	v := s.agreed(s.def.locals[name])
	delete(s.pending, name)
	if !s.find.named {
		s.locals[name] = v
	}
	return v
}

// agreed is the value of what is defined in several places, if all say the same.
func (s *scope) agreed(expressions []hcl.Expression) cty.Value {
	if len(expressions) == 0 {
		return cty.DynamicVal
	}
	first := s.eval(expressions[0], nil)
	for _, other := range expressions[1:] {
		if !first.RawEquals(s.eval(other, nil)) {
			return cty.DynamicVal
		}
	}
	return first
}

// plain reports whether the parts of a path that are not known can only be
// names that the caller of terraform gives: a variable without a value in the
// tree, the workspace, count.index. Anything computed could hold "..".
func (s *scope) plain(e hcl.Expression, names env, after bool) bool {
	if v := s.eval(e, names); v.IsWhollyKnown() {
		text, ok := asText(v)
		return !after || ok && !strings.Contains(text, "..")
	}
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return s.plain(e.Expression, names, after)
	case *hclsyntax.TemplateWrapExpr:
		return s.plain(e.Wrapped, names, after)
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			if !s.plain(part, names, after) {
				return false
			}
			after = after || !s.eval(part, names).IsWhollyKnown()
		}
		return true
	case *hclsyntax.ScopeTraversalExpr:
		return s.plainName(e, names)
	}
	return false
}

func (s *scope) plainName(e *hclsyntax.ScopeTraversalExpr, names env) bool {
	root := e.Traversal.RootName()
	if _, local := names[root]; local || len(e.Traversal) != 2 {
		return false
	}
	step, ok := e.Traversal[1].(hcl.TraverseAttr)
	if !ok {
		return false
	}
	if root == "terraform" || root == "count" {
		return true
	}
	key := root + "." + step.Name
	if known, ok := s.plains[key]; ok {
		return known
	}
	s.plains[key] = false // also where it leads back here
	s.plains[key] = s.plainDefinition(root, step.Name)
	return s.plains[key]
}

func (s *scope) plainDefinition(root, name string) bool {
	switch root {
	case "var":
		if s.parent == nil {
			return s.given[name]
		}
		a, ok := s.arguments[name]
		return ok && s.parent.plain(a.expression, a.names, true)
	case "local":
		defined := s.def.locals[name]
		return len(defined) == 1 && s.plain(defined[0], nil, true)
	}
	return false
}

// nesting is how deep for expressions lie within each other.
func nesting(e hclsyntax.Node) int {
	w := &nestingWalker{}
	_ = hclsyntax.Walk(e, w)
	return w.deepest
}

type nestingWalker struct{ depth, deepest int }

func (w *nestingWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(*hclsyntax.ForExpr); ok {
		w.depth++
		w.deepest = max(w.deepest, w.depth)
	}
	return nil
}

func (w *nestingWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(*hclsyntax.ForExpr); ok {
		w.depth--
	}
	return nil
}

func isText(v cty.Value) bool {
	return v.IsKnown() && !v.IsNull() && v.Type() == cty.String
}

// asText is what a value is in the middle of a text.
func asText(v cty.Value) (string, bool) {
	switch {
	case !v.IsKnown() || v.IsNull():
		return "", false
	case v.Type() == cty.String:
		return v.AsString(), true
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1), true
	case v.Type() == cty.Bool:
		return map[bool]string{true: "true", false: "false"}[v.True()], true
	}
	return "", false
}

// size counts bytes and elements of a value, and stops beyond limit.
func size(v cty.Value, limit int) int {
	total := 1
	switch {
	case !v.IsKnown() || v.IsNull():
	case v.Type() == cty.String:
		total += len(v.AsString())
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next() && total <= limit; {
			_, inner := it.Element()
			total += size(inner, limit-total)
		}
	}
	return total
}
