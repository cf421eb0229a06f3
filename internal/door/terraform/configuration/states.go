package configuration

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// statePaths are the settings by which a local state is opened.
var statePaths = []string{"path", "workspace_dir"}

// remoteState finds the file that terraform_remote_state opens of a local
// backend: terraform itself reads it, and shows what its outputs hold.
func (s *scope) remoteState(body *hclsyntax.Body, in string, rounds []env) {
	backend, config := body.Attributes["backend"], body.Attributes["config"]
	if config == nil {
		return
	}
	if backend != nil {
		if kind, ok := literal(backend.Expr); ok && kind != "local" {
			return
		}
	}
	r := Opened{By: in + " config", Function: true, Place: place(config.NameRange)}
	pairs, diagnostics := hcl.ExprMap(config.Expr)
	if diagnostics.HasErrors() {
		s.computedState(config.Expr, rounds, r)
		return
	}
	for _, pair := range pairs {
		for _, names := range distinct(rounds, pair.Key, pair.Value) {
			key := keyOf(pair.Key)
			if text, ok := asText(s.eval(pair.Key, names)); key == "" && ok {
				key = text
			}
			if key == "" || slices.Contains(statePaths, key) {
				s.statePath(pair.Value, names, r)
			}
		}
	}
}

// computedState judges settings that are an expression as a whole.
func (s *scope) computedState(e hcl.Expression, rounds []env, r Opened) {
	for _, names := range distinct(rounds, e) {
		v := s.eval(e, names)
		if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
			r.Extent = Unknown
			s.find.add(s, r)
			continue
		}
		for it := v.ElementIterator(); it.Next(); {
			key, value := it.Element()
			if name, ok := asText(key); ok && slices.Contains(statePaths, name) {
				s.statePath(hcl.StaticExpr(value, e.Range()), names, r)
			}
		}
	}
}

// statePath judges one path. Terraform opens it as it is written, so a step back
// out of a directory can lead through a link.
func (s *scope) statePath(e hcl.Expression, names env, r Opened) {
	if s.eval(e, names).RawEquals(cty.NullVal(cty.DynamicPseudoType)) {
		return
	}
	r = s.pathRead(e, names, r)
	parts := strings.Split(strings.TrimPrefix(r.Written, s.find.root+"/"), "/")
	for i, part := range parts {
		r.Outside = r.Outside || part == ".." && i > 0 && parts[i-1] != ".." && parts[i-1] != "."
	}
	s.find.add(s, r)
}

// remoteStates finds the same in a file in JSON syntax.
func (s *scope) remoteStates(v any, file string, inside bool) {
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			s.remoteStates(inner, file, inside)
		}
	case map[string]any:
		if kind, ok := v["backend"].(string); ok && inside && kind != "local" {
			return
		}
		for key, inner := range v {
			if inside && key == "config" {
				s.stateTexts(inner, file)
				continue
			}
			s.remoteStates(inner, file, inside || key == RemoteState)
		}
	}
}

func (s *scope) stateTexts(config any, file string) {
	r := Opened{By: "data " + RemoteState + " config", Function: true, Place: Place{File: file, Line: 1}}
	switch v := config.(type) {
	case []any:
		for _, inner := range v {
			s.stateTexts(inner, file)
		}
	case map[string]any:
		for key, inner := range v {
			text, ok := inner.(string)
			if !ok || !slices.Contains(statePaths, key) && !strings.Contains(key, "${") {
				continue
			}
			if parsed, err := parseTemplate([]byte(text), file, hcl.InitialPos); err == nil {
				s.statePath(parsed, env{"each": cty.DynamicVal}, r)
			}
		}
	case string:
		if parsed, err := parseTemplate([]byte(v), file, hcl.InitialPos); err == nil {
			s.computedState(parsed, []env{{"each": cty.DynamicVal}}, r)
		}
	}
}
