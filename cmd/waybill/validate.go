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
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// validateRoots judges policy, form and validity, and reaches no backend. What
// starts providers comes last, and only when every root has passed the policy.
func validateRoots(ctx context.Context, call *cli.Call, top string, list []roots.Root, tool plan.Tool, judge *guard) error {
	var findings []string
	var opened []*terraform.Root
	for i, root := range list {
		tf, _, err := tool.Open(top, root.Dir, strconv.Itoa(i), nil)
		if err != nil {
			return err
		}
		opened = append(opened, tf)
		files, err := tf.Format(ctx)
		if err != nil {
			return judge.report(call, fmt.Errorf("%s: %w", root.Dir, err))
		}
		for _, f := range files {
			file := path.Join(root.Dir, f)
			findings = append(findings, terraform.Printable(file)+": not formatted: run terraform fmt")
			if err := call.Runner.Annotate(runner.Annotation{Level: runner.Failure, File: file, Message: "not formatted: run terraform fmt"}); err != nil {
				return err
			}
		}
		if err := tf.InitWithoutBackend(ctx); err != nil && outcome.Code(err) != outcome.Refused {
			return judge.report(call, fmt.Errorf("%s: %w", root.Dir, err))
		}
	}
	if len(judge.findings) > 0 {
		var form error
		if len(findings) > 0 {
			form = errors.New(strings.Join(findings, "\n"))
		}
		return judge.report(call, form)
	}
	for i, root := range list {
		if err := opened[i].Validate(ctx); err != nil {
			findings = append(findings, root.Dir+": "+err.Error())
		}
	}
	if len(findings) > 0 {
		return outcome.Refusedf("%s", strings.Join(findings, "\n"))
	}
	call.Sayf("%d roots pass the policy, are formatted and valid", len(list))
	return nil
}
