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

// asking is a bump that the config repository's own workflow is asked for.
type asking struct {
	api      *github.Client
	repo     github.Repository
	workflow string // file
	branch   string
	inputs   map[string]string
	say      func(format string, args ...any)
	// Polling. GitHub allows 5,000 requests an hour.
	interval     time.Duration
	now          func() time.Time // of GitHub, more or less
	appearWithin time.Duration
}

const (
	pollInterval = 2 * time.Second
	appearWithin = 2 * time.Minute
)

// bumpByDispatch asks the config repository's own workflow to bump, and waits
// for its answer.
func bumpByDispatch(ctx context.Context, call *cli.Call, repo place, branch string, image imageref.Ref) error {
	if !repo.hasForge() {
		return outcome.Usagef("--via dispatch starts a workflow on GitHub: give --repo, not --dir")
	}
	ctx, cancel := context.WithTimeout(ctx, call.In.Duration("timeout"))
	defer cancel()
	ask := asking{
		api: repo.api, repo: repo.github, workflow: call.In.String("workflow"), branch: branch, say: call.Sayf,
		inputs:   map[string]string{"image": image.String(), "app": call.In.String("app"), "env": call.In.String("env")},
		interval: pollInterval, appearWithin: appearWithin, now: time.Now,
	}
	run, err := ask.run(ctx)
	if run != nil {
		call.Sayf("answered %s: %s", run.Conclusion, run.URL)
	}
	if err == nil {
		if _, err := fmt.Fprintln(call.Stdout, run.URL); err != nil {
			return err
		}
	}
	decision, known := map[int]string{outcome.Done: "allowed", outcome.Refused: "refused", outcome.Pending: "pending"}[outcome.Code(err)]
	if known {
		return outcome.Join(err, call.Output("decision", decision))
	}
	return err
}

// run starts the workflow and waits until it has completed. GitHub may not say
// which run a dispatch started, so the request carries a random name that the
// workflow puts into its run-name. The run is nil when none was seen to end.
func (a asking) run(ctx context.Context) (*github.Run, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	request := hex.EncodeToString(random[:])
	a.inputs["request"] = request
	started := a.now().Add(-time.Minute) // clocks differ
	id, err := a.api.DispatchRun(ctx, a.repo, a.workflow, a.branch, a.inputs)
	if err != nil {
		return nil, err
	}
	a.say("asked    %s: %s with %s for %s in %s", a.repo, a.workflow, a.inputs["image"], a.inputs["app"], a.inputs["env"])
	run, err := a.wait(ctx, id, request, started)
	if err != nil {
		return nil, err
	}
	return run, a.verdict(ctx, run)
}

func (a asking) wait(ctx context.Context, id int64, request string, since time.Time) (*github.Run, error) {
	deadline := time.Now().Add(a.appearWithin)
	where := a.workflow + " in " + a.repo.String()
	for {
		run, err := a.look(ctx, id, request, since)
		switch {
		case err != nil && ctx.Err() == nil:
			return nil, err
		case run != nil && run.Status == "completed":
			return run, nil
		case run != nil:
			id, where = run.ID, run.URL
		case ctx.Err() == nil && time.Now().After(deadline):
			return nil, fmt.Errorf("%s was started, but no run whose name contains %q appeared within %s: its run-name must contain ${{ inputs.request }}", where, request, a.appearWithin)
		}
		timer := time.NewTimer(a.interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("wait for the answer of %s: %w: it may still come; look there before running again", where, ctx.Err())
		case <-timer.C:
		}
	}
}

// look reads the run, or looks for it where its id is not known; nil when it is
// not there yet.
func (a asking) look(ctx context.Context, id int64, request string, since time.Time) (*github.Run, error) {
	if id != 0 {
		return a.api.Run(ctx, a.repo, id)
	}
	runs, err := a.api.Runs(ctx, a.repo, a.workflow, "workflow_dispatch", since)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if strings.Contains(r.Title, request) {
			return &r, nil
		}
	}
	return nil, nil
}

// Steps of the bump workflow that fail only when policy refused, or asks to
// wait: how the answer travels without a right to read more.
const (
	refusedStep = "Refused by policy"
	pendingStep = "Not yet"
)

func (a asking) verdict(ctx context.Context, run *github.Run) error {
	if run.Conclusion == "success" {
		return nil
	}
	jobs, err := a.api.Jobs(ctx, a.repo, run.ID)
	for _, job := range jobs {
		for _, step := range job.Steps {
			switch {
			case step.Conclusion != "failure":
			case step.Name == refusedStep:
				return outcome.Refusedf("the config repository refused: the reasons are in %s", run.URL)
			case step.Name == pendingStep:
				return outcome.Pendingf("the config repository says not yet: the reasons are in %s", run.URL)
			}
		}
	}
	failed := fmt.Errorf("the config repository's run ended with %q: see %s", run.Conclusion, run.URL)
	if err != nil {
		return fmt.Errorf("%w (and why cannot be read: %w)", failed, err)
	}
	return failed
}
