package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/github"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Polling of the run that was started. GitHub allows 5,000 requests an hour.
const (
	pollInterval = 2 * time.Second
	appearWithin = 2 * time.Minute
)

// bumpByDispatch asks the config repository's own workflow to bump, and waits
// for its answer. GitHub does not say which run a dispatch started, so the
// request carries a random name that the workflow puts into its run-name.
func bumpByDispatch(ctx context.Context, call *cli.Call, repo place, branch string, image imageref.Ref) error {
	if !repo.hasForge() {
		return outcome.Usagef("--via dispatch starts a workflow on GitHub: give --repo, not --dir")
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	request := hex.EncodeToString(random[:])
	workflow := call.In.String("workflow")
	ctx, cancel := context.WithTimeout(ctx, call.In.Duration("timeout"))
	defer cancel()
	started := time.Now().Add(-time.Minute) // clocks differ
	err := repo.api.Dispatch(ctx, repo.github, workflow, branch, map[string]string{
		"image": image.String(), "app": call.In.String("app"), "env": call.In.String("env"), "request": request,
	})
	if err != nil {
		return err
	}
	call.Sayf("asked    %s: %s with %s in %s", repo.github, workflow, image.Short(), call.In.String("env"))
	run, err := waitForRun(ctx, repo, workflow, request, started)
	if err != nil {
		return err
	}
	call.Sayf("answered %s: %s", run.Conclusion, run.URL)
	if run.Conclusion != "success" {
		return dispatchFailed(ctx, repo, run)
	}
	if _, err := fmt.Fprintln(call.Stdout, run.URL); err != nil {
		return err
	}
	return nil
}

func waitForRun(ctx context.Context, repo place, workflow, request string, since time.Time) (*github.Run, error) {
	deadline := time.Now().Add(appearWithin)
	var found *github.Run
	for {
		if found == nil {
			runs, err := repo.api.Runs(ctx, repo.github, workflow, "workflow_dispatch", since)
			if err != nil {
				return nil, err
			}
			for _, r := range runs {
				if strings.Contains(r.Title, request) {
					found = &r
				}
			}
			if found == nil && time.Now().After(deadline) {
				return nil, fmt.Errorf("%s in %s was started, but no run whose name contains %q appeared within %s: its run-name must contain ${{ inputs.request }}", workflow, repo.github, request, appearWithin)
			}
		} else {
			run, err := repo.api.Run(ctx, repo.github, found.ID)
			if err != nil {
				return nil, err
			}
			if found = run; run.Status == "completed" {
				return run, nil
			}
		}
		select {
		case <-ctx.Done():
			where := workflow + " in " + repo.github.String()
			if found != nil {
				where = found.URL
			}
			return nil, fmt.Errorf("wait for the answer of %s: %w: it may still come; look there before running again", where, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// refusedStep is the name of the bump workflow's step that fails only when
// policy refused: how the answer travels without a right to read more.
const refusedStep = "Refused by policy"

func dispatchFailed(ctx context.Context, repo place, run *github.Run) error {
	jobs, err := repo.api.Jobs(ctx, repo.github, run.ID)
	if err == nil {
		for _, job := range jobs {
			for _, step := range job.Steps {
				if step.Name == refusedStep && step.Conclusion == "failure" {
					return outcome.Refusedf("the config repository refused: the reasons are in %s", run.URL)
				}
			}
		}
	}
	return fmt.Errorf("the config repository's run ended with %q: see %s", run.Conclusion, run.URL)
}
