package admission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/waybill-dev/waybill/internal/text"
)

// What follows from a violation.
const (
	Deny = "Deny"
	Warn = "Warn"
)

// Violation is what a policy finds wrong with an object.
type Violation struct {
	Policy  string
	Binding string
	Object  string // for people, such as Deployment shop/api
	ID      string // of the object, for comparison
	Message string
	Action  string // Deny or Warn
}

// Key tells violations apart: another message is another violation.
func (v Violation) Key() string {
	return strings.Join([]string{v.Policy, v.Binding, v.ID, v.Message, v.Action}, "\x00")
}

// Gap is what could not be evaluated.
type Gap struct {
	Policy, Object, Why string
}

// Object is one that is to be judged.
type Object struct {
	ID        string
	Content   map[string]any
	Old       map[string]any // as it is now; nil where there is none
	Namespace string         // where it goes when it does not say so itself; empty is not known
}

// Judge holds an object against every policy that is bound to it.
func (s *Set) Judge(ctx context.Context, o Object) ([]Violation, []Gap, error) {
	if s.Empty() {
		return nil, nil, nil
	}
	j := &judging{ctx: ctx, set: s, id: o.ID}
	object, old := defaulted(o.Content), defaulted(o.Old)
	own := s.world.request(object, old, o.Namespace)
	// Controllers make pods of workloads: what refuses those keeps the workload
	// from running, unless a policy judges the workload itself.
	requests := []request{own}
	if pod := podOf(object); pod != nil {
		requests = append(requests, s.world.request(pod, nil, own.namespace)) // a new one each time
	}
	for _, b := range s.bindings {
		p := s.policies[b.Spec.PolicyName]
		if p == nil {
			continue
		}
		for _, r := range requests {
			if !p.Spec.MatchConstraints.covers(r) || b.Spec.MatchResources != nil && !b.Spec.MatchResources.covers(r) {
				continue
			}
			if err := j.bound(p, b, r); err != nil {
				return nil, nil, err
			}
			break
		}
	}
	return j.violations, j.gaps, ctx.Err()
}

type judging struct {
	ctx        context.Context
	set        *Set
	id         string
	violations []Violation
	gaps       []Gap
}

func (j *judging) gap(p *policy, r request, why string) {
	j.gaps = append(j.gaps, Gap{Policy: p.Metadata.Name, Object: r.String(), Why: why})
}

// bound judges a request by a policy that one of its bindings brings.
func (j *judging) bound(p *policy, b binding, r request) error {
	action := ""
	for _, a := range []string{Deny, Warn} {
		if slices.Contains(b.Spec.ValidationActions, a) {
			action = a
			break
		}
	}
	if action == "" { // to be written down by the cluster, and nothing else
		return nil
	}
	for _, m := range []*matchResources{&p.Spec.MatchConstraints, b.Spec.MatchResources} {
		if m == nil {
			continue
		}
		yes, doubt := m.selects(r, j.set.world)
		if !yes {
			return nil
		}
		if doubt != "" {
			r.doubt = doubt
		}
	}
	params, known := j.set.world.paramsOf(p, b, r)
	switch {
	case !known:
		j.gap(p, r, "its parameters are not in this repository")
		return nil
	case p.Spec.ParamKind == nil || b.Spec.ParamRef == nil:
		params = []map[string]any{nil}
	}
	for _, param := range params {
		if err := j.with(p, b, r, action, param); err != nil {
			return err
		}
	}
	return nil
}

// with evaluates the policy with one parameter; nil is none.
func (j *judging) with(p *policy, b binding, r request, action string, param map[string]any) error {
	s, err := j.scope(p, r, param)
	if err != nil {
		return err
	}
	wrong := func(message string) {
		if r.doubt != "" {
			message += " (judged as if the policy held there: " + r.doubt + ")"
		}
		j.violations = append(j.violations, Violation{
			Policy: p.Metadata.Name, Binding: b.Metadata.Name, Object: r.String(), ID: j.id, Message: message, Action: action,
		})
	}
	failed := func(what string, err error) {
		switch {
		case errors.Is(err, errUnknown):
			j.gap(p, r, what+": "+err.Error())
		case p.fails():
			wrong(fmt.Sprintf("%s fails on it, and the cluster refuses what a policy fails on: %s", what, text.OneLine(err.Error())))
		default:
			j.gap(p, r, fmt.Sprintf("%s fails on it, which the cluster passes over: %s", what, text.OneLine(err.Error())))
		}
	}
	var doubts []func()
	for i, c := range p.conditions {
		holds, err := s.holds(c)
		if err != nil {
			doubts = append(doubts, func() { failed("matchCondition "+p.Spec.MatchConditions[i].Name, err) })
		} else if !holds {
			return j.ctx.Err()
		}
	}
	if len(doubts) > 0 {
		doubts[0]()
		return j.ctx.Err()
	}
	for i, v := range p.validations {
		holds, err := s.holds(v)
		switch {
		case err != nil:
			failed(fmt.Sprintf("validation %d", i+1), err)
		case !holds:
			wrong(p.message(s, i))
		}
	}
	return j.ctx.Err()
}

