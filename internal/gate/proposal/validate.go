package proposal

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Validation is what a check that plans nothing found.
type Validation struct {
	Roots    int       `json:"roots"` // that were checked
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is something that is wrong with a root.
type Problem struct {
	Root    string `json:"root"`
	File    string `json:"file,omitempty"` // from the top of the repository; missing if the whole root is meant
	Message string `json:"message"`
}

func (p Problem) String() string {
	where := p.Root
	if p.File != "" {
		where = text.Printable(p.File)
	}
	return where + ": " + p.Message
}

func (v *Validation) list() string {
	lines := make([]string, 0, len(v.Problems))
	for _, p := range v.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// validate judges policy, form and validity, and reaches no backend. What starts
// providers comes last, and only when every root has passed the policy.
func (p *Prepared) validate(ctx context.Context) (*Validation, error) {
	v := &Validation{Roots: len(p.Roots)}
	var opened []*terraform.Root
	for i, root := range p.Roots {
		tf, _, err := p.Kit.Open(p.r.Roots.Top, root, strconv.Itoa(i), nil)
		if err != nil {
			return v, err
		}
		opened = append(opened, tf)
		files, err := tf.Format(ctx)
		if err != nil {
			return v, p.Guard.Refusal(fmt.Errorf("%s: %w", root.Dir, err))
		}
		for _, f := range files {
			v.Problems = append(v.Problems, Problem{root.Dir, path.Join(root.Dir, f), "not formatted: run terraform fmt"})
		}
		if err := tf.InitWithoutBackend(ctx); err != nil && outcome.Code(err) != outcome.Refused {
			return v, p.Guard.Refusal(fmt.Errorf("%s: %w", root.Dir, err))
		}
	}
	if p.Guard.Refusal(nil) != nil {
		var form error
		if len(v.Problems) > 0 {
			form = errors.New(v.list())
		}
		return v, p.Guard.Refusal(form)
	}
	for i, root := range p.Roots {
		if err := opened[i].Validate(ctx); err != nil {
			v.Problems = append(v.Problems, Problem{Root: root.Dir, Message: err.Error()})
		}
	}
	if len(v.Problems) > 0 {
		return v, outcome.Refusedf("%s", v.list())
	}
	return v, nil
}
