// Package actions runs the workflows that an event in a sandbox repository
// starts, with the real act in host mode.
//
// It keeps GitHub's rules about what starts a run (filters, the job token
// starting nothing but dispatches), about concurrency groups, and about what a
// job token may do; a called workflow that asks for more than its caller has
// fails before it starts, as on GitHub. What act cannot tell apart it cannot
// either: all jobs of a run share one token, with the union of their
// permissions, and one OIDC identity.
package actions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/internal/door/git"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
)

// Options says what runs are made of.
type Options struct {
	GitHub *sandbox.Server
	Act    string   // the program
	Dir    string   // of the runs and their logs
	Env    []string // what jobs see of the outside: PATH, GOCACHE, GOMODCACHE, …
	// Local are directories that stand for OWNER/NAME at every ref: actions
	// that the sandbox does not host.
	Local map[string]string
	// Binaries is a directory of Waybill's binaries. actions/checksums.txt of the
	// Local repositories then names them, as a release's does, and actions
	// install them from there. Empty leaves the file as it is.
	Binaries string
	// Issuer gives jobs their identity; nil where there is none.
	Issuer Issuer
	// Logf, when set, is told what starts and ends.
	Logf func(format string, args ...any)
	// Keep leaves the clones of finished runs.
	Keep bool
}

// Issuer is where jobs with id-token: write get their OIDC tokens.
type Issuer interface {
	Grant(oidc.Claims) (requestURL, requestToken string)
	Revoke(requestToken string)
}

// Engine starts runs until it is closed.
type Engine struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	groups  map[string]*group // by repository and concurrency group
	exports map[string]string // directories of Local, without what git ignores
}

// group is a concurrency group: one run at a time, and one that waits.
// https://docs.github.com/en/actions/concepts/workflows-and-actions/concurrency
type group struct {
	running *task
	waiting *task
}

// task is one run on its way.
type task struct {
	run      sandbox.Run
	event    sandbox.Event
	workflow *sandbox.Workflow
	key      string // of the group; empty is none
	ctx      context.Context
	cancel   context.CancelFunc
}

// Start listens to the events of the server.
func Start(ctx context.Context, o Options) (*Engine, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start the workflow engine: %w", err)
	}
	o.Dir = dir
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("start the workflow engine: %w", err)
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	e := &Engine{o: o, ctx: ctx, cancel: cancel, groups: map[string]*group{}, exports: map[string]string{}}
	o.GitHub.OnEvent(e.handle)
	return e, nil
}

// Close cancels what runs and waits for its end.
func (e *Engine) Close() {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	e.wg.Wait()
}

// handle records a queued run for every workflow that the event starts, before
// it returns, so that the maker of the event finds the runs at once.
func (e *Engine) handle(event sandbox.Event) {
	if e.ctx.Err() != nil || !event.StartsWorkflows() {
		return
	}
	if event.Name == "pull_request" {
		e.handle(e.onBase(event))
	}
	if event.SHA == "" { // a pull request that cannot be merged
		return
	}
	dir := e.o.GitHub.GitDir(event.Repository)
	names, err := git.RunEnv(e.ctx, dir, e.o.Env, "ls-tree", "--name-only", "-z", event.SHA, ".github/workflows/")
	if err != nil {
		return // the commit is gone, or the branch
	}
	for _, name := range strings.Split(strings.TrimSuffix(names, "\x00"), "\x00") {
		if !strings.HasSuffix(name, ".yml") && !strings.HasSuffix(name, ".yaml") {
			continue
		}
		text, err := git.RunEnv(e.ctx, dir, e.o.Env, "cat-file", "blob", event.SHA+":"+name)
		if err != nil {
			continue
		}
		workflow, err := sandbox.ParseWorkflow(name, []byte(text))
		if err != nil {
			if event.Name == "push" { // GitHub reports a broken file on the push that brings it
				e.failed(event, name, err)
			}
			continue
		}
		matches, err := workflow.Matches(event, func() ([]string, error) { return e.changed(dir, event) })
		switch {
		case err != nil:
			e.failed(event, name, err)
		case matches:
			e.queue(event, workflow)
		}
	}
}

