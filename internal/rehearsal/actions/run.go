package actions

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
)

// grace is how long act has to end its jobs when a run is cancelled.
const grace = 20 * time.Second

const requestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

// run carries out one run, from the queue to its conclusion.
func (e *Engine) run(t *task) {
	if t.ctx.Err() != nil {
		e.finish(t.run, "cancelled", "", nil)
		return
	}
	dir := filepath.Join(e.o.Dir, fmt.Sprint(t.run.ID))
	logFile := filepath.Join(e.o.Dir, fmt.Sprintf("%d.log", t.run.ID))
	e.o.GitHub.UpdateRun(t.run.Repository, t.run.ID, func(r *sandbox.Run) {
		r.Status, r.Started, r.Log = "in_progress", time.Now().UTC(), logFile
	})
	e.o.Logf("%s run %d %s starts: %s", t.run.Repository, t.run.ID, t.run.Path, t.run.Title)
	if !e.o.Keep {
		defer os.RemoveAll(dir)
	}
	command, revoke, err := e.prepare(t, dir)
	if err != nil {
		conclusion := "startup_failure"
		if t.ctx.Err() != nil {
			conclusion = "cancelled"
		}
		_ = os.WriteFile(logFile, []byte(err.Error()+"\n"), 0o644)
		e.finish(t.run, conclusion, err.Error(), nil)
		return
	}
	jobs, err := act(t.ctx, command, logFile)
	revoke()
	switch {
	case t.ctx.Err() != nil:
		e.finish(t.run, "cancelled", "", jobs)
	case err != nil && len(jobs) == 0:
		e.finish(t.run, "startup_failure", err.Error(), jobs)
	case err != nil:
		reason := ""
		for i, job := range jobs {
			if job.Conclusion == skippedPlatform {
				jobs[i].Conclusion, reason = "failure", err.Error()
			}
		}
		e.finish(t.run, "failure", reason, jobs)
	default:
		e.finish(t.run, "success", "", jobs)
	}
}

// prepare makes everything act needs: the commit in a clone, the workflows and
// actions that it uses, the event, token, secrets and identity.
func (e *Engine) prepare(t *task, dir string) (command process.Command, revoke func(), err error) {
	work := filepath.Join(dir, "work")
	if err := e.checkout(t.ctx, t.run.Repository, t.event.SHA, work); err != nil {
		return command, nil, err
	}
	uses := &resolver{engine: e, ctx: t.ctx, dir: filepath.Join(dir, "uses"), places: map[string]string{}}
	plan, err := e.read(t, uses, work)
	if err != nil {
		return command, nil, err
	}
	home := filepath.Join(dir, "home")
	for _, d := range []string{home, filepath.Join(dir, "cache"), filepath.Join(dir, "tmp")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return command, nil, fmt.Errorf("make the directories of run %d: %w", t.run.ID, err)
		}
	}
	secrets, vars := e.o.GitHub.RunVariables(t.run.Repository, t.event.Ref, plan.environments)
	if t.event.Fork {
		secrets, plan = map[string]string{}, plan.ofFork()
	}
	token := e.o.GitHub.CreateToken(sandbox.Token{
		Job: true, Repositories: []string{t.run.Repository}, Permissions: plan.permissions, Run: t.run.ID,
	})
	secrets["GITHUB_TOKEN"] = token
	env := e.environment(t, plan)
	for name, content := range map[string]any{"event.json": t.event.Payload, "secrets.yml": secrets, "vars.yml": vars, "env.yml": env} {
		data, err := json.Marshal(content) // JSON is YAML
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			return command, nil, fmt.Errorf("write %s of run %d: %w", name, t.run.ID, err)
		}
	}
	args := []string{
		t.event.Name, "--directory", work, "--workflows", t.workflow.Path, "--eventpath", filepath.Join(dir, "event.json"),
		"--actor", t.event.Actor,
		"--platform", "ubuntu-latest=-self-hosted", "--platform", "ubuntu-24.04=-self-hosted", "--platform", "ubuntu-22.04=-self-hosted",
		"--secret-file", filepath.Join(dir, "secrets.yml"), "--var-file", filepath.Join(dir, "vars.yml"), "--env-file",
		filepath.Join(dir, "env.yml"), "--input-file", filepath.Join(dir, "none"),
		"--json", "--no-cache-server", "--no-skip-checkout", "--action-offline-mode", "--use-new-action-cache",
		"--concurrent-jobs", "1", // act keeps the paths of --local-repository in an unguarded map
	}
	for use, place := range uses.places {
		args = append(args, "--local-repository", use+"="+place)
	}
	command = process.Command{Path: e.o.Act, Args: args, Dir: work, Grace: grace, Group: true, Env: append(append([]string{}, e.o.Env...),
		"HOME="+home, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "TMPDIR="+filepath.Join(dir, "tmp"))}
	revoke = func() {
		e.o.GitHub.RevokeToken(token)
		if env[requestToken] != "" {
			e.o.Issuer.Revoke(env[requestToken])
		}
		_ = os.Remove(filepath.Join(dir, "secrets.yml"))
		_ = os.Remove(filepath.Join(dir, "env.yml"))
	}
	return command, revoke, nil
}

