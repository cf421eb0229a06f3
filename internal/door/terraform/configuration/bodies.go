package configuration

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Bodies are the files of a module, parsed within the limits. whole is false if one of
// them cannot be read.
func Bodies(dir string) (bodies []hcl.Body, whole bool, err error) {
	files, err := Files(dir, false)
	if err != nil {
		return nil, false, err
	}
	r := &reader{m: &Module{Dir: dir}}
	for _, f := range files {
		if body := r.parse(f); body != nil {
			bodies = append(bodies, body)
		}
	}
	return bodies, len(bodies) == len(files), nil
}

// Names are what an expression of either syntax refers to. known is false where that
// cannot be told.
func Names(e hcl.Expression) (names []hcl.Traversal, known bool) {
	if _, native := e.(hclsyntax.Expression); native {
		return e.Variables(), true
	}
	inner := []hcl.Expression{}
	if pairs, diagnostics := hcl.ExprMap(e); !diagnostics.HasErrors() {
		for _, pair := range pairs {
			inner = append(inner, pair.Key, pair.Value)
		}
	} else if inner, diagnostics = hcl.ExprList(e); diagnostics.HasErrors() {
		raw, diagnostics := e.Value(nil)
		if diagnostics.HasErrors() {
			return nil, false
		}
		if !isText(raw) {
			return nil, true
		}
		template, err := parseTemplate([]byte(raw.AsString()), e.Range().Filename, e.Range().Start)
		if err != nil {
			return nil, false
		}
		return template.Variables(), true
	}
	for _, one := range inner {
		more, known := Names(one)
		if !known {
			return nil, false
		}
		names = append(names, more...)
	}
	return names, true
}

// KeyOf is the name of an object's key; empty where it is computed.
func KeyOf(e hcl.Expression) string { return keyOf(e) }

// Values are what the files of variables and the defaults say of the variables of a root,
// in JSON: as it is written, and as the type of the variable makes it. Of what cannot be
// told there is an empty list.
type Values struct {
	Files, Defaults map[string][]json.RawMessage
}

// ReadValues reads them.
func ReadValues(top, root string, varFiles []string) (Values, error) {
	f, s, err := find(ReadsOptions{Top: top, Root: root, VarFiles: varFiles})
	if err != nil {
		return Values{}, err
	}
	v := Values{Files: make(map[string][]json.RawMessage), Defaults: make(map[string][]json.RawMessage)}
	assigned := assignments(f.root, varFiles)
	for name := range s.def.declared {
		if e := assigned[name]; e != nil {
			v.Files[name] = s.forms(name, s.eval(e, nil))
		}
		if len(s.def.defaults[name]) > 0 {
			v.Defaults[name] = s.forms(name, s.agreed(s.def.defaults[name]))
		}
	}
	return v, nil
}

// forms are those in which a plan can hold a value of a variable.
func (s *scope) forms(name string, value cty.Value) []json.RawMessage {
	forms := []json.RawMessage{}
	for _, v := range []cty.Value{value, s.converted(name, value)} {
		if !v.IsWhollyKnown() {
			continue
		}
		if data, err := ctyjson.Marshal(v, v.Type()); err == nil {
			forms = append(forms, data)
		}
	}
	return forms
}
