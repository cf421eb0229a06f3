package admission

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/lazy"
	"k8s.io/apiserver/pkg/cel/library"
)

// program is a compiled expression; the zero one is none.
type program struct{ cel.Program }

// environments are the API server's CEL with the variables of an admission
// policy, without parameters and with.
var environments = sync.OnceValues(func() ([2]*cel.Env, error) {
	var both [2]*cel.Env
	for i := range both {
		options := []cel.EnvOption{
			cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType), cel.Variable("namespaceObject", cel.DynType),
			cel.Variable("request", cel.DynType), cel.Variable("variables", cel.MapType(cel.StringType, cel.DynType)),
			cel.Variable("authorizer", library.AuthorizerType), cel.Variable("authorizer.requestResource", library.ResourceCheckType),
		}
		if i == 1 {
			options = append(options, cel.Variable("params", cel.DynType))
		}
		set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(
			environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: options}, environment.StrictCostOpt)
		if err != nil {
			return both, fmt.Errorf("make the CEL environment: %w", err)
		}
		both[i] = set.StoredExpressionsEnv()
	}
	return both, nil
})

func compile(expression string, params bool) (program, error) {
	both, err := environments()
	if err != nil {
		return program{}, err
	}
	env := both[0]
	if params {
		env = both[1]
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return program{}, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	compiled, err := env.Program(
		ast, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(celconfig.PerCallLimit),
		cel.InterruptCheckFrequency(celconfig.CheckFrequency),
	)
	return program{compiled}, err
}

// unknowns are what only the cluster knows.
func unknowns() []*cel.AttributePatternType {
	return []*cel.AttributePatternType{
		cel.AttributePattern("request").QualString("userInfo"), cel.AttributePattern("request").QualString("uid"),
		cel.AttributePattern("authorizer"), cel.AttributePattern("authorizer.requestResource"),
	}
}

// errUnknown is an expression that needs what only the cluster knows.
var errUnknown = errors.New("it asks what only the cluster knows: who makes the request, or what they may do")

// scope evaluates the expressions of one policy for one request.
type scope struct {
	ctx       context.Context
	variables cel.PartialActivation
}

func newScope(ctx context.Context, p *policy, vars map[string]any, more ...*cel.AttributePatternType) (*scope, error) {
	s := &scope{ctx: ctx}
	values := lazy.NewMapValue(types.MapType)
	for i, v := range p.Spec.Variables {
		compiled := p.variables[i]
		values.Append(v.Name, func(*lazy.MapValue) ref.Val {
			result, _, err := compiled.ContextEval(ctx, s.variables)
			if err != nil {
				return types.NewErr("variable %s: %v", v.Name, err)
			}
			return result
		})
	}
	vars["variables"] = values
	var err error
	s.variables, err = cel.PartialVars(vars, append(unknowns(), more...)...)
	return s, err
}

func (s *scope) eval(p program) (ref.Val, error) {
	result, _, err := p.ContextEval(s.ctx, s.variables)
	if err != nil {
		return nil, err
	}
	if types.IsUnknown(result) {
		return nil, errUnknown
	}
	return result, nil
}

// holds evaluates a condition.
func (s *scope) holds(p program) (bool, error) {
	result, err := s.eval(p)
	return result == types.True, err
}