// read reads the workflow and what it uses, and leaves it as act takes it.
func (e *Engine) read(t *task, uses *resolver, work string) (*plan, error) {
	p, err := uses.workflow(t.workflow, origin{repository: t.run.Repository, ref: t.event.Ref, sha: t.event.SHA, dir: work}, nil)
	if err != nil {
		return nil, err
	}
	return p, e.forAct(t.ctx, work, t.workflow.Path)
}

// unknownToAct are permissions of GitHub's that act's schema of workflows does not
// have. act gives tokens no permissions itself: the plan has read them already.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
var unknownToAct = regexp.MustCompile(`(?m)^ +artifact-metadata: .*\n`)

// forAct takes out of a workflow what act refuses, and lets git see no change.
func (e *Engine) forAct(ctx context.Context, work, workflow string) error {
	path := filepath.Join(work, workflow)
	data, err := os.ReadFile(path)
	if err != nil || !unknownToAct.Match(data) {
		return err
	}
	if err := os.WriteFile(path, unknownToAct.ReplaceAll(data, nil), 0o600); err != nil {
		return err
	}
	_, err = git.RunEnv(ctx, work, e.o.Env, "update-index", "--assume-unchanged", workflow)
	return err
}

// checkout makes a clone with one commit checked out, whose origin is the
// sandbox.
func (e *Engine) checkout(ctx context.Context, repository, sha, dir string) error {
	bare := e.o.GitHub.GitDir(repository)
	if bare == "" {
		return fmt.Errorf("check out %s: the sandbox has no such repository", repository)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("check out %s@%s: %w", repository, sha, err)
	}
	for _, args := range [][]string{
		{"clone", "--quiet", "--no-checkout", bare, "."}, {"checkout", "--quiet", "--force", "--detach", sha},
		{"remote", "set-url", "origin", e.o.GitHub.URL() + "/" + repository},
	} {
		if args[0] == "checkout" { // pull request refs are not cloned
			if _, err := git.RunEnv(ctx, dir, e.o.Env, "cat-file", "-e", sha); err != nil {
				if _, err := git.RunEnv(ctx, dir, e.o.Env, "fetch", "--quiet", "origin", "+refs/pull/*:refs/pull/*"); err != nil {
					return fmt.Errorf("check out %s@%s: %w", repository, sha, err)
				}
			}
		}
		if _, err := git.RunEnv(ctx, dir, e.o.Env, args...); err != nil {
			return fmt.Errorf("check out %s@%s: %w", repository, sha, err)
		}
	}
	return nil
}

// environment is what the runner tells every job.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func (e *Engine) environment(t *task, plan *plan) map[string]string {
	server := e.o.GitHub
	env := map[string]string{
		"GITHUB_REPOSITORY": t.run.Repository, "GITHUB_REF": t.event.Ref, "SHA_REF": t.event.SHA, // act's name for GITHUB_SHA
		"GITHUB_RUN_ID": fmt.Sprint(t.run.ID), "GITHUB_RUN_NUMBER": fmt.Sprint(t.run.Number), "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_SERVER_URL": server.URL(), "GITHUB_API_URL": server.APIURL(), "GITHUB_GRAPHQL_URL": server.GraphQLURL(),
		"GITHUB_WORKFLOW_REF": t.run.Repository + "/" + t.run.Path + "@" + t.event.Ref, "GITHUB_WORKFLOW_SHA": t.event.SHA,
		"GITHUB_TRIGGERING_ACTOR": t.event.Actor,
		"GITHUB_HEAD_REF":         t.event.HeadRef, "GITHUB_BASE_REF": t.event.BaseRef, "RUNNER_ENVIRONMENT": "github-hosted",
	}
	if e.o.Binaries != "" {
		env["WAYBILL_BINARY_DIR"] = e.o.Binaries
		env["WAYBILL_SHARED_GO_CACHE"] = "true" // a rehearsal's jobs are one user's
	}
	if plan.identity != nil && e.o.Issuer != nil {
		env["ACTIONS_ID_TOKEN_REQUEST_URL"], env[requestToken] = e.o.Issuer.Grant(e.claims(t, plan.identity))
	}
	return env
}

