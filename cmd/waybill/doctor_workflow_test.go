package main

import (
	"strings"
	"testing"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// The workflow that init writes looks at its own repository as the App, in a job of
// the default branch. It is red where something is wrong, and says what the App's token
// cannot read.
func TestDoctorWorkflow(t *testing.T) {
	t.Parallel()
	w, _ := workflowWorld(t, nil, "waybill/gate@acme-waybill")
	id, key, err := w.github.CreateApp(sandbox.App{Slug: "acme-waybill", Repositories: []string{"acme/infra"},
		Permissions: map[string]string{"contents": "write", "pull-requests": "write", "statuses": "read", "actions": "write"}})
	for _, err := range []error{
		err,
		w.github.SetEnvironment("acme/infra", "waybill", "main"),
		w.github.SetEnvironmentVariable("acme/infra", "waybill", "WAYBILL_APP_ID", id),
		w.github.SetEnvironmentSecret("acme/infra", "waybill", "WAYBILL_APP_KEY", key),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.api("ada", "POST", "/repos/acme/infra/actions/workflows/doctor.yml/dispatches", `{"ref":"main"}`)
	if err := w.github.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := w.github.Runs("acme/infra")[0]
	log := read(t, run.Log)
	if !strings.HasSuffix(run.Path, "doctor.yml") || run.Conclusion != "failure" {
		t.Errorf("%s: %s", run.Path, run.Conclusion)
	}
	for _, want := range []string{
		"the environment waybill is open to main alone", "the App acme-waybill lacks statuses: write",
		"merging into main requires waybill/gate from the App", "which actions the workflows may use is unknown: the token needs administration",
		"refused: acme/infra has ",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the run does not say %q:\n%s", want, log)
		}
	}
}