// onBase is the event as pull_request_target: with the workflows of the base
// branch, and that branch checked out, whatever the pull request holds.
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#pull_request_target
func (e *Engine) onBase(event sandbox.Event) sandbox.Event {
	event.Name, event.Ref, event.SHA = "pull_request_target", "refs/heads/"+event.BaseRef, ""
	if sha, err := git.RunEnv(
		e.ctx, e.o.GitHub.GitDir(event.Repository), e.o.Env, "rev-parse", "--verify", "--quiet", event.Ref+"^{commit}",
	); err == nil {
		event.SHA = sha
	}
	return event
}

// changed lists the files that differ by the event.
func (e *Engine) changed(dir string, event sandbox.Event) ([]string, error) {
	from := event.Before
	if event.Name == "pull_request" {
		from = event.SHA + "^1"
	}
	if from == "" || strings.Trim(from, "0") == "" {
		from = "4b825dc642cb6eb9a060e54bf8d69288fbee4904" // git's empty tree
	}
	out, err := git.RunEnv(e.ctx, dir, e.o.Env, "diff-tree", "-r", "-z", "--name-only", "--no-renames", from, event.SHA)
	if err != nil {
		return nil, fmt.Errorf("list what %s changes: %w", event.SHA, err)
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), nil
}

func (e *Engine) failed(event sandbox.Event, name string, err error) {
	run := e.o.GitHub.AddRun(sandbox.Run{
		Repository: event.Repository, Path: name, Workflow: name, Title: name, Event: event.Name, HeadSHA: event.SHA,
		Actor: event.Actor,
	})
	e.finish(run, "startup_failure", err.Error(), nil)
}

func (e *Engine) queue(event sandbox.Event, workflow *sandbox.Workflow) {
	headSHA, branch := event.SHA, strings.TrimPrefix(strings.TrimPrefix(event.Ref, "refs/heads/"), "refs/tags/")
	if event.Name == "pull_request" || event.Name == "pull_request_target" || event.Name == "pull_request_review" {
		branch = event.HeadRef
		if pull, ok := event.Payload["pull_request"].(map[string]any); ok {
			if head, ok := pull["head"].(map[string]any); ok {
				headSHA, _ = head["sha"].(string)
			}
		}
	}
	run := sandbox.Run{
		Repository: event.Repository, Path: workflow.Path, Workflow: workflow.Name, Title: title(event, workflow),
		Event: event.Name, HeadSHA: headSHA, HeadBranch: branch, Actor: event.Actor,
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return
	}
	run = e.o.GitHub.AddRun(run)
	if event.Started != nil {
		event.Started(run)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	t := &task{run: run, event: event, workflow: workflow, ctx: ctx, cancel: cancel}
	if name := evaluate(workflow.Concurrency.Group, event, workflow); name != "" {
		t.key = event.Repository + "\x00" + name
	}
	if t.key == "" {
		e.start(t)
		return
	}
	g := e.groups[t.key]
	if g == nil {
		g = &group{}
		e.groups[t.key] = g
	}
	if g.running == nil {
		g.running = t
		e.start(t)
		return
	}
	if g.waiting != nil {
		g.waiting.cancel()
		e.finish(g.waiting.run, "cancelled", "a newer run waits in the same concurrency group", nil)
	}
	g.waiting = t
	if workflow.Concurrency.Cancel {
		g.running.cancel()
	}
}

// start runs the task; the caller holds the lock.
func (e *Engine) start(t *task) {
	e.wg.Go(func() {
		e.run(t)
		t.cancel()
		e.mu.Lock()
		defer e.mu.Unlock()
		g := e.groups[t.key]
		if t.key == "" || g == nil {
			return
		}
		g.running, g.waiting = g.waiting, nil
		if g.running == nil {
			delete(e.groups, t.key)
			return
		}
		e.start(g.running)
	})
}

func (e *Engine) finish(run sandbox.Run, conclusion, reason string, jobs []sandbox.RunJob) {
	e.o.GitHub.UpdateRun(run.Repository, run.ID, func(r *sandbox.Run) {
		r.Status, r.Conclusion, r.Reason = "completed", conclusion, reason
		if jobs != nil {
			r.Jobs = jobs
		}
	})
	if reason != "" {
		reason = ": " + reason
	}
	e.o.Logf("%s run %d %s: %s%s", run.Repository, run.ID, run.Path, conclusion, reason)
}