// claims are what GitHub says of the jobs that may ask.
func (e *Engine) claims(t *task, signer *identity) oidc.Claims {
	owner, _, _ := strings.Cut(t.run.Repository, "/")
	id := func(name string) string { return fmt.Sprint(sandbox.NumberID(name)) }
	return oidc.Claims{
		Repository: t.run.Repository, RepositoryID: id(t.run.Repository), RepositoryOwnerID: id(owner), SHA: t.event.SHA, Ref: t.event.Ref,
		EventName: t.event.Name, Workflow: t.workflow.Name, WorkflowRef: t.run.Repository + "/" + t.run.Path + "@" + t.event.Ref,
		WorkflowSHA:    t.event.SHA,
		JobWorkflowRef: signer.ref, JobWorkflowSHA: signer.sha, RunID: fmt.Sprint(t.run.ID), RunNumber: fmt.Sprint(t.run.Number),
		Actor: t.event.Actor, ActorID: id(t.event.Actor), HeadRef: t.event.HeadRef, BaseRef: t.event.BaseRef,
	}
}

// line is one line of act's JSON log.
type line struct {
	Job        string
	Step       string
	StepID     []string
	Stage      string
	Msg        string
	StepResult string
	JobResult  string
	Raw        bool `json:"raw_output"`
	Level      string
}

// act runs act, writes its log as people read it, and gives the jobs.
func act(ctx context.Context, command process.Command, logFile string) ([]sandbox.RunJob, error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, fmt.Errorf("write the log of a run: %w", err)
	}
	defer log.Close()
	reader, writer := io.Pipe()
	command.Stdout, command.Stderr = writer, writer
	var jobs []sandbox.RunJob
	read := make(chan struct{})
	go func() {
		defer close(read)
		jobs = follow(reader, log)
		_, _ = io.Copy(io.Discard, reader)
	}()
	err = command.Run(ctx)
	writer.Close()
	<-read
	for _, job := range jobs {
		if err == nil && job.Conclusion == skippedPlatform {
			err = fmt.Errorf("job %s runs on a label that is not of this machine (ubuntu-latest is)", job.Name)
		}
	}
	return jobs, err
}

// skippedPlatform is the conclusion of a job that act left out because of its
// runs-on: GitHub would wait for a runner.
const skippedPlatform = "skipped_platform"

// jobName is GitHub's form of act's WORKFLOW/JOB and WORKFLOW/CALLER/JOB.
func jobName(name string) string {
	_, rest, ok := strings.Cut(strings.TrimSpace(name), "/")
	if !ok {
		return strings.TrimSpace(name)
	}
	return strings.ReplaceAll(rest, "/", " / ")
}

// stepName is the step's, from the message, where act has masked secrets.
func stepName(l line) string {
	_, name, ok := strings.Cut(l.Msg, " - ")
	if !ok {
		return l.Stage
	}
	name = strings.TrimPrefix(name, "Main ")
	if i := strings.LastIndex(name, " ["); i > 0 {
		name = name[:i] // how long it took
	}
	name, _, _ = strings.Cut(name, "\n")
	return name
}

func follow(r io.Reader, log io.Writer) []sandbox.RunJob {
	var jobs []sandbox.RunJob
	index := map[string]int{}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil || l.Msg == "" {
			fmt.Fprintln(log, scanner.Text())
			continue
		}
		prefix := ""
		if l.Job != "" {
			prefix = "[" + l.Job + "] "
			if l.Raw {
				prefix += "  | "
			}
		}
		fmt.Fprintln(log, prefix+strings.TrimRight(l.Msg, "\n"))
		if l.Job == "" || strings.Contains(l.Msg, "docker connection") {
			continue
		}
		unsupported := strings.Contains(l.Msg, "Skipping unsupported platform")
		if l.StepResult == "" && l.JobResult == "" && l.Step == "" && !unsupported {
			continue // a job that calls a workflow has no steps of its own
		}
		i, known := index[l.Job]
		if !known {
			i, index[l.Job] = len(jobs), len(jobs)
			jobs = append(jobs, sandbox.RunJob{
				Name: jobName(l.Job), Status: "completed", Conclusion: "cancelled", Started: time.Now().UTC(),
			})
		}
		if l.StepResult != "" && len(l.StepID) < 2 && l.Stage != "Pre" && l.Stage != "Post" { // those of composite actions have more ids
			jobs[i].Steps = append(jobs[i].Steps, sandbox.RunStep{Name: stepName(l), Conclusion: l.StepResult})
		}
		if unsupported {
			jobs[i].Conclusion = skippedPlatform
		}
		if l.JobResult != "" && jobs[i].Conclusion != skippedPlatform {
			jobs[i].Conclusion, jobs[i].Completed = l.JobResult, time.Now().UTC()
		}
	}
	return jobs
}
