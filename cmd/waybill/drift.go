package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runDrift(ctx context.Context, call *cli.Call) error {
	label := call.In.String("label")
	if label == "" || strings.ContainsAny(label, ",\n") {
		return outcome.Usagef("--label %q: the name of one label, without a comma", label)
	}
	top, err := top(ctx, call)
	if err != nil {
		return err
	}
	list, err := roots.Named(rootRequest(call, top))
	if err != nil {
		return err
	}
	cfg, err := roots.Config(top)
	if err != nil {
		return err
	}
	tool, done, err := tool(call, top)
	if err != nil {
		return err
	}
	defer done()
	tool.Unlocked = !call.In.Bool("lock")
	where, err := openIssues(call)
	if err != nil {
		return err
	}
	judge, err := policyGuard(ctx, call, where, top)
	if err != nil {
		return err
	}
	tool.Guard = judge.check
	for _, r := range list {
		judge.reads(r.Dir, r.VarFiles)
	}
	broken := chooseForEach(ctx, call, top, list, &tool)
	logout, err := loginFor(ctx, call, &tool)
	if err != nil {
		return err
	}
	defer logout()
	all := len(call.In.List("dir")) == 0
	report, err := drift.Find(ctx, drift.Request{
		Top: top, Roots: list, Tool: tool, Parallel: call.In.Int("parallel"), Unmanaged: call.In.Bool("unmanaged"), Ignores: cfg.Drift, All: all, Now: time.Now(), Broken: broken,
	})
	if err != nil {
		return err
	}
	var problems []error
	if where.onGitHub() && call.In.Bool("issues") {
		tracker := drift.Tracker{API: where.api, Repo: where.repo, Label: label, All: all}
		if err := tracker.Keep(ctx, report); err != nil {
			problems = append(problems, fmt.Errorf("keep the issues: %w", err)) // what was found is said all the same
		}
	}
	if err := reportDrift(call, report); err != nil {
		return err
	}
	return outcome.Join(append(problems, driftOutcome(call, report))...)
}

// chooseForEach finds the terraform that each root asks for; where there is none
// for one of them, that one alone is broken.
func chooseForEach(ctx context.Context, call *cli.Call, top string, list []roots.Root, tool *plan.Tool) map[string]error {
	if chooseTerraform(ctx, call, top, list, tool) == nil {
		return nil
	}
	broken, programs := make(map[string]error), make(map[string]string)
	for _, root := range list {
		one := *tool
		if err := chooseTerraform(ctx, call, top, []roots.Root{root}, &one); err != nil {
			broken[root.Dir] = err
		}
		maps.Copy(programs, one.Programs)
	}
	tool.Programs = programs
	return broken
}

// openIssues finds the repository whose issues are kept: none outside GitHub.
func openIssues(call *cli.Call) (i infra, err error) {
	name := call.In.String("repo")
	if name == "" {
		name = call.Runner.Context().Repository
	}
	if name == "" {
		return i, nil
	}
	if i.repo, err = github.ParseRepository(name); err != nil {
		return i, outcome.Usagef("--repo: %w", err)
	}
	i.api, err = githubClient(call)
	return i, err
}

func reportDrift(call *cli.Call, report *drift.Report) error {
	if call.In.String("format") == "json" {
		document, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(call.Stdout, string(document)); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(call.Stdout, report.Markdown(comment.MaxComment)); err != nil {
		return err
	}
	for _, root := range report.Of(drift.Drifted) {
		if err := call.Runner.Annotate(runner.Annotation{Level: runner.Warning, Title: "waybill drift", Message: root.Title()}); err != nil {
			return err
		}
	}
	for _, i := range report.Ignores {
		if err := call.Runner.Annotate(runner.Annotation{Level: runner.Warning, Title: "waybill drift", Message: i.String()}); err != nil {
			return err
		}
	}
	type entry struct {
		Dir       string `json:"dir"`
		Workspace string `json:"workspace"`
		Resources int    `json:"resources,omitempty"`
		Issue     int    `json:"issue,omitempty"`
	}
	outputs := map[string][]entry{drift.Drifted: {}, drift.Broken: {}}
	for _, root := range report.Roots {
		e := entry{Dir: root.Dir, Workspace: root.Workspace, Resources: len(root.Drift)}
		if root.Issue != nil {
			e.Issue = root.Issue.Number
		}
		outputs[root.Status] = append(outputs[root.Status], e)
	}
	errs := []error{call.Runner.Summary(report.Markdown(runner.SummaryLimit / 4))}
	for _, name := range []string{drift.Drifted, drift.Broken} {
		value, err := json.Marshal(outputs[name])
		errs = append(errs, err, call.Output(name, string(value)))
	}
	return outcome.Join(errs...)
}

// driftOutcome is how the command ends: a root that could not be planned is
// broken, whatever the others are.
func driftOutcome(call *cli.Call, report *drift.Report) error {
	var problems []string
	for _, root := range report.Of(drift.Broken) {
		problems = append(problems, root.Dir+": "+root.Problem)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d of %d roots could not be planned: %s", len(problems), len(report.Roots), strings.Join(problems, "\n"))
	}
	if n := len(report.Of(drift.Drifted)); n > 0 && call.In.Bool("fail_on_drift") {
		return outcome.Refusedf("%d of %d roots drifted", n, len(report.Roots))
	}
	return nil
}
