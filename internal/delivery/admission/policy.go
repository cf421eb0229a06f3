package admission

import (
	"errors"
	"fmt"
)

// manifest is what each object has, and where it stands.
type manifest struct {
	file string
	line int

	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// policy is a ValidatingAdmissionPolicy, as far as it can be evaluated here.
type policy struct {
	manifest
	Spec struct {
		FailurePolicy string `json:"failurePolicy"` // Fail by default, or Ignore
		ParamKind     *struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		} `json:"paramKind"`
		MatchConstraints matchResources `json:"matchConstraints"`
		MatchConditions  []struct {
			Name       string `json:"name"`
			Expression string `json:"expression"`
		} `json:"matchConditions"`
		Variables []struct {
			Name       string `json:"name"`
			Expression string `json:"expression"`
		} `json:"variables"`
		Validations []validation `json:"validations"`
	} `json:"spec"`

	conditions  []program
	variables   []program
	validations []program
	messages    []program // zero where there is no expression
}

type validation struct {
	Expression        string `json:"expression"`
	Message           string `json:"message"`
	MessageExpression string `json:"messageExpression"`
}

// binding says where a policy holds, and what follows.
type binding struct {
	manifest
	Spec struct {
		PolicyName        string          `json:"policyName"`
		ValidationActions []string        `json:"validationActions"` // Deny, Warn, Audit
		MatchResources    *matchResources `json:"matchResources"`
		ParamRef          *paramRef       `json:"paramRef"`
	} `json:"spec"`
}

type paramRef struct {
	Name                    string    `json:"name"`
	Namespace               string    `json:"namespace"`
	Selector                *selector `json:"selector"`
	ParameterNotFoundAction string    `json:"parameterNotFoundAction"` // Allow or Deny
}

func (p *policy) fails() bool { return p.Spec.FailurePolicy != "Ignore" }

func (p *policy) compile() error {
	var errs []error
	one := func(what, expression string) program {
		compiled, err := compile(expression, p.Spec.ParamKind != nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
		return compiled
	}
	for _, c := range p.Spec.MatchConditions {
		p.conditions = append(p.conditions, one("matchConditions "+c.Name, c.Expression))
	}
	for _, v := range p.Spec.Variables {
		p.variables = append(p.variables, one("variable "+v.Name, v.Expression))
	}
	for i, v := range p.Spec.Validations {
		p.validations = append(p.validations, one(fmt.Sprintf("validations.%d", i), v.Expression))
		var message program
		if v.MessageExpression != "" {
			message = one(fmt.Sprintf("validations.%d.messageExpression", i), v.MessageExpression)
		}
		p.messages = append(p.messages, message)
	}
	if len(p.Spec.Validations) == 0 {
		errs = append(errs, errors.New("it has no validations"))
	}
	return errors.Join(errs...)
}
