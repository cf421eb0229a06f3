package flow

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// body is what stands in a block. In JSON nobody can tell a block from an attribute
// without a schema: there is no block then.
type body struct {
	attributes map[string][]hcl.Expression
	blocks     []block
}

// kinds are the blocks of a file that are looked at, with their labels.
var kinds = map[string][]string{
	"locals": nil, "terraform": nil, "removed": nil,
	"module": {"name"}, "output": {"name"}, "provider": {"name"}, "check": {"name"}, "variable": {"name"},
	"resource": {"type", "name"}, "data": {"type", "name"}, "ephemeral": {"type", "name"}, "action": {"type", "name"},
}

func blocksOf(file hcl.Body) (blocks []block) {
	if native, is := file.(*hclsyntax.Body); is {
		for _, b := range native.Blocks {
			if labels, looked := kinds[b.Type]; looked && len(labels) == len(b.Labels) {
				blocks = append(blocks, block{b.Type, b.Labels, nativeBody(b.Body)})
			}
		}
		return blocks
	}
	schema := &hcl.BodySchema{}
	for kind, labels := range kinds {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: kind, LabelNames: labels})
	}
	content, _, _ := file.PartialContent(schema) // what is wrong in it, terraform has refused
	for _, b := range content.Blocks {
		attributes, _ := b.Body.JustAttributes()
		one := block{b.Type, b.Labels, body{attributes: make(map[string][]hcl.Expression)}}
		for name, a := range attributes {
			one.attributes[name] = append(one.attributes[name], a.Expr)
		}
		blocks = append(blocks, one)
	}
	return blocks
}

func nativeBody(native *hclsyntax.Body) body {
	b := body{attributes: make(map[string][]hcl.Expression)}
	for name, a := range native.Attributes {
		b.attributes[name] = append(b.attributes[name], a.Expr)
	}
	for _, inner := range native.Blocks {
		b.blocks = append(b.blocks, block{inner.Type, inner.Labels, nativeBody(inner.Body)})
	}
	return b
}

// all is what a body depends on, with everything in it.
func (m *module) all(at place, b body) (all mask) {
	for _, e := range b.attributes {
		all |= m.of(at, e...)
	}
	for _, inner := range b.blocks {
		all |= m.block(at, inner)
	}
	return all
}

// block is what a block within another depends on. The name that a dynamic block gives
// stands for what it goes through, which is one of its attributes.
func (m *module) block(at place, b block) mask {
	if b.kind != "dynamic" || len(b.labels) == 0 {
		return m.all(at, b.body)
	}
	iterator := b.labels[0]
	for _, e := range b.attributes["iterator"] {
		iterator = hcl.ExprAsKeyword(e)
	}
	inside := at
	inside.bound = append(append([]string{}, at.bound...), iterator)
	result := m.of(at, b.attributes["for_each"]...) | m.of(inside, b.attributes["labels"]...)
	for _, inner := range b.blocks {
		result |= m.block(inside, inner)
	}
	return result
}
