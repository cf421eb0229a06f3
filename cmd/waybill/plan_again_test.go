package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const planWorkflow = `name: plan
on:
  workflow_dispatch:
    inputs:
      pull_request: {required: true, type: string}
jobs: {}
`

// mergedLater commits files on the default branch, at a time on GitHub's clock.
func (w *infraWorld) mergedLater(after time.Duration, files map[string]string) {
	w.t.Helper()
	dir := w.cloneAs("dan")
	write(w.t, dir, files)
	w.git(dir, "add", "-A")
	at := time.Now().Add(time.Duration(w.clock.Load())*time.Second + after).Format(time.RFC3339)
	_, err := git.RunEnv(w.t.Context(), dir, []string{
		"GIT_AUTHOR_NAME=dan", "GIT_AUTHOR_EMAIL=d@example.com", "GIT_COMMITTER_NAME=dan", "GIT_COMMITTER_EMAIL=d@example.com",
		"GIT_AUTHOR_DATE=" + at, "GIT_COMMITTER_DATE=" + at,
	}, "commit", "-q", "-m", "on main")
	if err != nil {
		w.t.Fatal(err)
	}
	w.git(dir, "push", "-q", w.remote("dan"), "HEAD:refs/heads/main")
}

// What is out of date is planned again on a schedule, and nothing else is.
func TestPlansThatAreOutOfDate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(w *infraWorld)
		old  bool // by an hour
		args []string
		why  string // empty where it is not planned again
	}{
		"nothing has changed": {do: func(*infraWorld) {}},
		"something else was merged": {do: func(w *infraWorld) {
			w.mergedLater(time.Minute, map[string]string{"README.md": "other\n", "infra/other/main.tf": "# other\n"})
		}},
		"a module was merged": {do: func(w *infraWorld) {
			w.mergedLater(time.Minute, map[string]string{"modules/service/main.tf": infraModule + "# other\n"})
		}, why: "modules/service/main.tf was changed since"},
		"a module was merged before": {do: func(w *infraWorld) {
			w.mergedLater(-time.Minute, map[string]string{"modules/service/main.tf": infraModule + "# other\n"})
		}},
		"it is old": {do: func(w *infraWorld) {}, old: true, why: "it is of 20"},
		"a root of it is old": {do: func(w *infraWorld) {
			at := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
			first := w.github.Pulls("acme/infra")[0].Comments[0]
			w.editFirstComment(strings.Replace(first, `"fingerprint"`, `"planned":"`+at+`","fingerprint"`, 1))
		}, args: []string{"--again-after", "30m"}, why: "it is of 20"},
		"a state moved": {do: func(w *infraWorld) { w.stateMoved() }, why: "the state of infra/prod moved to serial 7, by #9"},
		"it is closed": {do: func(w *infraWorld) {
			w.api("ada", "PATCH", "/repos/acme/infra/pulls/1", `{"state":"closed"}`)
		}, old: true},
		"somebody pushed": {do: func(w *infraWorld) { w.push("ada", map[string]string{"infra/prod/x.tf": "# x\n"}) },
			old: true},
		"a stranger says that a state moved": {do: func(w *infraWorld) { w.comment("eve", movedComment) }},
		"it is made against another branch": {do: func(w *infraWorld) {
			w.git(w.clone, "push", "-q", w.remote("ada"), "origin/main:refs/heads/side")
			if err := w.github.Retarget(w.t.Context(), "acme/infra", 1, "side"); err != nil {
				w.t.Fatal(err)
			}
		}, old: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newInfraWorld(t, map[string]string{".github/workflows/plan.yml": planWorkflow})
			var lock sync.Mutex
			var started []string
			w.github.OnEvent(func(e sandbox.Event) {
				lock.Lock()
				defer lock.Unlock()
				if e.Name == "workflow_dispatch" {
					started = append(started, fmt.Sprint(e.Workflow, e.Ref, e.Inputs))
				}
			})
			args := c.args
			if w.tick(); c.old {
				w.clock.Store(-3600)
				args = []string{"--again-after", "30m"}
			}
			w.open("ada", note)
			w.plan()
			c.do(w)
			w.git(w.clone, "fetch", "-q", w.remote("ada"), "main")
			w.git(w.clone, "checkout", "-q", "--detach", "FETCH_HEAD")
			w.env["GITHUB_TOKEN"] = w.token("dan")
			code, _, words := w.run(append([]string{
				"plan", "--repo", "acme/infra", "--checkout", w.clone, "--again-workflow", "plan.yml",
			}, args...)...)
			want, says := []string{"plan.ymlrefs/heads/mainmap[pull_request:1]"}, "#1 is planned again: "+c.why
			if c.why == "" {
				want, says = nil, "^0 of the open pull requests"
			}
			w.wants("plan", code, 0, strings.TrimSpace(words), says)
			if !slices.Equal(started, want) {
				t.Errorf("started %q", started)
			}
		})
	}
}

const movedComment = `<!-- waybill:moved [{"dir":"infra/prod","workspace":"default","lineage":"x","serial":7,"by":9}] -->`

// stateMoved says in the name of the jobs that the state of the root moved.
func (w *infraWorld) stateMoved() {
	w.t.Helper()
	w.postAs(w.jobToken, movedComment)
}
