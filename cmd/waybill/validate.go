package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// validateRoots judges policy, form and validity, and reaches no backend. What
// starts providers comes last, and only when every root has passed the policy.
func validateRoots(ctx context.Context, call *cli.Call, top string, p *proposal.Prepared) error {
	var findings []string
	var opened []*terraform.Root
	for i, root := range p.Roots {
		tf, _, err := p.Kit.Open(top, root.Dir, strconv.Itoa(i), nil)
		if err != nil {
			return err
		}
		opened = append(opened, tf)
		files, err := tf.Format(ctx)
		if err != nil {
			return p.Guard.Refusal(fmt.Errorf("%s: %w", root.Dir, err))
		}
		for _, f := range files {
			file := path.Join(root.Dir, f)
			findings = append(findings, terraform.Printable(file)+": not formatted: run terraform fmt")
			if err := call.Runner.Annotate(runner.Annotation{Level: runner.Failure, File: file, Message: "not formatted: run terraform fmt"}); err != nil {
				return err
			}
		}
		if err := tf.InitWithoutBackend(ctx); err != nil && outcome.Code(err) != outcome.Refused {
			return p.Guard.Refusal(fmt.Errorf("%s: %w", root.Dir, err))
		}
	}
	if p.Guard.Refusal(nil) != nil {
		var form error
		if len(findings) > 0 {
			form = errors.New(strings.Join(findings, "\n"))
		}
		return p.Guard.Refusal(form)
	}
	for i, root := range p.Roots {
		if err := opened[i].Validate(ctx); err != nil {
			findings = append(findings, root.Dir+": "+err.Error())
		}
	}
	if len(findings) > 0 {
		return outcome.Refusedf("%s", strings.Join(findings, "\n"))
	}
	call.Sayf("%d roots pass the policy, are formatted and valid", len(p.Roots))
	return nil
}
