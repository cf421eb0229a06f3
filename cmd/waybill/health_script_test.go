package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/healthd"
)

// withHealthCommands adds the commands of scripts about health and verification.
func withHealthCommands(
	commands map[string]func(ts *testscript.TestScript, neg bool, args []string),
) map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	commands["sources"] = startSources
	commands["argocd"] = setApplication
	commands["prometheus"] = setQuery
	commands["runs"] = startRuns
	commands["ends"] = endRuns
	return commands
}

type sourcesKey struct{}

// startSources starts what stands for Argo CD and Prometheus, and sets SOURCES and the
// tokens: sources
func startSources(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: sources")
	}
	d := ts.Value(sourcesKey{}).(*healthd.Server)
	d.Token = "hushhush"
	server := httptest.NewServer(d)
	ts.Defer(server.Close)
	ts.Setenv("SOURCES", server.URL)
	ts.Setenv("WAYBILL_ARGOCD_TOKEN", d.Token)
	ts.Setenv("WAYBILL_PROMETHEUS_TOKEN", d.Token)
}

// setApplication says what Argo CD says of demo-api in dev, at the head of main or at
// REVISION, since an hour: argocd HEALTH IMAGE [REVISION]. broken fails everything.
func setApplication(ts *testscript.TestScript, neg bool, args []string) {
	d := ts.Value(sourcesKey{}).(*healthd.Server)
	if len(args) == 1 && args[0] == "broken" {
		d.Fail(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
		return
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: argocd HEALTH IMAGE [REVISION]")
	}
	d.Fail(nil)
	revision, err := git.Run(context.Background(), ts.Getenv("CONFIG_GIT"), "rev-parse", "refs/heads/main")
	ts.Check(err)
	if len(args) > 2 {
		revision = args[2]
	}
	d.SetApplication(healthd.Application{
		Name: "demo-api-dev", Sync: "Synced", Health: args[0], HealthSince: time.Now().Add(-time.Hour),
		Revision: strings.TrimSpace(revision), Images: []string{args[1]}, Nodes: []healthd.Node{
			{Kind: "Deployment", Namespace: "demo", Name: "demo-api", Health: args[0], Message: "back-off restarting failed container"},
		},
	})
}

// setQuery decides if every query yields something: prometheus yes|no
func setQuery(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: prometheus yes|no")
	}
	ts.Value(sourcesKey{}).(*healthd.Server).Yields(func(string, time.Time) bool { return args[0] == "yes" })
}

// startRuns makes a run of each workflow that is dispatched from now on: runs
func startRuns(ts *testscript.TestScript, _ bool, _ []string) {
	server := ts.Value(githubKey{}).(*standIn).server
	server.OnEvent(func(e githubd.Event) {
		if e.Name != "workflow_dispatch" || e.Started == nil {
			return
		}
		e.Started(server.AddRun(githubd.Run{
			Repository: e.Repository, Path: ".github/workflows/" + e.Workflow, Workflow: e.Workflow, Event: e.Name, Actor: e.Actor,
			HeadSHA: e.SHA, Title: fmt.Sprint(e.Inputs),
		}))
	})
}

// endRuns ends the runs of a workflow that the inputs' text is in: ends FILE CONCLUSION
func endRuns(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ends FILE CONCLUSION")
	}
	server := ts.Value(githubKey{}).(*standIn).server
	ended := 0
	for _, r := range server.Runs("acme/config") {
		if strings.HasSuffix(r.Path, "/"+args[0]) {
			ended++
			server.UpdateRun("acme/config", r.ID, func(r *githubd.Run) { r.Status, r.Conclusion = "completed", args[1] })
		}
	}
	if ended == 0 {
		ts.Fatalf("no run of %s", args[0])
	}
}
