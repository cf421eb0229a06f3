package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/plan"
	"github.com/waybill-dev/waybill/internal/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/sandbox/actions"
	sandbox "github.com/waybill-dev/waybill/internal/sandbox/github"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// The starter workflows, as they are, with the real act and terraform: a pull
// request is planned, merged before it is approved, which waits, then approved
// and applied.
func TestInfraWorkflows(t *testing.T) {
	t.Parallel()
	tooltest.Find(t, "terraform")
	act := tooltest.Find(t, "act")
	root := tooltest.Root(t)
	if _, err := os.Stat(filepath.Join(root, "bin", "waybill")); err != nil {
		t.Skip("needs bin/waybill: run make build")
	}
	dir := t.TempDir()
	env := []string{"PATH=" + filepath.Join(root, "bin") + ":" + os.Getenv("PATH"), "HOME=" + dir}
	server, err := sandbox.New(sandbox.Options{Dir: filepath.Join(dir, "github")})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	engine, err := actions.Start(context.WithoutCancel(t.Context()), actions.Options{GitHub: server, Act: act, Dir: filepath.Join(dir, "runs"), Env: env,
		Local: map[string]string{"waybill-dev/waybill": root}, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	states := t.TempDir() // a job's directory goes with the job
	seed := t.TempDir()
	if err := os.CopyFS(seed, os.DirFS(filepath.Join(root, "examples", "infra"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"network", "service"} {
		path := filepath.Join(seed, "infra", name, "main.tf")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, seed, map[string]string{"infra/" + name + "/main.tf": strings.Replace(string(data), `backend "local" {}`, fmt.Sprintf("backend \"local\" {\n    path = %q\n  }", filepath.Join(states, name+".tfstate")), 1)})
	}
	err = server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/infra", Dir: seed,
		Vars:    map[string]string{"WAYBILL_SEAL_TO": identity.Recipient().String(), "WAYBILL_PLAN_STORE": "oci://" + registrytest.New(t, nil).Host + "/acme/plans"},
		Secrets: map[string]string{"WAYBILL_SEAL_KEY": identity.String(), "WAYBILL_TEAM_TOKEN": server.CreateToken(sandbox.Token{User: "reader", Permissions: map[string]string{"members": "read"}})},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.SetTeam("acme/network", "nora")
	server.SetTeam("acme/platform", "bob")
	w := &infraWorld{t: t, github: server, seen: new(bytes.Buffer)}
	w.clone = w.cloneAs("ada")
	w.git(w.clone, "checkout", "-q", "-b", "change")
	w.open("ada", map[string]string{"modules/labels/main.tf": read(t, filepath.Join(seed, "modules/labels/main.tf")) + "\nlocals {\n  owner = \"platform\"\n}\n"})
	w.idle("plan.yml pull_request success")
	comment := server.Pulls("acme/infra")[0].Comments[0]
	claim, ok := plan.ReadClaim(comment)
	if !ok || !strings.HasPrefix(claim.Plan, "oci://") || !strings.Contains(comment, "1 of acme/network for `infra/network`; 1 of acme/platform for `infra/service`") {
		t.Fatalf("the comment is %s", comment)
	}
	w.approve("nora", claim.Fingerprint)
	w.merge()
	runs := w.idle("plan.yml pull_request success", "apply.yml push failure")
	if log := read(t, runs[1].Log); !strings.Contains(log, "infra/service: 0 of 1 approvals; still needed: 1 of acme/platform") {
		t.Errorf("apply does not say what it waits for: %s", log)
	}
	w.comment("bob", "/approve "+string(claim.Fingerprint))
	w.api("ada", "POST", "/repos/acme/infra/actions/workflows/apply.yml/dispatches", `{"ref":"main","inputs":{"pull_request":"1"}}`)
	runs = w.idle("plan.yml pull_request success", "apply.yml push failure", "apply.yml workflow_dispatch success")
	for _, name := range []string{"network", "service"} {
		if state := read(t, filepath.Join(states, name+".tfstate")); !strings.Contains(state, "managed-by") {
			t.Errorf("%s was not applied: %s", name, state)
		}
	}
	for _, run := range runs {
		if log := read(t, run.Log); strings.Contains(log, "only-for-the-example") || strings.Contains(log, identity.String()) {
			t.Errorf("the log of %s holds a secret", run.Path)
		}
	}
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
		w.t.Fatalf("runs: %q, want %q\n%s", got, want, read(w.t, runs[len(runs)-1].Log))
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
