package proving_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/proving"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const smoke = `name: smoke
on:
  workflow_dispatch:
    inputs:
      app: {required: true, type: string}
      env: {required: true, type: string}
      image: {required: true, type: string}
      commit: {required: true, type: string}
      url: {required: true, type: string}
jobs: {smoke: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
`

// world is a config repository whose dev is verified by a workflow.
type world struct {
	*configrepotest.Repo
	t      *testing.T
	commit string // that brought the digest
	sick   bool

	mu   sync.Mutex
	runs []sandbox.Run
	said []string
	sent []map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	files := configrepotest.Files("api")
	files["waybill.yaml"] = strings.Replace(files["waybill.yaml"], "promotion: auto}", "promotion: auto, health: [{status: ok}], verify: "+
		"[{workflow: smoke.yml, inputs: {url: \"https://{app}.{env}.example\"}}]}", 1)
	if !strings.Contains(files["waybill.yaml"], "smoke.yml") {
		t.Fatalf("dev stands elsewhere: %s", files["waybill.yaml"])
	}
	files[".github/workflows/smoke.yml"] = smoke
	w := &world{Repo: configrepotest.GitHub(t, files), t: t}
	w.commit = w.Deploy(t, "main", "dev", "api", evidencetest.Ref("api", 1))
	w.Server.OnEvent(func(e sandbox.Event) {
		if e.Name != "workflow_dispatch" {
			return
		}
		run := w.Server.AddRun(sandbox.Run{
			Repository: "acme/config", Path: ".github/workflows/" + e.Workflow, Workflow: "smoke", Event: e.Name,
			HeadSHA: e.SHA, Actor: e.Actor,
		})
		w.mu.Lock()
		w.runs, w.sent = append(w.runs, run), append(w.sent, e.Inputs)
		w.mu.Unlock()
		if e.Started != nil {
			e.Started(run)
		}
	})
	return w
}

func (w *world) prover(api *github.Client) *proving.Prover {
	return &proving.Prover{
		API: api, Repository: w.Name, Branch: "main", Now: w.Clock.Now,
		Say: func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.said = append(w.said, fmt.Sprintf(format, args...))
		},
	}
}

func (w *world) judge() *rules.Judge {
	return &rules.Judge{Now: w.Clock.Now, Health: func(context.Context, string, history.Period) (rules.Said, error) {
		if w.sick {
			return rules.Said{State: "failure"}, nil
		}
		return rules.Said{State: "success", Since: w.Clock.Now()}, nil
	}}
}

// run looks at everything once, as promote does.
func (w *world) run(p *proving.Prover) error {
	w.t.Helper()
	tip, err := history.ReadTip(w.t.Context(), w, "main")
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Run(w.t.Context(), w, proving.Request{Tip: tip, Judge: w.judge(), Wants: func(string, string) bool { return true }})
}

func (w *world) end(n int, conclusion string) {
	w.Server.UpdateRun("acme/config", w.runs[n].ID, func(r *sandbox.Run) {
		r.Status, r.Conclusion = "completed", conclusion
	})
}

// found is what a fresh process is told, and the status that people see.
func (w *world) wants(what, state, status string) {
	w.t.Helper()
	tip, err := history.ReadTip(w.t.Context(), w, "main")
	if err != nil {
		w.t.Fatal(err)
	}
	app, dev, err := tip.Config.Place("api", "dev")
	if err != nil {
		w.t.Fatal(err)
	}
	ran, _, err := history.Find(w.t.Context(), w, history.Where{Rev: "main", App: app, Env: "dev"}, evidencetest.Ref("api", 1))
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := w.prover(w.API).Found(w.t.Context(), dev.Verify[0], "api", "dev", ran)
	if err != nil || got.State != state {
		w.t.Errorf("%s: %+v %v, want %q", what, got, err, state)
	}
	all, err := w.API.Statuses(w.t.Context(), w.Name, w.commit)
	if err != nil {
		w.t.Fatal(err)
	}
	shown := ""
	for _, s := range all {
		if s.Context == "waybill/verify/dev/api/smoke" {
			shown = s.State + ": " + s.Description
		}
	}
	if shown != status {
		w.t.Errorf("%s: the status is %q, want %q", what, shown, status)
	}
}

// A workflow runs once for a deployment, once that is healthy, and is told of it.
func TestOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sick = true
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.run(w.prover(w.API)))
	w.wants("not healthy", rules.VerifyNone, "")
	w.sick = false
	for range 3 {
		must(w.run(w.prover(w.API)))
		w.wants("running", rules.VerifyRunning, "pending: smoke.yml runs")
	}
	if diff := cmp.Diff([]map[string]string{{
		"app": "api", "env": "dev", "image": evidencetest.Ref("api", 1).String(), "commit": w.commit, "url": "https://api.dev.example",
	}}, w.sent); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	w.end(0, "failure")
	w.wants("failed", rules.VerifyFailed, "pending: smoke.yml runs")
	must(w.run(w.prover(w.API)))
	w.wants("failed", rules.VerifyFailed, "failure: smoke.yml has failed: failure")
	// Somebody runs that run again.
	w.Server.UpdateRun("acme/config", w.runs[0].ID, func(r *sandbox.Run) { r.Status, r.Conclusion = "in_progress", "" })
	must(w.run(w.prover(w.API)))
	w.wants("again", rules.VerifyRunning, "pending: smoke.yml runs again")
	w.end(0, "success")
	must(w.run(w.prover(w.API)))
	w.wants("succeeded", rules.VerifyPassed, "success: smoke.yml has succeeded")
	must(w.run(w.prover(w.API)))
	if len(w.runs) != 1 {
		t.Errorf("%d runs", len(w.runs))
	}
	// The next deployment is another one, and the references of the first one go.
	w.Clock.Pass(time.Minute)
	w.Deploy(t, "main", "dev", "api", evidencetest.Ref("api", 2))
	must(w.run(w.prover(w.API)))
	refs, err := w.API.RefsBelow(t.Context(), w.Name, "refs/waybill/")
	if err != nil || len(w.runs) != 2 || len(refs) != 1 || strings.Contains(refs[0], w.commit) {
		t.Errorf("%d runs, references %v, %v", len(w.runs), refs, err)
	}
}

// What promote has found out is not asked again by the rules that it then applies.
func TestFoundOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.run(w.prover(w.API)); err != nil {
		t.Fatal(err)
	}
	p := w.prover(w.API)
	if err := w.run(p); err != nil {
		t.Fatal(err)
	}
	w.Requests.Take()
	v := config.Verification{Workflow: "smoke.yml"}
	got, err := p.Found(t.Context(), v, "api", "dev", history.Period{Commit: w.commit})
	if n, asked := w.Requests.Take(); err != nil || got.State != rules.VerifyRunning || n > 0 {
		t.Errorf("%d requests, %+v %v:\n%s", n, got, err, asked)
	}
}

// Of several who look at the same time, one starts the run.
func TestAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			if err := w.run(w.prover(w.API)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(w.runs) != 1 {
		t.Errorf("%d runs", len(w.runs))
	}
	w.wants("one of them says it last", rules.VerifyRunning, w.shown())
	w.end(0, "success")
	if err := w.run(w.prover(w.API)); err != nil {
		t.Error(err)
	}
	w.wants("succeeded", rules.VerifyPassed, "success: smoke.yml has succeeded")
}

// shown is the status as it is: which of several said something last is chance.
func (w *world) shown() string {
	all, err := w.API.StatusHistory(w.t.Context(), w.Name, w.commit, "waybill/verify/dev/api/smoke")
	if err != nil || len(all) == 0 {
		w.t.Fatal(err)
	}
	return all[0].State + ": " + all[0].Description
}

// A start that got lost is made again after an hour, and not before.
func TestLostStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fail := sandbox.Fault{Method: "POST", Path: "/dispatches", Status: 500, Count: 1}
	if err := w.Server.AddFault(fail); err != nil {
		t.Fatal(err)
	}
	const want = "verify api in dev by smoke.yml: start workflow smoke.yml"
	if err := w.run(w.prover(w.API)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := w.run(w.prover(w.API)); err != nil || len(w.runs) > 0 {
			t.Errorf("%d runs, %v", len(w.runs), err)
		}
	}
	w.Clock.Pass(61 * time.Minute)
	if err := w.run(w.prover(w.API)); err != nil || len(w.runs) != 1 {
		t.Errorf("%d runs, %v", len(w.runs), err)
	}
	w.wants("the second attempt", rules.VerifyRunning, "pending: smoke.yml runs")
}

// A killed process that had made the reference and nothing else holds up nobody for ever.
func TestKilledBeforeItsStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := "refs/waybill/verify/dev/api/smoke/" + w.commit + "/1"
	if made, err := w.API.CreateRef(t.Context(), w.Name, ref, w.commit); err != nil || !made {
		t.Fatal(err)
	}
	if err := w.run(w.prover(w.API)); err != nil || len(w.runs) > 0 {
		t.Errorf("%d runs, %v", len(w.runs), err)
	}
	w.wants("held", rules.VerifyRunning, "pending: attempt 1: about to start smoke.yml")
	w.Clock.Pass(61 * time.Minute)
	if err := w.run(w.prover(w.API)); err != nil || len(w.runs) != 1 {
		t.Errorf("%d runs, %v", len(w.runs), err)
	}
}

// What others say does not count, and neither does a run of another workflow.
func TestOthersSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.run(w.prover(w.API)); err != nil {
		t.Fatal(err)
	}
	w.end(0, "failure")
	if err := w.run(w.prover(w.API)); err != nil {
		t.Fatal(err)
	}
	eve := w.Client(t, sandbox.Token{User: "eve"})
	page := func(workflow string) string { // of a run that succeeded, which eve has started for something else
		run := w.Server.AddRun(sandbox.Run{Repository: "acme/config", Path: ".github/workflows/" + workflow, Event: "workflow_dispatch"})
		w.Server.UpdateRun("acme/config", run.ID, func(r *sandbox.Run) { r.Status, r.Conclusion = "completed", "success" })
		return fmt.Sprintf("%s/acme/config/actions/runs/%d", w.Server.URL(), run.ID)
	}
	forge := github.Status{
		Context: "waybill/verify/dev/api/smoke", State: "success", Description: "smoke.yml has succeeded", TargetURL: page("smoke.yml"),
	}
	if err := eve.SetStatus(t.Context(), w.Name, w.commit, forge); err != nil {
		t.Fatal(err)
	}
	w.wants("by eve", rules.VerifyFailed, "success: smoke.yml has succeeded")
	forge.State, forge.TargetURL = "pending", page("other.yml")
	if err := w.API.SetStatus(t.Context(), w.Name, w.commit, forge); err != nil {
		t.Fatal(err)
	}
	w.wants("a run of another workflow", rules.VerifyFailed, "pending: smoke.yml has succeeded")
}

// Whoever may not look at runs takes what the status says.
func TestWithoutAccessToRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.run(w.prover(w.API)); err != nil {
		t.Fatal(err)
	}
	w.end(0, "success")
	full := w.API
	w.API = w.Client(t, sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read", "statuses": "read"}})
	w.wants("not yet", rules.VerifyRunning, "pending: smoke.yml runs")
	if err := w.run(w.prover(full)); err != nil {
		t.Fatal(err)
	}
	w.wants("then", rules.VerifyPassed, "success: smoke.yml has succeeded")
}

// Trouble is an error, and a dry run writes nothing.
func TestTroubleAndDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dry := w.prover(w.API)
	dry.Dry = true
	w.Requests.Writes()
	if err := w.run(dry); err != nil || len(w.runs) > 0 || strings.Join(w.said, "") != "would start smoke.yml for api in dev" {
		t.Errorf("%v %v %v", err, w.runs, w.said)
	}
	for _, write := range w.Requests.Writes() {
		if !strings.Contains(write, "graphql") {
			t.Errorf("a dry run writes: %s", write)
		}
	}
	if err := w.run(w.prover(w.API)); err != nil {
		t.Fatal(err)
	}
	fault := sandbox.Fault{Method: "GET", Path: "/actions/runs/", Status: http.StatusInternalServerError, Count: 100}
	if err := w.Server.AddFault(fault); err != nil {
		t.Fatal(err)
	}
	v := config.Verification{Workflow: "smoke.yml"}
	if got, err := w.prover(w.API).Found(t.Context(), v, "api", "dev", history.Period{Commit: w.commit}); err == nil {
		t.Errorf("trouble was taken for an answer: %+v", got)
	}
}
