package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// The gate's workflow reports as the App, whose key only a job of the default
// branch gets. A status of the same name by somebody who may push lets nothing be
// merged.
func TestGateWorkflowReportsAsTheApp(t *testing.T) {
	t.Parallel()
	w, _ := workflowWorld(t, nil, "waybill/gate@acme-waybill")
	id, key, err := w.github.CreateApp(sandbox.App{Slug: "acme-waybill", Repositories: []string{"acme/infra"},
		Permissions: map[string]string{
			"contents": "read", "pull-requests": "write", "statuses": "write", "metadata": "read"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		w.github.SetEnvironment("acme/infra", "waybill", "main"),
		w.github.SetEnvironmentVariable("acme/infra", "waybill", "WAYBILL_APP_ID", id),
		w.github.SetEnvironmentSecret("acme/infra", "waybill", "WAYBILL_APP_KEY", key),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.open("ada", w.labels())
	w.quiet()
	claim := w.planned()
	w.api(
		"ada", "POST", "/repos/acme/infra/statuses/"+claim.Head,
		`{"state":"success","context":"waybill/gate","description":"onto main@0000000000: approved by nobody"}`,
	)
	merge := func() string {
		_, err := w.github.MergePull(t.Context(), "acme/infra", 1, "ada", "squash")
		return fmt.Sprint(err)
	}
	if got := merge(); !strings.Contains(got, `Required status check "waybill/gate" is expected`) {
		t.Errorf("merged by a status of ada's: %s", got)
	}
	w.approve("nora", claim.Fingerprint)
	w.quiet()
	w.comment("bob", "/approve "+string(claim.Fingerprint))
	for _, run := range w.quiet() {
		if log := read(t, run.Log); strings.Contains(log, "PRIVATE KEY") {
			t.Errorf("%s shows the App's key", run.Path)
		}
	}
	if got := merge(); got != "<nil>" {
		t.Errorf("not merged by the App's status: %s, the status is %s", got, w.status(claim.Head))
	}
}

// quiet waits until nothing runs. The App's own comments start workflows too, in
// which nothing is to be done.
func (w *infraWorld) quiet() []sandbox.Run {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	if err := w.github.WaitIdle(ctx); err != nil {
		w.t.Fatal(err)
	}
	runs := w.github.Runs("acme/infra")
	for _, run := range runs {
		if run.Event == "issue_comment" && len(run.Jobs) > 1 || run.Conclusion != "success" {
			w.t.Errorf("%s by %s: %s, %d jobs", run.Path, run.Event, run.Conclusion, len(run.Jobs))
		}
	}
	return runs
}
