package schema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Bounds of the rules in CEL that definitions bring. What one rule and one object
// may cost is the API server's own limit, about a tenth of a second and a second.
const (
	maxRules    = 2000                         // of one definition
	maxRuleCost = 10_000_000                   // of one rule, estimated as the API server does
	maxCost     = 5 * cel.RuntimeCELCostBudget // of all objects together
)

// definition is one version of a custom kind.
type definition struct {
	version apiextensionsv1.CustomResourceDefinitionVersion
	packed  []byte // the version's schema, if that is not read yet
	chart   string // that brings it, as NAME@VERSION; empty if an object does
	cluster bool   // belongs to no namespace
	cost    *atomic.Int64

	once       sync.Once
	err        error // why the rest cannot be used
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *schemacel.Validator // nil if there are none
}

// compile compiles a definition when the first object of it is judged: the rules
// take long, and most definitions of a repository are not asked for.
func (d *definition) compile() error {
	d.once.Do(func() { d.err = d.compileOnce() })
	return d.err
}

func (d *definition) compileOnce() error {
	var internal apiextensions.CustomResourceValidation
	if d.packed != nil {
		d.version.Schema = new(apiextensionsv1.CustomResourceValidation)
		if err := json.Unmarshal(d.packed, &d.version.Schema.OpenAPIV3Schema); err != nil {
			return err
		}
	}
	convert := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation
	if d.version.Schema == nil || d.version.Schema.OpenAPIV3Schema == nil {
		return errors.New("it has no schema")
	}
	if err := fewRules(d.version.Schema.OpenAPIV3Schema); err != nil {
		return err
	}
	err := convert(d.version.Schema, &internal, nil)
	if err != nil {
		return err
	}
	if d.structural, err = schema.NewStructural(internal.OpenAPIV3Schema); err != nil {
		return err
	}
	if d.validator, _, err = validation.NewSchemaValidator(internal.OpenAPIV3Schema); err != nil {
		return err
	}
	if errs := schema.ValidateStructural(nil, d.structural); len(errs) > 0 {
		return errs.ToAggregate()
	}
	silent := d.structural.DeepCopy()
	(&schema.Visitor{Structural: func(s *schema.Structural) bool {
		for i := range s.XValidations {
			s.XValidations[i].MessageExpression = "" // it could tell values
		}
		return len(s.XValidations) > 0
	}}).Visit(silent)
	if err := compiled(silent); err != nil {
		return err
	}
	d.rules = schemacel.NewValidator(silent, true, cel.PerCallLimit)
	return nil
}

// problems holds an object against its definition.
func (d *definition) problems(o render.Object) []string {
	if err := d.compile(); err != nil {
		return []string{fmt.Sprintf("it cannot be judged, because its definition cannot be used: %v", err)}
	}
	content, _ := render.Normal(o.Content).(map[string]any)
	var problems []string
	for _, field := range pruning.PruneWithOptions(
		content, d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true},
	) {
		problems = append(problems, fmt.Sprintf("unknown field %q", field))
	}
	defaulting.Default(content, d.structural)
	errs := validation.ValidateCustomResource(nil, content, d.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.structural, content)...)
	for _, err := range errs {
		problems = append(problems, say(err, err.Detail))
	}
	if len(errs) == 0 { // rules are written for what the schema allows
		problems = append(problems, d.broken(content)...)
	}
	if d.cluster && o.Namespace != "" {
		problems = append(problems, "it belongs to the cluster, and names a namespace")
	}
	slices.Sort(problems)
	if d.chart != "" {
		for i := range problems {
			problems[i] += " (as the chart " + d.chart + " defines it)"
		}
	}
	return problems
}

// broken lists the rules in CEL that do not hold.
func (d *definition) broken(content map[string]any) []string {
	if d.rules == nil {
		return nil
	}
	if d.cost.Load() > maxCost {
		return []string{fmt.Sprintf("the rules of its definition are not evaluated: those of the repository cost more than %d "+
			"together, so one of them is too expensive", int64(maxCost))}
	}
	errs, left := d.rules.Validate(context.Background(), nil, d.structural, content, nil, cel.RuntimeCELCostBudget)
	d.cost.Add(cel.RuntimeCELCostBudget - max(left, 0))
	var problems []string
	for _, err := range errs {
		problems = append(problems, say(err, withoutValues(err.Detail)))
	}
	return problems
}

func say(err *field.Error, detail string) string {
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%s: %s: %s", err.Field, err.Type, detail), "<nil>: "), ": ")
}

// withoutValues drops what stopped a rule: it can hold a value of the object. The
// rule itself stays.
func withoutValues(detail string) string {
	if strings.HasPrefix(detail, "'operation cancelled: actual cost limit exceeded'") {
		return detail
	}
	for _, before := range []string{" evaluating rule: ", " for rule: "} {
		if i := strings.LastIndex(detail, before); i >= 0 {
			return "a rule of the definition cannot be evaluated: " + detail[i+len(before):]
		}
	}
	return detail
}

// fewRules refuses a schema with more rules than anybody writes: compiling each
// takes milliseconds.
func fewRules(s *apiextensionsv1.JSONSchemaProps) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if n := strings.Count(string(data), `"rule":`); n > maxRules {
		return fmt.Errorf("it has %d rules, and Waybill evaluates up to %d", n, maxRules)
	}
	return nil
}

// compiled reports the rules that cannot be compiled, or that cost more in the
// worst case than the API server lets one rule cost. A validator would say so of
// every object.
func compiled(s *schema.Structural) error {
	env := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	var problems []error
	root := s
	(&schema.Visitor{Structural: func(s *schema.Structural) bool {
		results, err := schemacel.Compile(
			s, model.SchemaDeclType(s, s == root || s.XEmbeddedResource), cel.PerCallLimit, env, schemacel.StoredExpressionsEnvLoader(),
		)
		if err != nil {
			problems = append(problems, err)
		}
		for i, r := range results {
			switch {
			case r.Error != nil:
				problems = append(problems, fmt.Errorf("the rule %.200q: %s", s.XValidations[i].Rule, r.Error.Detail))
			case r.MaxCost > maxRuleCost:
				problems = append(problems, fmt.Errorf("the rule %.200q can cost %d, and %d is allowed: "+
					"bound the lists and strings that it reads with maxItems and maxLength", s.XValidations[i].Rule, r.MaxCost, maxRuleCost))
			}
		}
		return false
	}}).Visit(s)
	return outcome.Join(problems...)
}

// unusable says what keeps a definition from being used.
func unusable(o render.Object) (problems []string) {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := into(o.Content, &crd); err != nil {
		return []string{reason(err.Error())}
	}
	for _, v := range crd.Spec.Versions {
		if err := (&definition{version: v}).compile(); err != nil {
			problems = append(problems, fmt.Sprintf("its version %s cannot be used: %v", v.Name, err))
		}
	}
	return problems
}
