package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/process"
)

// How a run is stopped at a request: asked to end, or killed before GitHub has the
// request, or when GitHub has done what it asks for and the answer is lost.
const (
	interrupted = "interrupted"
	killedWhen  = "killed before the request"
	answerLost  = "killed before the answer"
)

// stopper is GitHub that stops the run which asks it at its nth request.
type stopper struct {
	w    *infraWorld
	how  string
	lock sync.Mutex
	at   int // requests until then
	seen int
	stop func()
}

func (s *stopper) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	s.seen++
	now := s.seen == s.at
	s.lock.Unlock()
	switch {
	case now && s.how == killedWhen:
		s.stop()
	case now && s.how == answerLost:
		s.w.github.ServeHTTP(httptest.NewRecorder(), r)
		s.stop()
	case now:
		s.stop()
		s.w.github.ServeHTTP(out, r)
	default:
		s.w.github.ServeHTTP(out, r)
	}
}

// stopped runs a command that is stopped at its nth request. It reports whether the
// command made so many.
func (w *infraWorld) stopped(how string, n int, args ...string) bool {
	w.t.Helper()
	s := &stopper{w: w, how: how, at: n}
	server := httptest.NewServer(s)
	defer server.Close()
	env := maps.Clone(w.env)
	env["GITHUB_API_URL"] = strings.Replace(env["GITHUB_API_URL"], w.github.URL(), server.URL, 1)
	var words bytes.Buffer
	if how == interrupted {
		ctx, cancel := context.WithCancel(w.t.Context())
		defer cancel()
		s.stop = cancel
		program.Run(ctx, cli.Process{
			Args: args, Getenv: func(name string) string { return env[name] }, Stdout: &words, Stderr: &words,
		})
	} else {
		started := make(chan *process.Server, 1)
		s.stop = func() {
			one := <-started
			_ = syscall.Kill(one.PID(), syscall.SIGKILL)
			<-one.Done()
		}
		one := w.process(env, &words, args...)
		started <- one
		<-one.Done()
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.seen >= n
}

// process starts waybill as a process of its own.
func (w *infraWorld) process(env map[string]string, words *bytes.Buffer, args ...string) *process.Server {
	w.t.Helper()
	var list []string
	if env["RUNNER_TEMP"] == "" {
		list = append(list, "TMPDIR="+w.t.TempDir()) // who is killed leaves what it made
	}
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	one, err := process.Command{Path: "waybill", Args: args, Env: list, Stdout: words, Stderr: words}.Start(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return one
}

// killer is a terraform that counts how often it is started, and has who starts it killed
// when it is started for the nth time, before or after its work. It cannot do that itself,
// because it is confined.
const killer = `#!/bin/sh
i=1
while ! mkdir "STEPS/$i"; do i=$((i+1)); done 2>/dev/null
stop() { echo >STEPS/stop; read -r _ <STEPS/go; }
if [ $i = AT ] && [ WHEN = before ]; then stop; exit 1; fi
REAL "$@"
code=$?
if [ $i = AT ] && [ WHEN = after ]; then stop; fi
exit $code
`

// pipe makes a pipe with a name, and opens both of its ends.
func (w *infraWorld) pipe(dir, name string) *os.File {
	w.t.Helper()
	path := filepath.Join(dir, name)
	command := process.Command{Path: "mkfifo", Args: []string{path}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	err := command.Run(w.t.Context())
	var pipe *os.File
	if err == nil {
		pipe, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { pipe.Close() }) // not before who waits at it has read
	return pipe
}

// killedAt runs a command that is killed when it starts terraform for the nth time,
// before or after terraform's work. It reports whether it was.
func (w *infraWorld) killedAt(when string, n int, args ...string) bool {
	w.t.Helper()
	real, err := process.LookPath("terraform")
	if err != nil {
		w.t.Fatal(err)
	}
	steps, bin := w.t.TempDir(), w.t.TempDir()
	script := strings.NewReplacer("STEPS", steps, "AT", strconv.Itoa(n), "WHEN", when, "REAL", real).Replace(killer)
	if err := os.WriteFile(filepath.Join(bin, "terraform"), []byte(script), 0o755); err != nil {
		w.t.Fatal(err)
	}
	env := maps.Clone(w.env)
	env["PATH"] = bin + ":" + env["PATH"]
	var words bytes.Buffer
	stop, goOn := w.pipe(steps, "stop"), w.pipe(steps, "go")
	one := w.process(env, &words, args...)
	go func() {
		if _, err := stop.Read(make([]byte, 1)); err != nil {
			return // it was never asked for
		}
		if waybill, err := os.FindProcess(one.PID()); err == nil {
			_ = waybill.Kill()
		}
		_, _ = goOn.WriteString("on\n")
	}()
	<-one.Done()
	stop.Close()
	_, err = os.Stat(filepath.Join(steps, strconv.Itoa(n)))
	var ended *process.Error
	if killed := errors.As(one.Err(), &ended) && ended.Code < 0; killed != (err == nil) {
		w.t.Fatalf("killed: %v; the step: %v\n%s", one.Err(), err, words.String())
	}
	return err == nil
}

// Before and after each time that terraform is started, too.
func TestKilledAtEachStartOfTerraform(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run("plan, "+when, func(t *testing.T) {
			t.Parallel()
			w := newInfraWorld(t, nil)
			w.open("ada", note)
			n := 1
			for w.killedAt(when, n, "plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone,
				"--seal-to", w.recipient, "--store", w.store) {
				n++
			}
			f := w.plan()
			if comments := w.github.Pulls("acme/infra")[0].Comments; n < 5 || len(comments) != 1 ||
				!strings.Contains(comments[0], f.Short()) {
				t.Errorf("%d starts, %d comments: %q", n-1, len(comments), comments)
			}
		})
		t.Run("apply, "+when, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.approve("bob", f)
			for n := 1; ; n++ {
				was := w.state()
				killed := w.killedAt(when, n, "apply", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone,
					"--lock-timeout", "1s")
				if w.state() == "" && killed {
					continue
				}
				if n < 5 || was != "" {
					t.Errorf("applied at start %d", n)
				}
				w.appliedOnce()
				if !killed {
					return
				}
				w, f = ready(t) // what follows the apply
				w.approve("bob", f)
			}
		})
	}
}

// maxStops is more than any command asks of GitHub here.
const maxStops = 60

// untilItEnds stops a command at its first request, runs it again and stops it at its
// second, and so on, until it makes no more requests or done says that it has done its
// work. It gives the number of the last request.
func (w *infraWorld) untilItEnds(how string, done func() bool, args ...string) (n int) {
	w.t.Helper()
	for n = 1; n < maxStops; n++ {
		if !w.stopped(how, n, args...) || done() {
			return n
		}
	}
	w.t.Fatalf("%d requests, and no end", n)
	return n
}

// Wherever a command is stopped, it comes to the same end when it is run again.
func TestStoppedAtEveryRequest(t *testing.T) {
	t.Parallel()
	never := func() bool { return false }
	for _, how := range []string{interrupted, killedWhen, answerLost} {
		t.Run("plan, "+how, func(t *testing.T) {
			t.Parallel()
			w := newInfraWorld(t, nil)
			w.open("ada", note)
			n := w.untilItEnds(how, never, "plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone,
				"--seal-to", w.recipient, "--store", w.store)
			f := w.plan()
			if comments := w.github.Pulls("acme/infra")[0].Comments; n < 4 || len(comments) != 1 ||
				!strings.Contains(comments[0], f.Short()) || w.firstClaim().Fingerprint != f {
				t.Errorf("%d requests, %d comments: %q", n, len(comments), comments)
			}
			w.approve("bob", f)
			code, _, words := w.apply()
			w.wants("apply", code, 0, words, "infra/prod: applied")
			w.noSecrets(secret)
		})
		t.Run("gate, "+how, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.approve("bob", f)
			w.env["GITHUB_TOKEN"] = w.token("dan")
			n := w.untilItEnds(how, never, "gate", "--repo", "acme/infra", "--pull-request", "1", "--status", "--comment",
				"--checkout", w.clone)
			code, _, words := w.gate("--status", "--comment", "--checkout", w.clone)
			w.wants("gate", code, 0, words, "approved by bob")
			w.wants("the status", 0, 0, w.status(w.git(w.clone, "rev-parse", "HEAD")), "^success: approved by bob")
			if said := w.saidOn(1); n < 8 || strings.Count(said, "<!-- waybill:gate -->") != 1 {
				t.Errorf("%d requests, comments: %s", n, said)
			}
			w.noSecrets(secret)
		})
		t.Run("apply, "+how, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.approve("bob", f)
			apply := []string{"apply", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--lock-timeout", "1s"}
			applied := func() bool { return w.state() != "" }
			n := w.untilItEnds(how, applied, apply...)
			for w.appliedOnce(); ; n++ { // the requests that follow it
				w, f := ready(t)
				w.approve("bob", f)
				apply[6] = w.clone
				if !w.stopped(how, n, apply...) {
					break
				}
				if w.state() != "" { // it was stopped after it had applied
					w.appliedOnce()
				}
			}
			if n < 10 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// appliedOnce asserts that the plan was applied, that nothing applies it again, and that
// the roots are held until the merge.
func (w *infraWorld) appliedOnce() {
	w.t.Helper()
	state := w.state()
	if !strings.Contains(state, `"serial": 1,`) {
		w.t.Fatalf("not applied once: %.300s", state)
	}
	code, _, words := w.apply()
	w.wants("apply again", code, 3, words, "perhaps this plan itself")
	if w.state() != state {
		w.t.Error("something was applied again")
	}
	w.wants("#1", 0, 0, w.saidOn(1), "Applied before the merge")
	w.plan()
	if claim := w.firstClaim(); len(claim.Roots) != 1 || claim.Roots[0].Changes {
		w.t.Errorf("planned again, it still changes: %+v", claim)
	}
	w.noSecrets(secret)
}

// What a killed run leaves lies where the runner empties it with the job, and the next
// run takes it away.
func TestNothingIsLeftOfAKilledRun(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	w.env["GITHUB_ACTIONS"], w.env["RUNNER_TEMP"] = "true", t.TempDir()
	apply := []string{"apply", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone}
	left := func() []string {
		found, err := filepath.Glob(filepath.Join(w.env["RUNNER_TEMP"], "waybill-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	const unpacked = 8 // the request after which only the hold is written
	if !w.stopped(killedWhen, unpacked, apply...) || len(left()) == 0 {
		t.Fatalf("the killed run left %v", left())
	}
	if w.stopped(killedWhen, maxStops, apply...) || len(left()) > 0 {
		t.Errorf("the next run left %v", left())
	}
	delete(w.env, "GITHUB_ACTIONS") // there, masks name secrets
	w.appliedOnce()
}
