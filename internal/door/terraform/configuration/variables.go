package configuration

import (
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// converted is what a variable makes of the value that it is given: its type can set
// attributes that are left out, and put elements in another order.
func (s *scope) converted(name string, given cty.Value) cty.Value {
	if given.IsKnown() && given.IsNull() {
		switch nullable := s.agreed(s.def.nullable[name]); {
		case len(s.def.nullable[name]) == 0: // it is
		case !nullable.IsKnown() || nullable.IsNull() || nullable.Type() != cty.Bool:
			return cty.DynamicVal
		case nullable.False():
			if given = s.agreed(s.def.defaults[name]); len(s.def.defaults[name]) == 0 {
				return cty.DynamicVal // terraform ends with an error
			}
		}
	}
	wanted := s.def.types[name]
	if len(wanted) == 0 {
		return given
	}
	if len(wanted) > 1 {
		return cty.DynamicVal // an override: perhaps of another type
	}
	if legacy, ok := literal(wanted[0]); ok && (legacy == "list" || legacy == "map") {
		return cty.DynamicVal
	} else if ok && legacy == "string" {
		return orUnknown(convert.Convert(given, cty.String))
	}
	constraint, defaults, diagnostics := typeexpr.TypeConstraintWithDefaults(wanted[0])
	if diagnostics.HasErrors() {
		return cty.DynamicVal
	}
	if defaults != nil && !given.IsNull() {
		given = defaults.Apply(given)
	}
	return orUnknown(convert.Convert(given, constraint))
}

func orUnknown(v cty.Value, err error) cty.Value {
	if err != nil {
		return cty.DynamicVal
	}
	return v
}
