package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/sandbox/github"
)

const bumpWorkflow = `name: bump
run-name: bump (${{ inputs.request }})
on:
  workflow_dispatch:
    inputs:
      image: {type: string}
      app: {type: string}
      env: {type: string}
      request: {type: string}
jobs: {}
`

// answering is a config repository whose runs end as a test says, on a server
// that tells which run a dispatch became, or not; title is whether the run's
// name holds the request's.
func answering(t *testing.T, tells, title bool, end func(*sandbox.Run)) (asking, *sandbox.Server) {
	t.Helper()
	r := configrepotest.GitHub(t, map[string]string{".github/workflows/bump.yml": bumpWorkflow})
	r.Server.OnEvent(func(e sandbox.Event) {
		if e.Name != "workflow_dispatch" {
			return
		}
		name := "bump"
		if title {
			name += " " + e.Inputs["request"]
		}
		run := r.Server.AddRun(sandbox.Run{Repository: "acme/config", Path: ".github/workflows/bump.yml", Workflow: "bump", Title: name, Event: "workflow_dispatch"})
		if tells {
			e.Started(run)
		}
		if end != nil {
			go r.Server.UpdateRun("acme/config", run.ID, func(run *sandbox.Run) { run.Status = "completed"; end(run) })
		}
	})
	var mu sync.Mutex
	return asking{
		api: r.API, repo: r.Name, workflow: "bump.yml", branch: "main", inputs: map[string]string{"image": "i", "app": "a", "env": "dev"},
		say: func(format string, args ...any) { mu.Lock(); defer mu.Unlock(); t.Logf(format, args...) }, interval: time.Millisecond, appearWithin: time.Minute, now: r.Clock.Now,
	}, r.Server
}

func TestDispatchAnswers(t *testing.T) {
	t.Parallel()
	failed := func(step string) func(*sandbox.Run) {
		return func(r *sandbox.Run) {
			r.Conclusion = "failure"
			r.Jobs = []sandbox.RunJob{{Name: "bump", Status: "completed", Conclusion: "failure", Steps: []sandbox.RunStep{
				{Name: "Refused by policy", Conclusion: "skipped"}, {Name: "Not yet", Conclusion: "skipped"}, {Name: step, Conclusion: "failure"}}}}
		}
	}
	for what, test := range map[string]struct {
		end  func(*sandbox.Run)
		code int
		want string
	}{
		"success":   {func(r *sandbox.Run) { r.Conclusion = "success" }, outcome.Done, ""},
		"refused":   {failed("Refused by policy"), outcome.Refused, "the config repository refused: the reasons are in http"},
		"pending":   {failed("Not yet"), outcome.Pending, "says not yet: the reasons are in http"},
		"broken":    {failed("Broken"), outcome.Broken, `ended with "failure": see http`},
		"cancelled": {func(r *sandbox.Run) { r.Conclusion = "cancelled" }, outcome.Broken, `ended with "cancelled": see http`},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ask, _ := answering(t, true, true, test.end)
			run, err := ask.run(t.Context())
			if outcome.Code(err) != test.code || test.want != "" && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want code %d, %q", err, test.code, test.want)
			}
			if run == nil || run.Status != "completed" {
				t.Errorf("run: %+v", run)
			}
		})
	}
}

// An older server does not say which run it became: it is found by its name.
func TestDispatchFindsItsRun(t *testing.T) {
	t.Parallel()
	ask, server := answering(t, false, true, func(r *sandbox.Run) { r.Conclusion = "success" })
	for range 3 { // somebody else's
		server.AddRun(sandbox.Run{Repository: "acme/config", Path: ".github/workflows/bump.yml", Title: "bump other", Event: "workflow_dispatch"})
	}
	run, err := ask.run(t.Context())
	if err != nil || !strings.Contains(run.Title, ask.inputs["request"]) {
		t.Errorf("got %+v, %v", run, err)
	}
}

func TestDispatchWithoutARun(t *testing.T) {
	t.Parallel()
	ask, _ := answering(t, false, false, nil)
	ask.appearWithin = 0
	run, err := ask.run(t.Context())
	if run != nil || outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "its run-name must contain ${{ inputs.request }}") {
		t.Errorf("got %+v, %v", run, err)
	}
}

func TestDispatchTimesOut(t *testing.T) {
	t.Parallel()
	ask, _ := answering(t, true, true, nil)
	ctx, cancel := context.WithCancel(t.Context())
	polls := 0
	ask.say = func(string, ...any) {
		if polls++; polls == 1 {
			cancel()
		}
	}
	_, err := ask.run(ctx)
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "it may still come; look there before running again") {
		t.Errorf("got %v", err)
	}
}
