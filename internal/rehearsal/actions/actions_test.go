package actions_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/rehearsal/actions"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// rehearsal is a sandbox with an engine, and a user.
type rehearsal struct {
	*sandbox.Server
	t     *testing.T
	user  string // token
	dir   string
	grant []oidc.Claims // of the identities that were granted
	ended []string
}

func (r *rehearsal) Grant(claims oidc.Claims) (string, string) {
	r.grant = append(r.grant, claims)
	return "http://127.0.0.1:1/token?x=1", "request-token"
}

func (r *rehearsal) Revoke(token string) { r.ended = append(r.ended, token) }

func start(t *testing.T, local map[string]string) *rehearsal {
	t.Helper()
	program := tooltest.Find(t, "act")
	tooltest.Find(t, "curl")
	r := &rehearsal{t: t, dir: t.TempDir()}
	env := []string{"PATH=" + os.Getenv("PATH")}
	server, err := sandbox.New(sandbox.Options{Dir: filepath.Join(r.dir, "github")})
	if err != nil {
		t.Fatal(err)
	}
	r.Server = server
	stop, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	engine, err := actions.Start(context.WithoutCancel(t.Context()), actions.Options{
		GitHub: server, Act: program, Dir: filepath.Join(r.dir, "runs"), Env: env, Local: local, Logf: t.Logf,
		Issuer: r,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	r.user = server.CreateToken(sandbox.Token{User: "ada"})
	return r
}

// repository makes a repository of files, by path.
func (r *rehearsal) repository(name string, files map[string]string) {
	r.t.Helper()
	dir := r.t.TempDir()
	write(r.t, dir, files)
	if err := r.CreateRepository(r.t.Context(), sandbox.Seed{Name: name, Dir: dir}); err != nil {
		r.t.Fatal(err)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, content := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// push commits files to a branch over smart HTTP, with the token.
func (r *rehearsal) push(name, branch, token string, files map[string]string) {
	r.t.Helper()
	dir := r.t.TempDir()
	run := func(args ...string) {
		r.t.Helper()
		if _, err := git.RunEnv(
			r.t.Context(), dir,
			[]string{
				"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=Ada",
				"GIT_COMMITTER_EMAIL=a@example.com",
			},
			args...,
		); err != nil {
			r.t.Fatal(err)
		}
	}
	url := strings.Replace(r.URL(), "http://", "http://ada:"+token+"@", 1) + "/" + name + ".git"
	run("clone", "--quiet", url, ".")
	run("checkout", "--quiet", "-B", branch)
	write(r.t, dir, files)
	run("add", "--all")
	run("commit", "--quiet", "-m", "Change\n\nbody")
	run("push", "--quiet", "origin", branch)
}

// idle waits for all runs and gives those of a repository.
func (r *rehearsal) idle(name string) []sandbox.Run {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 60*time.Second)
	defer cancel()
	if err := r.WaitIdle(ctx); err != nil {
		r.t.Fatal(err)
	}
	return r.Runs(name)
}

func (r *rehearsal) log(run sandbox.Run) string {
	data, _ := os.ReadFile(run.Log)
	return string(data)
}

func (r *rehearsal) succeeded(run sandbox.Run) string {
	r.t.Helper()
	log := r.log(run)
	if run.Conclusion != "success" {
		r.t.Fatalf("run of %s: %s %s\n%s", run.Path, run.Conclusion, run.Reason, log)
	}
	return log
}

const deliver = `
name: deliver
on:
  workflow_call:
    inputs: {app: {type: string, required: true}}
    outputs:
      greeting: {value: "${{ jobs.one.outputs.greeting }}"}
permissions: {contents: read}
jobs:
  one:
    runs-on: ubuntu-latest
    permissions: {contents: read, id-token: write}
    outputs: {greeting: "${{ steps.g.outputs.text }}"}
    steps:
      - uses: actions/checkout@0123456789012345678901234567890123456789 # v7
        with: {fetch-depth: 0}
      - id: g
        uses: acme/tools/actions/greet@v1
        with: {name: "${{ inputs.app }}"}
      - env: {SECRET: "${{ secrets.GREETING }}"}
        run: |
          echo "at $(git rev-parse HEAD) on $(git branch --show-current), sha $GITHUB_SHA, repo $GITHUB_REPOSITORY, run $GITHUB_RUN_ID"
          echo "commits $(git rev-list --count HEAD) file $(cat hello.txt) oidc $ACTIONS_ID_TOKEN_REQUEST_URL secret ${#SECRET} home $HOME"
          git ls-remote origin >/dev/null && echo "fetches with its token"
          git push --quiet origin HEAD:refs/heads/forbidden 2>&1 || echo "may not push"
`

const greet = `
name: greet
description: says hello
inputs: {name: {description: who, required: true}}
outputs: {text: {description: t, value: "${{ steps.x.outputs.text }}"}}
runs:
  using: composite
  steps:
    - id: x
      shell: bash
      env: {NAME: "${{ inputs.name }}"}
      run: bash "$GITHUB_ACTION_PATH/greet.sh"
`

// A push by a user runs the application's workflow, which calls one of another
// repository, which uses a composite action of a third.
func TestPushRunsAcrossRepositories(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.repository("acme/tools", map[string]string{
		"actions/greet/action.yml": greet, "actions/greet/greet.sh": "echo \"text=hello $NAME\" >> \"$GITHUB_OUTPUT\"\n",
	})
	if _, err := git.Run(t.Context(), r.GitDir("acme/tools"), "tag", "v1", "main"); err != nil {
		t.Fatal(err)
	}
	r.repository("acme/config", map[string]string{".github/workflows/deliver.yml": deliver})
	r.repository("acme/app", map[string]string{"hello.txt": "old", ".github/workflows/ci.yml": `
name: ci
on: {push: {branches: [main]}}
permissions: {contents: read}
jobs:
  deliver:
    permissions: {contents: read, id-token: write}
    uses: acme/config/.github/workflows/deliver.yml@main
    with: {app: demo}
    secrets: {GREETING: "${{ secrets.GREETING }}"}
  after:
    needs: deliver
    runs-on: ubuntu-latest
    steps: [{run: 'echo "got ${{ needs.deliver.outputs.greeting }}"'}]
`})
	if err := r.SetSecret("acme/app", "GREETING", "12345\n7"); err != nil {
		t.Fatal(err)
	}
	r.push("acme/app", "main", r.user, map[string]string{"hello.txt": "world"})
	runs := r.idle("acme/app")
	if len(runs) != 1 {
		t.Fatalf("got %d runs, want 1", len(runs))
	}
	run, log := runs[0], r.succeeded(runs[0])
	head, _ := git.Run(t.Context(), r.GitDir("acme/app"), "rev-parse", "main")
	for _, want := range []string{
		"at " + head + " on main, sha " + head + ", repo acme/app, run " + fmt.Sprint(run.ID),
		"commits 2 file world oidc http://127.0.0.1:1/token?x=1 secret 7", "got hello demo", "fetches with its token", "may not push",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if run.Title != "Change" || run.HeadSHA != head || run.HeadBranch != "main" || run.Actor != "ada" || run.Number != 1 {
		t.Errorf("run: %+v", run)
	}
	if len(run.Jobs) != 2 || run.Jobs[0].Conclusion != "success" || run.Jobs[0].Name != "deliver / one" || run.Jobs[1].Name != "after" {
		t.Fatalf("jobs: %+v", run.Jobs)
	}
	var steps []string
	for _, step := range run.Jobs[0].Steps[:4] {
		steps = append(steps, step.Name)
	}
	if got := strings.Join(steps, ","); !strings.HasPrefix(
		got, "Set up job,actions/checkout@0123456789012345678901234567890123456789,acme/tools/actions/greet@v1,echo ",
	) || strings.Contains(got, "\n") {
		t.Errorf("steps: %q", got)
	}
	configHead, _ := git.Run(t.Context(), r.GitDir("acme/config"), "rev-parse", "main")
	if len(r.grant) != 1 {
		t.Fatalf("claims: %v", r.grant)
	}
	claims := r.grant[0]
	if claims.JobWorkflowRef != "acme/config/.github/workflows/deliver.yml@refs/heads/main" || claims.JobWorkflowSHA != configHead ||
		claims.Subject() != "repo:acme/app:ref:refs/heads/main" ||
		claims.WorkflowRef != "acme/app/.github/workflows/ci.yml@refs/heads/main" || claims.SHA != head {
		t.Errorf("claims: %+v", claims)
	}
	if len(r.ended) != 1 || r.ended[0] != "request-token" {
		t.Errorf("the identity outlives the run: revoked %q", r.ended)
	}
	if strings.Contains(log, "ghs_") {
		t.Errorf("the log holds the job token:\n%s", log)
	}
}

// What a job token does starts nothing, except dispatches.
func TestJobTokenStartsOnlyDispatches(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	kept := filepath.Join(r.dir, "kept")
	r.repository("acme/config", map[string]string{
		"f": "1",
		".github/workflows/on-push.yml": "on: push\npermissions: {contents: write, actions: write}\njobs: {a: {runs-on: " +
			"ubuntu-latest, steps: [{uses: actions/checkout@v7}, {run: 'git checkout -q -b made && git -c user.name=b -c " +
			"user.email=b@c commit -q --allow-empty -m bot && git push -q origin made && curl -fsS -H \"Authorization: Bearer ${{ " +
			"github.token }}\" -d \"{\\\"ref\\\": \\\"main\\\", \\\"inputs\\\": {\\\"who\\\": \\\"x\\\"}}\" " +
			"$GITHUB_API_URL/repos/acme/config/actions/workflows/on-dispatch.yml/dispatches'}]}}\n",
		".github/workflows/on-dispatch.yml": "run-name: 'for ${{ inputs.who }} by ${{ github.actor }}'\non: {workflow_dispatch: " +
			"{inputs: {who: {required: true}, more: {default: y}}}}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo ${{ " +
			"github.token }} > " + kept + "; echo who=${{ inputs.who }} more=${{ github.event.inputs.more }}'}]}}\n",
	})
	r.push("acme/config", "main", r.user, map[string]string{"f": "2"})
	var got []string
	for _, run := range r.idle("acme/config") {
		log := r.succeeded(run)
		got = append(got, run.Event+" "+run.Title)
		if run.Event == "workflow_dispatch" && !strings.Contains(log, "who=x more=y") {
			t.Errorf("inputs: %s", log)
		}
	}
	if want := "push Change\nworkflow_dispatch for x by github-actions[bot]"; strings.Join(got, "\n") != want {
		t.Errorf("runs: got %q, want %q", got, want)
	}
	token, err := os.ReadFile(kept)
	if err != nil || !strings.HasPrefix(string(token), "ghs_") {
		t.Fatalf("the job's token: %q, %v", token, err)
	}
	if client, err := github.New(github.Options{Token: strings.TrimSpace(string(token)), APIURL: r.APIURL()}); err != nil {
		t.Error(err)
	} else if _, err := client.Repo(t.Context(), github.Repository{Owner: "acme", Name: "config"}); !github.IsStatus(err, 401) {
		t.Errorf("the job's token outlives its run: %v", err)
	}
	if out, _ := git.Run(t.Context(), r.GitDir("acme/config"), "rev-parse", "--verify", "made"); out == "" {
		t.Error("the job's push did not arrive")
	}
}

// A pull request cannot bring the workflow that judges it.
func TestPullRequestTargetRunsOnTheBase(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	workflow := func(says string) map[string]string {
		return map[string]string{
			".github/workflows/check.yml": "on: {pull_request_target: {}}\njobs: {a: {runs-on: ubuntu-latest, steps: " +
				"[{run: 'echo " + says + " ref=$GITHUB_REF base=$GITHUB_BASE_REF sha=$GITHUB_SHA'}]}}\n",
		}
	}
	r.repository("acme/config", workflow("trusted"))
	client, err := github.New(github.Options{Token: r.user, APIURL: r.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	r.push("acme/config", "topic", r.user, workflow("forged"))
	if _, err := client.OpenPull(
		t.Context(), github.Repository{Owner: "acme", Name: "config"}, github.NewPull{Title: "t", Head: "topic", Base: "main"},
	); err != nil {
		t.Fatal(err)
	}
	runs := r.idle("acme/config")
	if len(runs) != 1 || runs[0].Event != "pull_request_target" {
		t.Fatalf("runs %+v, want one", runs)
	}
	base, _ := git.Run(t.Context(), r.GitDir("acme/config"), "rev-parse", "main")
	head, _ := git.Run(t.Context(), r.GitDir("acme/config"), "rev-parse", "topic")
	if log := r.succeeded(runs[0]); !strings.Contains(log, "trusted ref=refs/heads/main base=main sha="+base) || runs[0].HeadSHA != head {
		t.Errorf("head %s, want %s:\n%s", runs[0].HeadSHA, head, log)
	}
}

func TestPullRequestRunsOnTheMerge(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.repository("acme/config", map[string]string{
		"apps/a": "1",
		".github/workflows/check.yml": "on: {pull_request: {branches: [main], paths: ['apps/**']}}\njobs: {a: {runs-on: " +
			"ubuntu-latest, steps: [{uses: actions/checkout@v7}, {run: 'echo ref=$GITHUB_REF head=$GITHUB_HEAD_REF at=$(git " +
			"rev-parse HEAD) sha=$GITHUB_SHA; cat apps/a other'}]}}\n",
	})
	client, err := github.New(github.Options{Token: r.user, APIURL: r.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	repo := github.Repository{Owner: "acme", Name: "config"}
	r.push("acme/config", "topic", r.user, map[string]string{"apps/a": "2"})
	r.push("acme/config", "docs", r.user, map[string]string{"README": "x"})
	r.push("acme/config", "main", r.user, map[string]string{"other": "from main"})
	if _, err := client.OpenPull(t.Context(), repo, github.NewPull{Title: "t", Head: "topic", Base: "main"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.OpenPull(t.Context(), repo, github.NewPull{Title: "path does not match", Head: "docs", Base: "main"}); err != nil {
		t.Fatal(err)
	}
	r.push("acme/config", "topic2", r.user, map[string]string{"apps/a": "3"})
	runs := r.idle("acme/config")
	if len(runs) != 1 {
		t.Fatalf("got %d runs, want 1: %+v", len(runs), runs)
	}
	log := r.succeeded(runs[0])
	merge, _ := git.Run(t.Context(), r.GitDir("acme/config"), "rev-parse", "refs/pull/1/merge")
	head, _ := git.Run(t.Context(), r.GitDir("acme/config"), "rev-parse", "topic")
	if !strings.Contains(log, "ref=refs/pull/1/merge head=topic at="+merge+" sha="+merge) || !strings.Contains(log, "from main") {
		t.Errorf("want the merge %s:\n%s", merge, log)
	}
	if runs[0].HeadSHA != head || runs[0].HeadBranch != "topic" {
		t.Errorf("run: %+v", runs[0])
	}
}

func TestCalledWorkflowMayNotAskForMore(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	r.repository("acme/config", map[string]string{".github/workflows/deliver.yml": deliver})
	r.repository(
		"acme/app",
		map[string]string{
			".github/workflows/ci.yml": "on: push\npermissions: {contents: read}\njobs: {d: {uses: " +
				"acme/config/.github/workflows/deliver.yml@main, with: {app: x}}}\n",
		},
	)
	r.push("acme/app", "main", r.user, map[string]string{"f": "2"})
	run := r.idle("acme/app")[0]
	if want := `the nested job "one" is requesting 'id-token: write', but is only allowed 'id-token: none'`; run.Conclusion != "startup_failure" || !strings.Contains(run.Reason, want) {
		t.Errorf("got %s %q, want startup_failure with %q", run.Conclusion, run.Reason, want)
	}
}

func TestFailuresAreReported(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"waybill-dev/waybill": tooltest.Root(t)})
	r.repository("acme/app", map[string]string{
		".github/workflows/broken.yml": "on: [push\n",
		".github/workflows/fails.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{name: bad, run: 'exit 3'}, {run: " +
			"echo never}]}}\n",
		".github/workflows/label.yml":   "on: push\njobs: {a: {runs-on: windows-latest, steps: [{run: echo never}]}}\n",
		".github/workflows/missing.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{uses: nobody/nothing@v1}]}}\n",
	})
	r.push("acme/app", "main", r.user, map[string]string{"f": "2"})
	got := map[string]sandbox.Run{}
	for _, run := range r.idle("acme/app") {
		got[filepath.Base(run.Path)] = run
	}
	if run := got["broken.yml"]; run.Conclusion != "startup_failure" ||
		!strings.Contains(run.Reason, "read workflow .github/workflows/broken.yml") {
		t.Errorf("broken.yml: %+v", run)
	}
	if run := got["missing.yml"]; run.Conclusion != "startup_failure" ||
		!strings.Contains(run.Reason, "nobody/nothing@v1 is not in the sandbox") {
		t.Errorf("missing.yml: %+v", run)
	}
	if run := got["label.yml"]; run.Conclusion != "failure" ||
		!strings.Contains(run.Reason, "job a runs on a label that is not of this machine") {
		t.Errorf("label.yml: %+v\n%s", run, r.log(run))
	}
	run := got["fails.yml"]
	if run.Conclusion != "failure" || len(run.Jobs) != 1 || run.Jobs[0].Conclusion != "failure" {
		t.Fatalf("fails.yml: %+v", run)
	}
	found := false
	for _, step := range run.Jobs[0].Steps {
		found = found || step.Name == "bad" && step.Conclusion == "failure"
	}
	if !found {
		t.Errorf("steps: %+v", run.Jobs[0].Steps)
	}
}

// An artifact reaches the jobs of its run and of no other.
func TestArtifactsAreOfOneRun(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	const up, down = "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"
	r.repository("acme/app", map[string]string{".github/workflows/ci.yml": `
on: {push: {branches: [main, other]}}
jobs:
  make:
    if: github.ref_name == 'main'
    runs-on: ubuntu-latest
    steps:
      - run: mkdir out && echo made > out/tool && chmod 755 out/tool && echo > out/.hidden
      - {uses: "` + up + `", with: {name: made, path: out}}
  take:
    needs: make
    if: always()
    runs-on: ubuntu-latest
    steps:
      - {uses: "` + down + `", with: {name: made, path: "${{ runner.temp }}/made"}}
      - run: stat -c '%a %n' *; cat tool; ls -A
        working-directory: ${{ runner.temp }}/made
`})
	r.push("acme/app", "main", r.user, map[string]string{"x": "1"})
	runs := r.idle("acme/app")
	last := runs[len(runs)-1]
	log, err := os.ReadFile(last.Log)
	if err != nil {
		t.Fatal(err)
	}
	if last.Conclusion != "success" || !strings.Contains(string(log), "| 644 tool\n") || !strings.Contains(string(log), "| made\n") ||
		strings.Contains(string(log), "| .hidden\n") {
		t.Errorf("the run ended %s:\n%s", last.Conclusion, log)
	}
	r.push("acme/app", "other", r.user, map[string]string{"x": "2"})
	runs = r.idle("acme/app")
	last = runs[len(runs)-1]
	if log, err = os.ReadFile(last.Log); err != nil {
		t.Fatal(err)
	}
	if last.Conclusion != "failure" || !strings.Contains(string(log), "Artifact not found for name: made") {
		t.Errorf("another run ended %s:\n%s", last.Conclusion, log)
	}
}
