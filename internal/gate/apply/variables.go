package apply

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/strictjson"
	"github.com/waybill-dev/waybill/internal/text"
)

// given is the value that the job gives to a variable beside the files, and where; that is
// empty if it gives none.
func (a *Applier) given(of plan.RootRecord, name string) (value, where string) {
	if a.r.Tool.Given != nil {
		if value, is := a.r.Tool.Given(of.Dir, of.Workspace)[name]; is {
			return value, "the one in terraform.environments"
		}
	}
	if a.r.Getenv != nil {
		if value := a.r.Getenv("TF_VAR_" + name); value != "" {
			return value, "the one in the environment"
		}
	}
	return "", ""
}

// variables refuses a variable of the environment that is not what the plan was
// made with: terraform would apply the plan's value without a word.
func (a *Applier) variables(of plan.RootRecord, p *terraform.Plan) error {
	for name, v := range p.Variables {
		given, where := a.given(of, name)
		if where == "" || v == nil || v.Value == nil || slices.Contains(a.r.MayDiffer, name) {
			continue
		}
		if !summary.SameVariable(given, v.Value) {
			return mismatch([]plan.FieldDifference{{
				Dir: of.Dir, Field: "variable " + name, Planned: "another value", Now: where,
			}})
		}
	}
	return nil
}

// unclear are the variables of which the plan alone says the value, or another one than
// this job would take: missing are those for which it has none.
func (a *Applier) unclear(of plan.RootRecord, p *terraform.Plan) (unclear map[string]bool, missing []string, err error) {
	values, err := configuration.ReadValues(
		a.r.Top, filepath.Join(a.r.Top, filepath.FromSlash(of.Dir)), roots.Root{VarFiles: of.VarFiles}.Options(a.r.Top, "").VarFiles)
	if err != nil {
		return nil, nil, err
	}
	unclear = make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(p.Variables)) {
		v := p.Variables[name]
		if v == nil || slices.Contains(a.r.MayDiffer, name) {
			continue
		}
		given, where := a.given(of, name)
		inFiles, written := values.Files[name]
		standard, optional := values.Defaults[name]
		switch {
		case written: // terraform takes these before the environment
			unclear[name] = !isOne(v.Value, inFiles)
		case where != "":
			unclear[name] = !comparable(given, v.Value)
		case optional:
			unclear[name] = !isOne(v.Value, standard)
		default:
			unclear[name] = true
			missing = append(missing, name)
		}
	}
	return unclear, missing, nil
}

// isOne reports whether a value of a plan is one of those.
func isOne(value any, forms []json.RawMessage) bool {
	planned, err := strictjson.Canonical(value)
	return err == nil && slices.ContainsFunc(forms, func(form json.RawMessage) bool {
		canonical, err := strictjson.Canonical(form)
		return err == nil && string(canonical) == string(planned)
	})
}

// comparable reports whether the text of a variable was compared with a value of a plan: a
// list or map is only where it is written as JSON.
func comparable(text string, value any) bool {
	switch value.(type) {
	case string, json.Number, bool:
		return true
	}
	_, err := strictjson.Value([]byte(text))
	return err == nil
}

// fixed are the values of the plan that are applied whatever this job would take, as
// mayDiffer lets them.
func (a *Applier) fixed(p *terraform.Plan) ([]byte, error) {
	values := make(map[string]any)
	for _, name := range a.r.MayDiffer {
		if v := p.Variables[name]; v != nil && v.Value != nil {
			values[name] = v.Value
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	return json.Marshal(values)
}

// refuseMissing refuses a root that has to be planned again where a value is missing.
func refuseMissing(dir, why string, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return outcome.Refusedf("%s is planned again before it is applied, because %s, and this job has no value of %s: set TF_VAR_NAME in the "+
		"job that applies as in the one that plans, or write the value into a file of variables or terraform.environments",
		dir, why, text.Printable(text.List(missing, maxFilesNamed)))
}
