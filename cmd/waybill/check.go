package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runCheck(ctx context.Context, call *cli.Call) error {
	repo, err := openRepository(ctx, call)
	if err != nil {
		return err
	}
	if workflow := call.In.String("start_workflow"); workflow != "" {
		return startCheck(ctx, call, repo, workflow)
	}
	merge, err := mergeToJudge(ctx, call, repo)
	if err != nil || merge.elsewhere {
		return err
	}
	base, head := call.In.String("base"), call.In.String("head")
	if merge.head != "" {
		base, head = merge.base, merge.head
	}
	if head == "" {
		if head = "HEAD"; repo.hasForge() {
			if head, err = repo.DefaultBranch(ctx); err != nil {
				return err
			}
		} else if _, err := repo.Resolve(ctx, head); errors.Is(err, configrepo.ErrNotFound) {
			return outcome.Usagef("there is no commit yet, and check judges what is committed: git add and git commit first")
		}
	}
	result, err := judgeChange(ctx, call, repo, base, head)
	if merge.head != "" {
		if statusErr := reportStatus(ctx, call, repo, merge, result, err); statusErr != nil && err == nil {
			err = statusErr
		}
	}
	if err != nil {
		return err
	}
	err = reportCheck(call, result)
	if merge.head != "" && outcome.Code(err) == outcome.Pending {
		// The status on the head says "pending" and holds the merge; the run
		// itself has done what it is for.
		call.Sayf("pending: %v", err)
		return nil
	}
	return err
}

func judgeChange(ctx context.Context, call *cli.Call, repo place, base, head string) (check.Result, error) {
	rules := base // the keys are the base's too
	if rules == "" {
		rules = head
	}
	judge, err := repo.judge(ctx, call, rules)
	if err != nil {
		return check.Result{}, err
	}
	checker := check.Checker{Repo: repo, Judge: judge}
	return checker.Run(ctx, base, head)
}

func count(r check.Result, state evidence.State) string {
	n := 0
	for _, f := range r.Findings {
		if f.State == state {
			n++
		}
	}
	return strconv.Itoa(n)
}

func firstMessage(r check.Result) string {
	for _, f := range r.Findings {
		return f.Rule + ": " + f.Message
	}
	return ""
}

func reportCheck(call *cli.Call, r check.Result) error {
	document, err := json.Marshal(r.Findings)
	if err != nil {
		return err
	}
	if call.In.String("format") == "json" {
		if _, err := fmt.Fprintln(call.Stdout, string(document)); err != nil {
			return err
		}
	} else {
		for _, w := range r.Waybills {
			fmt.Fprint(call.Stdout, w.Text(), "\n")
		}
	}
	for _, f := range r.Findings {
		level := runner.Failure
		if f.State == evidence.Pending {
			level = runner.Notice
		}
		if err := call.Runner.Annotate(runner.Annotation{Level: level, File: filepath.ToSlash(f.File), Line: f.Line, Title: "waybill check: " + f.Rule, Message: f.Message}); err != nil {
			return err
		}
	}
	for _, f := range r.Notes {
		level := runner.Notice
		if f.Rule == check.RuleProtection { // acknowledged, and not to be overlooked
			level = runner.Warning
		}
		call.Sayf("note: %s: %s", location(f), f.Message)
		if err := call.Runner.Annotate(runner.Annotation{Level: level, File: filepath.ToSlash(f.File), Line: f.Line, Title: "waybill check: " + f.Rule, Message: f.Message}); err != nil {
			return err
		}
	}
	if err := call.Runner.Summary(checkSummary(r)); err != nil {
		return err
	}
	if err := call.Output("allowed", strconv.FormatBool(r.State() == evidence.Met)); err != nil {
		return err
	}
	if err := call.Output("findings", string(document)); err != nil {
		return err
	}
	switch r.State() {
	case evidence.Refused:
		return outcome.Refusedf("%s", listFindings(r))
	case evidence.Pending:
		return outcome.Pendingf("%s", listFindings(r))
	}
	call.Sayf("allowed: %s, nothing found", verified(r))
	return nil
}

func listFindings(r check.Result) string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", location(f), f.Rule, f.Message))
	}
	what := "findings"
	if len(lines) == 1 {
		what = "finding"
	}
	return fmt.Sprintf("%d %s\n%s", len(lines), what, strings.Join(lines, "\n"))
}

func location(f check.Finding) string {
	file := render.Visible(f.File)
	if f.Line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, f.Line)
}

func checkSummary(r check.Result) string {
	var out strings.Builder
	if len(r.Findings) == 0 {
		fmt.Fprintf(&out, "✅ **Nothing found**, %s.\n\n", verified(r))
	} else {
		out.WriteString(markdown.Row("where", "rule", "finding") + "|---|---|---|\n")
		for _, f := range r.Findings {
			out.WriteString(markdown.Row(markdown.Code(location(f)), markdown.Text(f.Rule), markdown.Text(f.Message)))
		}
		out.WriteByte('\n')
	}
	if len(r.Notes) > 0 {
		out.WriteString("To know, and in nobody's way:\n\n")
		for _, f := range r.Notes {
			out.WriteString("- " + markdown.Code(location(f)) + " " + markdown.Text(f.Message) + "\n")
		}
		out.WriteByte('\n')
	}
	for _, w := range r.Waybills {
		out.WriteString(w.Markdown() + "\n")
	}
	return out.String()
}