// message says what is wrong, as the API server chooses it.
func (p *policy) message(s *scope, i int) string {
	v := p.Spec.Validations[i]
	if p.messages[i].Program != nil {
		if result, err := s.eval(p.messages[i]); err == nil {
			said, ok := result.Value().(string)
			said = strings.TrimSpace(said)
			if ok && said != "" && len(said) <= celconfig.MaxEvaluatedMessageExpressionSizeBytes && !strings.Contains(said, "\n") {
				return text.OneLine(said)
			}
		}
	}
	if message := text.OneLine(v.Message); message != "" {
		return message
	}
	return "failed expression: " + text.OneLine(v.Expression)
}

func (j *judging) scope(p *policy, r request, param map[string]any) (*scope, error) {
	var old any
	if r.old != nil {
		old = r.old
	}
	kind := map[string]any{"group": r.group, "version": r.version, "kind": r.kind}
	resource := map[string]any{"group": r.group, "version": r.version, "resource": r.resource}
	vars := map[string]any{
		"object": r.object, "oldObject": old, "namespaceObject": nil,
		"request": map[string]any{
			"kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource, "subResource": "",
			"requestSubResource": "",
			"name":               r.name, "namespace": r.namespace, "operation": r.operation, "dryRun": false, "options": map[string]any{},
		},
	}
	var more []*cel.AttributePatternType
	if r.namespaced {
		if object, ok := j.set.world.namespaces[r.namespace]; ok {
			vars["namespaceObject"] = withName(object, r.namespace)
		} else if r.namespace != "" {
			vars["namespaceObject"] = withName(map[string]any{}, r.namespace)
			more = append(
				more, cel.AttributePattern("namespaceObject").QualString("metadata").QualString("labels"),
				cel.AttributePattern("namespaceObject").QualString("metadata").QualString("annotations"),
			)
		} else {
			more = append(more, cel.AttributePattern("namespaceObject"), cel.AttributePattern("request").QualString("namespace"))
		}
	}
	if p.Spec.ParamKind != nil {
		vars["params"] = nil
		if param != nil {
			vars["params"] = param
		}
	}
	return newScope(j.ctx, p, vars, more...)
}

// withName is a namespace as the API server has it: with its own name as label.
func withName(object map[string]any, name string) map[string]any {
	metadata, _ := at(object, "metadata").(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = make(map[string]any)
	}
	given, _ := metadata["labels"].(map[string]any)
	given = maps.Clone(given)
	if given == nil {
		given = make(map[string]any)
	}
	given[nameLabel], metadata["labels"], metadata["name"] = name, given, name
	out := maps.Clone(object)
	out["metadata"] = metadata
	return out
}

// paramsOf finds the parameters of a binding; known is false where it asks for
// some that the repository does not hold.
func (w *world) paramsOf(p *policy, b binding, r request) (found []map[string]any, known bool) {
	ask := b.Spec.ParamRef
	if p.Spec.ParamKind == nil || ask == nil {
		return nil, true
	}
	for _, object := range w.params {
		if textAt(object, "apiVersion") != p.Spec.ParamKind.APIVersion || textAt(object, "kind") != p.Spec.ParamKind.Kind {
			continue
		}
		namespace := textAt(object, "metadata", "namespace")
		if want := ask.Namespace; want != "" && namespace != want || want == "" && namespace != "" && namespace != r.namespace {
			continue
		}
		if ask.Name != "" && textAt(object, "metadata", "name") != ask.Name {
			continue
		}
		if ask.Name == "" && ask.Selector != nil && ask.Selector.matches(labels(object, "metadata", "labels"), nil) != matched {
			continue
		}
		found = append(found, object)
	}
	return found, len(found) > 0
}
