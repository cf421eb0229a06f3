package configuration

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// try and can ask if an expression fails. Whether a function does depends on terraform's
// version, and on functions that are not known here: an expression that calls one counts
// as not known.
var try = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
	Type: func(args []cty.Value) (cty.Type, error) {
		return firstThatWorks(args).Type(), nil
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return firstThatWorks(args), nil },
})

var can = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "expression", Type: customdecode.ExpressionClosureType}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		_, fails, known := attempt(args[0])
		if !known {
			return cty.UnknownVal(cty.Bool), nil
		}
		return cty.BoolVal(!fails), nil
	},
})

func firstThatWorks(args []cty.Value) cty.Value {
	for _, arg := range args {
		switch v, fails, known := attempt(arg); {
		case !known:
			return cty.DynamicVal
		case !fails:
			return v
		}
	}
	return cty.DynamicVal // terraform ends with an error
}

// attempt evaluates what try or can is given.
func attempt(arg cty.Value) (v cty.Value, fails, known bool) {
	closure := customdecode.ExpressionClosureFromVal(arg)
	native, ok := closure.Expression.(hclsyntax.Expression)
	if !ok || calls(native) {
		return cty.DynamicVal, false, false
	}
	v, diagnostics := closure.Value()
	if diagnostics.HasErrors() {
		return cty.DynamicVal, true, true
	}
	return v, false, v.IsWhollyKnown()
}

func calls(e hclsyntax.Expression) bool {
	found := false
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		_, is := n.(*hclsyntax.FunctionCallExpr)
		found = found || is
		return nil
	})
	return found
}
