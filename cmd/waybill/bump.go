package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runBump(ctx context.Context, call *cli.Call) error {
	image, err := imageref.Parse(call.In.String("image"))
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	repo, err := openRepository(ctx, call)
	if err != nil {
		return err
	}
	branch, err := repo.branch(ctx, call)
	if err != nil {
		return err
	}
	if asks(call) {
		return bumpByAsking(ctx, call, repo, branch, image)
	}
	answer, err := answerer(call, repo)
	if err != nil {
		return err
	}
	if answer == nil {
		return bumpAndStart(ctx, call, repo, branch, image)
	}
	if err := answer.Begin(ctx); err != nil {
		return err
	}
	return answer.End(ctx, bumpAndStart(ctx, call, repo, branch, image))
}

// bumpAndStart bumps, and starts the promotion where nothing else does.
func bumpAndStart(ctx context.Context, call *cli.Call, repo place, branch string, image imageref.Ref) error {
	judge, err := repo.judge(ctx, call, branch)
	if err != nil {
		return err
	}
	result, err := bump.Run(ctx, repo, judge, bump.Request{
		Image: image, App: call.In.String("app"), Env: call.In.String("env"), Branch: branch,
		AllowOlder: call.In.Bool("allow_older"), Run: call.Runner.Context().RunURL(),
	})
	if !result.Waybill.Image.IsZero() {
		if err := call.Runner.Summary(result.Waybill.Markdown()); err != nil {
			return err
		}
	}
	if err := outcome.Join(err, reportBumpDecision(call, err)); err != nil {
		return err
	}
	if err := reportBump(call, result); err != nil {
		return err
	}
	workflow := call.In.String("promote_workflow")
	if workflow == "" {
		return nil
	}
	if !repo.hasForge() {
		return outcome.Usagef("--promote-workflow starts a workflow on GitHub: give --repo, not --dir")
	}
	if result.Changed && repo.actsAsApp {
		return nil // its commit has started what listens to pushes
	}
	// Also when the digest stood there already: an earlier run may have been
	// interrupted between commit and start, and promoting again changes nothing.
	return repo.api.Dispatch(ctx, repo.github, workflow, branch, nil)
}

// asks reports whether the bump is asked for, and made by the config
// repository's own workflow.
func asks(call *cli.Call) bool {
	return slices.Contains([]string{"deployment", "dispatch"}, call.In.String("via"))
}

func reportBump(call *cli.Call, r bump.Result) error {
	if r.Changed {
		call.Sayf("bumped   %s: %s → %s", r.File, short(r.Previous), r.Waybill.Image.Short())
	} else {
		call.Sayf("current  %s names %s already", r.File, r.Waybill.Image.Short())
	}
	if _, err := fmt.Fprintln(call.Stdout, r.Commit); err != nil {
		return err
	}
	for name, value := range map[string]string{"changed": strconv.FormatBool(r.Changed), "commit": r.Commit, "previous": r.Previous.String()} {
		if err := call.Output(name, value); err != nil {
			return err
		}
	}
	return nil
}

func short(ref imageref.Ref) string {
	if !history.Runs(ref) {
		return "nothing"
	}
	return ref.Short()
}
