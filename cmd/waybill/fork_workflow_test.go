package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/rehearsal/actions"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// A pull request from a fork is held against policy, format and validity, and
// reaches neither backend nor registry, nor a secret, nor an identity: not even
// where it brings a workflow of its own.
func TestForkPullRequest(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	plans := registrytest.New(t, func(http.ResponseWriter, *http.Request) bool { asked.Add(1); return false })
	w, states := workflowWorldWith(
		t, actions.Options{Issuer: startIssuer(t)},
		map[string]string{
			"WAYBILL_PLAN_STORE": "oci://" + plans.Host + "/acme/plans", "WAYBILL_AWS_PLAN_ROLE": testRole,
			"WAYBILL_AWS_REGION": "eu-central-1",
		},
	)
	if err := w.github.CreateRepository(t.Context(), sandbox.Seed{Name: "mallory/infra", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	push := func(files map[string]string) {
		write(t, w.clone, files)
		w.git(w.clone, "add", "-A")
		w.git(w.clone, "commit", "-q", "-m", "change")
		w.git(
			w.clone, "push", "-q", "--force", strings.Replace(w.remote("mallory"), "/acme/infra.git", "/mallory/infra.git", 1),
			"HEAD:refs/heads/change",
		)
	}
	canary := filepath.Join(states, "canary")
	module := read(t, filepath.Join(w.clone, "modules/labels/main.tf"))
	push(
		map[string]string{
			"modules/labels/main.tf": module + "\nresource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command " +
				"= \"touch " + canary + "\"\n  }\n}\n",
		},
	)
	w.api("mallory", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"mallory:change","base":"main"}`)
	runs := w.idle("plan.yml pull_request failure")
	log := read(t, runs[0].Log)
	// What is said last can be missing: act does not always wait for it.
	if !strings.Contains(log, `provisioner "local-exec" is denied`) ||
		!strings.Contains(log, "before anything of the configuration was run") {
		t.Errorf("the log does not say why: %s", log)
	}
	w.jobsOf(runs[0], "validate failure", "plan skipped", "gate skipped")

	push(map[string]string{"modules/labels/main.tf": module + "\nlocals {\n  owner = \"platform\"\n}\n"})
	runs = w.idle("plan.yml pull_request failure", "plan.yml pull_request success")
	if log := read(t, runs[1].Log); !strings.Contains(log, "2 roots pass the policy, are formatted and valid") {
		t.Errorf("the log does not say what was looked at: %s", log)
	}
	w.jobsOf(runs[1], "validate success", "plan skipped", "gate skipped")

	push(map[string]string{".github/workflows/plan.yml": `name: plan
on: pull_request
permissions: {contents: write, id-token: write, packages: write, pull-requests: write}
jobs:
  steal:
    runs-on: ubuntu-latest
    steps:
      - shell: bash
        env:
          KEY: ${{ secrets.WAYBILL_SEAL_KEY }}
          TEAM: ${{ secrets.WAYBILL_TEAM_TOKEN }}
          TOKEN: ${{ github.token }}
        run: |
          echo "key ${#KEY} team ${#TEAM} identity ${#ACTIONS_ID_TOKEN_REQUEST_TOKEN}"
          curl -s -o /dev/null -w 'comment %{http_code}\n' -X POST -H "Authorization: Bearer $TOKEN" -d '{"body":"x"}' "$GITHUB_API_URL/repos/acme/infra/issues/1/comments"
`})
	runs = w.idle("plan.yml pull_request failure", "plan.yml pull_request success", "plan.yml pull_request success")
	if log := read(t, runs[2].Log); !strings.Contains(log, "key 0 team 0 identity 0") || !strings.Contains(log, "comment 403") {
		t.Errorf("a workflow of the fork's own got: %s", log)
	}

	if n := asked.Load(); n > 0 {
		t.Errorf("the registry of the plans was asked %d times", n)
	}
	for _, name := range []string{"network.tfstate", "service.tfstate", "canary"} {
		if found, _ := filepath.Glob(filepath.Join(states, name+"*")); len(found) > 0 {
			t.Errorf("it reached %v", found)
		}
	}
	if comments := w.github.Pulls("acme/infra")[0].Comments; len(comments) > 0 {
		t.Errorf("it commented: %q", comments)
	}
}

// jobsOf holds a run's jobs against what should have become of them.
func (w *infraWorld) jobsOf(run sandbox.Run, want ...string) {
	w.t.Helper()
	ended := make(map[string]string)
	for _, job := range run.Jobs {
		ended[job.Name] = job.Conclusion
	}
	for _, text := range want {
		name, conclusion, _ := strings.Cut(text, " ")
		got, ran := ended[name]
		if !ran {
			got = "skipped"
		}
		if got != conclusion {
			w.t.Errorf("job %s ended as %s, want %s", name, got, conclusion)
		}
	}
}

// In the workflow the plan takes its cloud role by the job's identity.
func TestPlanWorkflowTakesARole(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t)
	aws := newFakeAWS(t, issuer.URL())
	w, _ := workflowWorldWith(
		t, actions.Options{Issuer: issuer},
		map[string]string{"WAYBILL_AWS_PLAN_ROLE": testRole, "WAYBILL_AWS_REGION": "eu-central-1"},
	)
	w.open("ada", map[string]string{
		"infra/network/main.tf":      aws.backend(),
		"infra/network/variables.tf": "variable \"environment\" {\n  type    = string\n  default = \"\"\n}\n",
	})
	runs := w.idle("plan.yml pull_request success", "gate.yml workflow_dispatch success")
	if len(aws.sessions) == 0 || !strings.HasPrefix(aws.sessions[0], "repo:acme/infra:pull_request "+testRole+" waybill-") ||
		len(aws.refused) > 0 {
		t.Errorf("AWS let in %q, and refused %q\n%s", aws.sessions, aws.refused, read(t, runs[0].Log))
	}
	if log := read(t, runs[0].Log); strings.Contains(log, "eyJ") {
		t.Error("a token is in the log")
	}
}
