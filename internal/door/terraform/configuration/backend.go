package configuration

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Backend is a backend block, or a cloud block, as it is written.
type Backend struct {
	Named
	Settings map[string]string // by name; of a block within it, as workspaces.name
	Computed []string          // settings that nobody can tell
	computed map[string]hcl.Expression
}

// Backends reads the backend blocks of a root. What a setting computes, which OpenTofu lets
// it do of variables and locals, is told as far as the tree says it.
func Backends(top, root string) ([]Backend, error) {
	read, err := Read(root, false)
	if err != nil {
		return nil, err
	}
	for i := range read.Backends {
		b := &read.Backends[i]
		if len(b.computed) == 0 {
			continue
		}
		_, scope, err := find(ReadsOptions{Top: top, Root: root})
		if err != nil {
			return nil, err
		}
		for name, e := range b.computed {
			b.told(name, scope.eval(e, nil))
		}
		slices.Sort(b.Computed)
	}
	return read.Backends, nil
}

// told keeps the value of a setting that is computed.
func (b *Backend) told(name string, v cty.Value) {
	switch {
	case !v.IsWhollyKnown():
		b.Computed = append(b.Computed, name)
	case v.IsNull():
	case v.Type().IsObjectType() || v.Type().IsMapType():
		for it := v.ElementIterator(); it.Next(); {
			key, inner := it.Element()
			b.told(name+"."+key.AsString(), inner)
		}
	default:
		b.value(name, v)
	}
}

func (r *reader) backend(kind string, b *hcl.Block) Backend {
	found := Backend{Named: Named{kind, place(b.DefRange)}, Settings: make(map[string]string)}
	if native, ok := b.Body.(*hclsyntax.Body); ok {
		found.native("", native)
		return found
	}
	attributes, diagnostics := b.Body.JustAttributes()
	r.diagnostics(diagnostics, b.DefRange.Filename)
	for name, a := range attributes {
		found.json(name, a.Expr)
	}
	return found
}

func (b *Backend) native(prefix string, body *hclsyntax.Body) {
	for name, a := range body.Attributes {
		b.set(prefix+name, a.Expr)
	}
	for _, inner := range body.Blocks {
		b.native(prefix+inner.Type+".", inner.Body)
	}
}

func (b *Backend) json(name string, e hcl.Expression) {
	if pairs, diagnostics := hcl.ExprMap(e); !diagnostics.HasErrors() {
		for _, pair := range pairs {
			b.json(name+"."+keyOf(pair.Key), pair.Value)
		}
		return
	}
	if items, diagnostics := hcl.ExprList(e); !diagnostics.HasErrors() {
		for _, item := range items {
			b.json(name, item)
		}
		return
	}
	b.set(name, e)
}

func (b *Backend) set(name string, e hcl.Expression) {
	if pairs, diagnostics := hcl.ExprMap(e); !diagnostics.HasErrors() {
		for _, pair := range pairs {
			b.set(name+"."+keyOf(pair.Key), pair.Value)
		}
		return
	}
	value, diagnostics := e.Value(nil)
	if diagnostics.HasErrors() || !value.IsWhollyKnown() || isText(value) && isTemplate(e, value.AsString()) {
		if b.computed == nil {
			b.computed = make(map[string]hcl.Expression)
		}
		b.computed[name] = e
		return
	}
	if !value.IsNull() {
		b.value(name, value)
	}
}

func (b *Backend) value(name string, value cty.Value) {
	if value.CanIterateElements() {
		text := ""
		for it := value.ElementIterator(); it.Next(); {
			_, inner := it.Element()
			part, _ := asText(inner)
			text += part + "\x00"
		}
		b.Settings[name] = text
		return
	}
	if text, ok := asText(value); ok && value.Type() != cty.DynamicPseudoType {
		b.Settings[name] = text
	}
}

// ReadSettings reads a file of backend settings, as -backend-config takes it.
func ReadSettings(file string) (map[string]string, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	parsed, diagnostics := parseFile(data, file, false)
	if diagnostics.HasErrors() {
		return nil, diagnostics
	}
	b := Backend{Settings: make(map[string]string)}
	if native, ok := parsed.Body.(*hclsyntax.Body); ok {
		b.native("", native)
	}
	return b.Settings, nil
}
