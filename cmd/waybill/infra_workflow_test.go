package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/rehearsal/actions"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// workflowWorld is a GitHub with the example of an infrastructure repository,
// whose starter workflows run as they are, with the real act and terraform.
func workflowWorld(t *testing.T, vars map[string]string, required ...string) (w *infraWorld, states string) {
	t.Helper()
	return workflowWorldWith(t, actions.Options{}, vars, required...)
}

// workflowWorldWith adds to the options of what runs the workflows.
func workflowWorldWith(t *testing.T, o actions.Options, vars map[string]string, required ...string) (w *infraWorld, states string) {
	t.Helper()
	tooltest.Find(t, "terraform")
	act := tooltest.Find(t, "act")
	root := tooltest.Root(t)
	if _, err := os.Stat(filepath.Join(root, "bin", "waybill")); err != nil {
		t.Skip("needs bin/waybill: run make build")
	}
	dir := t.TempDir()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	server := githubtest.Start(t, sandbox.Options{Dir: filepath.Join(dir, "github")})
	o.Binaries = starters(t, filepath.Join(root, "bin"))
	o.GitHub, o.Act, o.Dir, o.Env, o.Logf = server, act, filepath.Join(dir, "runs"), env, t.Logf
	o.Local = map[string]string{"waybill-dev/waybill": root}
	engine, err := actions.Start(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	states = t.TempDir() // a job's directory goes with the job
	seed := t.TempDir()
	if err := os.CopyFS(seed, os.DirFS(filepath.Join(root, "examples", "infra"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"network", "service"} {
		path := filepath.Join(seed, "infra", name, "main.tf")
		write(
			t, seed,
			map[string]string{"infra/" + name + "/main.tf": strings.Replace(
				read(t, path), `backend "local" {}`,
				fmt.Sprintf("backend \"local\" {\n    path = %q\n  }", filepath.Join(states, name+".tfstate")), 1,
			)},
		)
	}
	all := map[string]string{
		"WAYBILL_SEAL_TO":    identity.Recipient().String(),
		"WAYBILL_PLAN_STORE": "oci://" + registrytest.New(t, nil).Host + "/acme/plans",
	}
	maps.Copy(all, vars)
	err = server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/infra", Dir: seed, Required: required, Vars: all,
		Secrets: map[string]string{
			"WAYBILL_SEAL_KEY":   identity.String(),
			"WAYBILL_TEAM_TOKEN": server.CreateToken(sandbox.Token{User: "reader", Permissions: map[string]string{"members": "read"}}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetTeam("acme/network", "nora")
	server.SetTeam("acme/platform", "bob")
	server.SetPermission("acme/infra", "eve", "read")
	w = &infraWorld{t: t, github: server, seen: new(bytes.Buffer), key: identity.String()}
	w.clone = w.cloneAs("ada")
	w.git(w.clone, "checkout", "-q", "-b", "change")
	return w, states
}

// starters gives a directory with a short script for each program of another, which
// starts it. An action copies and hashes what it installs in every step, which takes
// longer with a program of 90 MB than most steps do. The tests of the whole delivery
// install the programs themselves.
func starters(t *testing.T, bin string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"waybill", "waybill-scan"} {
		script := "#!/bin/sh\nexec '" + filepath.Join(bin, name) + "' \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// labels is a change of the module that both of the example's roots use.
func (w *infraWorld) labels() map[string]string {
	return map[string]string{"modules/labels/main.tf": read(w.t, filepath.Join(
		w.clone, "modules/labels/main.tf",
	)) + "\nlocals {\n  owner = \"platform\"\n}\n"}
}

func (w *infraWorld) planned() comment.Claim {
	w.t.Helper()
	first := w.github.Pulls("acme/infra")[0].Comments[0]
	claim, ok := comment.ReadClaim(first)
	if !ok || !strings.HasPrefix(claim.Plan, "oci://") ||
		!strings.Contains(first, "1 of acme/network for `infra/network`; 1 of acme/platform for `infra/service`") {
		w.t.Fatalf("the comment is %s", first)
	}
	return claim
}

// appliedAll asserts that both roots are applied, and that no log holds a
// secret.
func (w *infraWorld) appliedAll(states string, runs []sandbox.Run) {
	w.t.Helper()
	for _, name := range []string{"network", "service"} {
		if state := read(w.t, filepath.Join(states, name+".tfstate")); !strings.Contains(state, "managed-by") {
			w.t.Errorf("%s was not applied: %s", name, state)
		}
	}
	for _, run := range runs {
		if log := read(w.t, run.Log); strings.Contains(log, "only-for-the-example") || strings.Contains(log, w.key) {
			w.t.Errorf("the log of %s holds a secret", run.Path)
		}
	}
}

// status is the gate's on a commit: its state and what it says.
func (w *infraWorld) status(sha string) string {
	w.t.Helper()
	for _, s := range w.apiList("ada", "/repos/acme/infra/commits/"+sha+"/statuses") {
		if s["context"] == "waybill/gate" {
			// It names what it is about: base and revision.
			onto, text, ok := strings.Cut(fmt.Sprint(s["description"]), ": ")
			if !ok || !regexp.MustCompile(`^onto main@[0-9a-f]{10}$`).MatchString(onto) {
				w.t.Errorf("the status says %q", s["description"])
			}
			return fmt.Sprint(s["state"], ": ", text)
		}
	}
	return "none"
}

// A pull request is planned; branch protection asks for the gate's status, which
// says who is still needed, follows reviews and comments, and lets it be merged;
// then exactly that plan is applied.
func TestInfraWorkflows(t *testing.T) {
	t.Parallel()
	w, states := workflowWorld(t, nil, "waybill/gate")
	w.open("ada", w.labels())
	planned := []string{"plan.yml pull_request success", "gate.yml workflow_dispatch success"}
	w.idle(planned...)
	claim := w.planned()
	merge := func() string {
		_, err := w.github.MergePull(t.Context(), "acme/infra", 1, "ada", "squash")
		return fmt.Sprint(err)
	}
	if got := w.status(claim.Head); got != "pending: needs 1 of acme/network for infra/network; 1 of acme/platform for infra/service" {
		t.Errorf("after the plan: %s", got)
	}
	if got := merge(); !strings.Contains(got, `Required status check "waybill/gate" is expected`) {
		t.Errorf("merged without approval: %s", got)
	}
	review := w.approve("nora", claim.Fingerprint)
	w.comment("ada", "thank you")
	runs := w.idleFor(7)
	for _, run := range runs[2:] {
		if run.Event == "issue_comment" && len(run.Jobs) > 0 {
			t.Errorf("%s ran for a comment that asks for nothing: %s", run.Path, read(t, run.Log))
		}
	}
	if got := w.status(claim.Head); got != "pending: needs 1 of acme/platform for infra/service" {
		t.Errorf("after one approval: %s", got)
	}
	w.api("ada", "PUT", "/repos/acme/infra/pulls/1/reviews/"+review+"/dismissals", `{"message":"no"}`)
	w.comment("bob", "/approve "+string(claim.Fingerprint))
	w.idleFor(12)
	if got := w.status(claim.Head); got != "pending: needs 1 of acme/network for infra/network" {
		t.Errorf("after a dismissal: %s", got)
	}
	w.approve("nora", claim.Fingerprint)
	w.idleFor(14)
	if got := w.status(claim.Head); got != "success: approved by nora, bob" {
		t.Errorf("after all approvals: %s", got)
	}
	if got := merge(); got != "<nil>" {
		t.Fatalf("not merged with approval: %s", got)
	}
	runs = w.idleFor(15)
	if last := runs[len(runs)-1]; filepath.Base(last.Path) != "apply.yml" || last.Event != "push" || last.Conclusion != "success" {
		t.Fatalf("%s %s %s: %s", last.Path, last.Event, last.Conclusion, read(t, last.Log))
	}
	w.appliedAll(states, runs)
	comments := strings.Join(w.github.Pulls("acme/infra")[0].Comments, "\n")
	for _, want := range []string{"**Approved:** plan", "<summary>Record</summary>", "**Applied** plan", `"verdict": "approved"`} {
		if !strings.Contains(comments, want) {
			t.Errorf("the comments lack %q: %s", want, comments)
		}
	}
}

// What is merged before it is approved waits, until somebody who may write says
// /apply; a stranger's does nothing.
func TestInfraApplyByComment(t *testing.T) {
	t.Parallel()
	w, states := workflowWorld(t, nil)
	w.open("ada", w.labels())
	w.idleFor(2)
	claim := w.planned()
	w.approve("nora", claim.Fingerprint)
	w.idleFor(4)
	w.merge()
	runs := w.idleFor(5)
	if log := read(t, runs[4].Log); !strings.Contains(log, "infra/service: 0 of 1 approvals; still needed: 1 of acme/platform") {
		t.Errorf("apply does not say what it waits for: %s", log)
	}
	// Merged, it is planned again, on the default branch: nothing moved, so that the
	// approvals stand.
	w.comment("bob", "/plan") // its run starts the one that plans
	for _, run := range w.idleFor(10)[5:] {
		if filepath.Base(run.Path) == "plan.yml" && run.Conclusion != "success" {
			t.Errorf("planned again: %s %s", run.Conclusion, read(t, run.Log))
		}
	}
	if again := w.planned(); again.Fingerprint != claim.Fingerprint {
		t.Errorf("planned again, %s is %s", claim.Fingerprint.Short(), again.Fingerprint.Short())
	}
	w.comment("bob", "/apply")
	w.idleFor(13)
	comments := w.github.Pulls("acme/infra")[0].Comments
	if last := comments[len(comments)-1]; !strings.Contains(last, "@bob: nothing was applied") ||
		!strings.Contains(last, "still needed: 1 of acme/platform") {
		t.Errorf("the answer is %q", last)
	}
	w.comment("bob", "/approve "+string(claim.Fingerprint))
	w.comment("eve", "/apply")
	for _, run := range w.idleFor(19)[16:] {
		if filepath.Base(run.Path) == "apply.yml" && (run.Conclusion != "failure" || len(run.Jobs) != 1 || run.Jobs[0].Name != "asked") {
			t.Errorf("a stranger's comment: %s %+v %s", run.Conclusion, run.Jobs, read(t, run.Log))
		}
	}
	for _, name := range []string{"network", "service"} {
		if _, err := os.Stat(filepath.Join(states, name+".tfstate")); err == nil {
			t.Errorf("a stranger had %s applied", name)
		}
	}
	w.comment("bob", "/apply "+claim.Fingerprint.Short())
	runs = w.idleFor(22)
	for _, run := range runs[19:] {
		if filepath.Base(run.Path) == "apply.yml" && run.Conclusion != "success" {
			t.Errorf("%s: %s", run.Conclusion, read(t, run.Log))
		}
	}
	w.appliedAll(states, runs)
}

// idleFor waits until nothing runs, and until there were so many runs.
func (w *infraWorld) idleFor(want int) []sandbox.Run {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	if err := w.github.WaitIdle(ctx); err != nil {
		w.t.Fatal(err)
	}
	runs := w.github.Runs("acme/infra")
	if len(runs) != want {
		var got []string
		for _, r := range runs {
			got = append(got, filepath.Base(r.Path)+" "+r.Event+" "+r.Conclusion)
		}
		w.t.Fatalf("%d runs, want %d: %q", len(runs), want, got)
	}
	return runs
}

// idle waits until nothing runs, and holds the runs against what should have
// been: file, event, conclusion.
func (w *infraWorld) idle(want ...string) []sandbox.Run {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Minute)
	defer cancel()
	if err := w.github.WaitIdle(ctx); err != nil {
		w.t.Fatal(err)
	}
	var got []string
	runs := w.github.Runs("acme/infra")
	for _, r := range runs {
		got = append(got, filepath.Base(r.Path)+" "+r.Event+" "+r.Conclusion)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		shown := runs[len(runs)-1]
		if i := slices.IndexFunc(runs, func(r sandbox.Run) bool { return r.Conclusion == "failure" }); i >= 0 {
			shown = runs[i]
		}
		w.t.Fatalf("runs: %q, want %q\n%s", got, want, read(w.t, shown.Log))
	}
	return runs
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The example's workflows are the starter ones.
func TestInfraExampleIsTheStarter(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	for _, name := range []string{"plan.yml", "apply.yml", "drift.yml"} {
		if read(t, filepath.Join(root, "workflows/infra", name)) != read(t, filepath.Join(root, "examples/infra/.github/workflows", name)) {
			t.Errorf("examples/infra/.github/workflows/%s is not workflows/infra/%s", name, name)
		}
	}
}

// Where the roots are more than one job plans, jobs of a matrix do, and the pull request
// has one plan all the same.
func TestInfraWorkflowsPlanInAMatrix(t *testing.T) {
	t.Parallel()
	w, states := workflowWorld(t, map[string]string{"WAYBILL_PLAN_GROUP": "1"})
	w.open("ada", w.labels())
	runs := w.idle("plan.yml pull_request success", "gate.yml workflow_dispatch success")
	if log := read(t, runs[0].Log); !strings.Contains(log, `"group":"2/2"`) {
		t.Errorf("the plan was made by one job: %s", log)
	}
	claim := w.planned()
	w.approve("nora", claim.Fingerprint)
	w.approve("bob", claim.Fingerprint)
	w.idleFor(6)
	if got := w.status(claim.Head); got != "success: approved by nora, bob" {
		t.Errorf("after all approvals: %s", got)
	}
	if _, err := w.github.MergePull(t.Context(), "acme/infra", 1, "ada", "squash"); err != nil {
		t.Fatal(err)
	}
	w.appliedAll(states, w.idleFor(7))
}

// The hooks of the default branch run in a job of their own, and their refusal is the
// gate's.
func TestInfraWorkflowsRunHooks(t *testing.T) {
	t.Parallel()
	w, _ := workflowWorld(t, map[string]string{"WAYBILL_HOOKS": "true"})
	path := filepath.Join(w.clone, "waybill.yaml")
	rules := read(t, path) + "  hooks:\n    - {name: law, dir: infra/service, run: 'echo no $ROOT here; exit 2', refuse: true}\n"
	w.commitOnMain(map[string]string{"waybill.yaml": rules})
	w.git(w.clone, "pull", "-q", "--no-rebase", w.remote("ada"), "main")
	w.open("ada", w.labels())
	runs := w.idle("apply.yml push failure", "plan.yml pull_request success", "gate.yml workflow_dispatch failure")
	if got := w.status(w.planned().Head); !strings.HasPrefix(got, "failure: hook law refuses the plan of infra/service (exit code 2)") {
		t.Errorf("the status is %s: %s", got, read(t, runs[2].Log))
	}
	comments := strings.Join(w.github.Pulls("acme/infra")[0].Comments, "\n")
	if !strings.Contains(comments, "no infra/service here") {
		t.Errorf("the comments do not show what the hook says: %s", comments)
	}
}
