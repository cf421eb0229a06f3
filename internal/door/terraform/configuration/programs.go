package configuration

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// files of settings can name a program to ask for credentials: those of AWS by
// credential_process, those of Kubernetes by exec.
var files = []string{
	"shared_config_files", "shared_config_file", "shared_credentials_files", "shared_credentials_file", "config_path",
	"config_paths",
}

// holders are settings that hold a program, so that they have to be written out, and
// under which name; empty where that is in an exec within.
var holders = map[string]string{"exec": "command", "kubernetes": "", Postrender: "binary_path"}

// Postrender is the setting by which resources and data sources of Helm name a program that gets what they rendered.
// https://registry.terraform.io/providers/hashicorp/helm/latest/docs/resources/release
const Postrender = "postrender"

// postrenderer finds the program that a release of Helm starts.
func (r *reader) postrenderer(body hcl.Body, in string) {
	content, _ := r.content(body, &hcl.BodySchema{
		Attributes: attributes(Postrender), Blocks: []hcl.BlockHeaderSchema{block(Postrender), block("dynamic", "type")},
	})
	if a := content.Attributes[Postrender]; a != nil {
		r.setting(Postrender, a.Expr, in)
	}
	for _, b := range content.Blocks {
		bodies := hcl.Blocks{b}
		if b.Type == "dynamic" && b.Labels[0] == Postrender {
			inner, _ := r.content(b.Body, &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{block("content")}})
			bodies = inner.Blocks
		} else if b.Type == "dynamic" {
			continue
		}
		for _, one := range bodies {
			settings, _ := r.content(one.Body, &hcl.BodySchema{Attributes: attributes(holders[Postrender])})
			var command hcl.Expression
			if a := settings.Attributes[holders[Postrender]]; a != nil {
				command = a.Expr
			}
			r.program(Postrender, command, in, place(b.DefRange))
		}
	}
}

// programs finds, however deep in a body, the settings that start programs.
func (r *reader) programs(body hcl.Body, in string) {
	if native, ok := body.(*hclsyntax.Body); ok {
		r.nativePrograms(native, in)
		return
	}
	attributes, diagnostics := body.JustAttributes()
	r.diagnostics(diagnostics, body.MissingItemRange().Filename)
	for _, a := range attributes {
		r.setting(a.Name, a.Expr, in)
		r.jsonPrograms(a.Expr, in)
	}
}

func (r *reader) nativePrograms(body *hclsyntax.Body, in string) {
	for _, a := range body.Attributes {
		r.setting(a.Name, a.Expr, in)
		_ = hclsyntax.VisitAll(a.Expr, func(n hclsyntax.Node) hcl.Diagnostics {
			if object, ok := n.(*hclsyntax.ObjectConsExpr); ok {
				for _, item := range object.Items {
					r.setting(keyOf(item.KeyExpr), item.ValueExpr, in)
				}
			}
			return nil
		})
	}
	for _, b := range body.Blocks {
		name, settings := b.Type, []*hclsyntax.Body{b.Body}
		if name == "dynamic" && len(b.Labels) > 0 {
			name = b.Labels[0]
			for _, inner := range b.Body.Blocks {
				settings = append(settings, inner.Body)
			}
		}
		if name == "exec" {
			var command hcl.Expression
			for _, s := range settings {
				if a := s.Attributes["command"]; a != nil {
					command = a.Expr
				}
			}
			r.program("exec", command, in, place(b.DefRange()))
		}
		r.nativePrograms(b.Body, in)
	}
}

func (r *reader) jsonPrograms(e hcl.Expression, in string) {
	if pairs, diagnostics := hcl.ExprMap(e); !diagnostics.HasErrors() {
		for _, pair := range pairs {
			r.setting(keyOf(pair.Key), pair.Value, in)
			r.jsonPrograms(pair.Value, in)
		}
	} else if items, diagnostics := hcl.ExprList(e); !diagnostics.HasErrors() {
		for _, item := range items {
			r.jsonPrograms(item, in)
		}
	}
}

// setting looks at one setting by its name.
func (r *reader) setting(name string, value hcl.Expression, in string) {
	at := place(value.Range())
	command, holds := holders[name]
	switch {
	case slices.Contains(files, name):
		r.m.Programs = append(r.m.Programs, Program{name, name, in, at})
	case holds:
		objects := []hcl.Expression{value}
		if items, diagnostics := hcl.ExprList(value); !diagnostics.HasErrors() {
			objects = items
		}
		for _, o := range objects {
			pairs, diagnostics := hcl.ExprMap(o)
			if diagnostics.HasErrors() {
				r.program(name, nil, in, at)
				continue
			}
			if command != "" {
				r.program(name, commandOf(pairs, command), in, at)
			}
		}
	}
}

// commandOf finds the command of that name among settings, also where a dynamic
// block holds them as its content.
func commandOf(pairs []hcl.KeyValuePair, name string) hcl.Expression {
	for _, pair := range pairs {
		switch keyOf(pair.Key) {
		case name:
			return pair.Value
		case "content":
			if inner, diagnostics := hcl.ExprMap(pair.Value); !diagnostics.HasErrors() {
				return commandOf(inner, name)
			}
		}
	}
	return nil
}

func (r *reader) program(setting string, command hcl.Expression, in string, at Place) {
	text, _ := literal(command)
	r.m.Programs = append(r.m.Programs, Program{setting, text, in, at})
}

// encryption finds the programs that OpenTofu asks for keys, or encrypts with:
// as soon as it reads a state, which it does when it initialises.
func (r *reader) encryption(body hcl.Body) {
	content, _ := r.content(
		body,
		&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{block("key_provider", "type", "name"), block("method", "type", "name")}},
	)
	for _, b := range content.Blocks {
		if b.Labels[0] != "external" {
			continue
		}
		commands, _ := r.content(b.Body, &hcl.BodySchema{Attributes: attributes("command", "encrypt_command", "decrypt_command")})
		for _, a := range commands.Attributes {
			var first hcl.Expression
			if words, diagnostics := hcl.ExprList(a.Expr); !diagnostics.HasErrors() && len(words) > 0 {
				first = words[0]
			}
			r.program(a.Name, first, b.Type+" "+b.Labels[0], place(a.Range))
		}
	}
}
