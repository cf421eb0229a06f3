package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal/actions"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// driftRepository is an infrastructure repository of two roots, network and
// service, that are applied; world is where their things are.
func driftRepository(t *testing.T) (dir, world, rc string) {
	t.Helper()
	terraform, rc := tooltest.Find(t, "terraform"), tooltest.World(t)
	dir, world = t.TempDir(), t.TempDir()
	for _, name := range []string{"network", "service"} {
		write(t, dir, map[string]string{"infra/" + name + "/main.tf": fmt.Sprintf(`terraform {
  required_providers {
    world = { source = "waybill-dev/world" }
  }
  backend "local" {
    path = %q
  }
}

variable "password" {
  type      = string
  sensitive = true
  default   = %q
}

resource "world_thing" "this" {
  path     = %q
  settings = { size = "1" }
  secret   = var.password
}
`, filepath.Join(world, name+".tfstate"), secret, filepath.Join(world, name))})
		for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve"}} {
			command := process.Command{
				Path: terraform, Args: args, Dir: filepath.Join(dir, "infra", name),
				Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + world, "TF_CLI_CONFIG_FILE=" + rc},
			}
			if _, err := command.Output(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(filepath.Join(dir, "infra", name, ".terraform")); err != nil {
			t.Fatal(err)
		}
	}
	return dir, world, rc
}

// What the action hands on, and what it leaves in the job: outputs, summary,
// warnings and issues, and no secret in any of them.
func TestDriftInAJob(t *testing.T) {
	t.Parallel()
	dir, world, rc := driftRepository(t)
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {
		"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "begin",
	}} {
		if _, err := git.Run(t.Context(), dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	server := githubtest.Start(t, sandbox.Options{})
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/infra", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	env := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "TF_CLI_CONFIG_FILE": rc, "GITHUB_ACTIONS": "true",
		"GITHUB_REPOSITORY": "acme/infra", "GITHUB_API_URL": server.APIURL(), "GITHUB_SERVER_URL": server.URL(),
		"GITHUB_TOKEN": server.CreateToken(sandbox.Token{
			Job: true, Permissions: map[string]string{"contents": "read", "issues": "write"},
		}),
		"GITHUB_OUTPUT": filepath.Join(files, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(files, "summary"),
	}
	var seen bytes.Buffer
	run := func(args ...string) (code int, words, outputs string) {
		t.Helper()
		for _, name := range []string{"output", "summary"} {
			write(t, files, map[string]string{name: ""})
		}
		var stdout, stderr bytes.Buffer
		code = program.Run(t.Context(), cli.Process{
			Args: append([]string{"drift", "--checkout", dir}, args...), Getenv: func(name string) string { return env[name] },
			Stdout: &stdout, Stderr: &stderr,
		})
		outputs = read(t, filepath.Join(files, "output"))
		for _, text := range []string{stdout.String(), stderr.String(), outputs, read(t, filepath.Join(files, "summary"))} {
			seen.WriteString(strings.ReplaceAll(text, "::add-mask::"+env["GITHUB_TOKEN"], ""))
		}
		return code, stderr.String(), outputs
	}
	const moved = "moved-Sesame-0815"
	write(t, world, map[string]string{"network": `{"settings": {"size": "9"}, "secret": "` + moved + `", "version": 3}`})
	code, words, outputs := run()
	if code != 0 || !strings.Contains(outputs, `[{"dir":"infra/network","workspace":"default","resources":1,"issue":1}]`) ||
		!strings.Contains(words, "::warning title=waybill drift::Drift in infra/network: 1 resource") {
		t.Errorf("%d %s %s", code, words, outputs)
	}
	if summary := read(t, filepath.Join(files, "summary")); !strings.Contains(summary, "**1 of 2 roots drifted") ||
		!strings.Contains(summary, "/acme/infra/issues/1>) opened") ||
		!strings.Contains(summary, "secret (sensitive value) → (sensitive value)") {
		t.Errorf("the summary is %s", summary)
	}
	// A root that is broken ends the command so, and hides nothing of the other.
	write(t, dir, map[string]string{"infra/service/bad.tf": "resource \"world_thing\" \"bad\" {\n}\n"})
	code, words, outputs = run()
	if code != 1 || !strings.Contains(words, "1 of 2 roots could not be planned: infra/service: ") ||
		!strings.Contains(outputs, `"issue":1}]`) || !strings.Contains(outputs, `[{"dir":"infra/service","workspace":"default"}]`) {
		t.Errorf("%d %s %s", code, words, outputs)
	}
	// What the policy of the default branch refuses is not run, and that root alone
	// is broken.
	write(
		t, dir,
		map[string]string{"infra/service/bad.tf": "data \"external\" \"x\" {\n  program = [\"touch\", \"" + files + "/ran\"]\n}\n"},
	)
	code, words, outputs = run("--issues=false")
	if code != 1 || !strings.Contains(words, "1 of 2 roots could not be planned: infra/service: policy: ") ||
		!strings.Contains(outputs, `"dir":"infra/network","workspace":"default","resources":1}`) {
		t.Errorf("%d %s %s", code, words, outputs)
	}
	// So is one that asks for a terraform that nobody has.
	write(t, dir, map[string]string{"infra/service/bad.tf": "terraform {\n  required_version = \"= 0.0.1\"\n}\n"})
	mirror := httptest.NewServer(http.NotFoundHandler())
	defer mirror.Close()
	code, words, outputs = run("--issues=false", "--terraform-mirror", mirror.URL)
	if code != 1 || !strings.Contains(words, "1 of 2 roots could not be planned: infra/service: ") ||
		!strings.Contains(words, "0.0.1") || !strings.Contains(outputs, `"dir":"infra/network","workspace":"default","resources":1}`) {
		t.Errorf("%d %s %s", code, words, outputs)
	}
	// Trouble with GitHub is broken; what was found is said all the same.
	env["GITHUB_TOKEN"] = server.CreateToken(sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read"}})
	if err := os.Remove(filepath.Join(dir, "infra/service/bad.tf")); err != nil {
		t.Fatal(err)
	}
	write(t, world, map[string]string{"service": `{"settings": {"size": "8"}}`})
	code, words, outputs = run()
	if code != 1 || !strings.Contains(words, "keep the issues: infra/service: open an issue of acme/infra") ||
		!strings.Contains(words, "issues: write") ||
		!strings.Contains(outputs, `"dir":"infra/service","workspace":"default","resources":1}`) {
		t.Errorf("%d %s %s", code, words, outputs)
	}
	// It stays trouble where drift alone would be a refusal.
	code, words, _ = run("--fail-on-drift")
	if code != 1 || !strings.Contains(words, "keep the issues: ") || !strings.Contains(words, "roots drifted") {
		t.Errorf("%d %s", code, words)
	}
	if code, words, _ = run("--fail-on-drift", "--issues=false"); code != 3 {
		t.Errorf("%d %s", code, words)
	}
	// Without issues there is no need for the permission.
	if code, words, _ = run("--issues=false"); code != 0 {
		t.Errorf("%d %s", code, words)
	}
	issues, err := json.Marshal(server.Issues("acme/infra"))
	if err != nil {
		t.Fatal(err)
	}
	seen.Write(issues)
	for _, s := range []string{secret, moved} {
		if strings.Contains(seen.String(), s) {
			t.Errorf("%s is shown", s)
		}
	}
}

// The starter workflow, as it is, with the real act and terraform: opens,
// closes and opens again.
func TestDriftWorkflow(t *testing.T) {
	t.Parallel()
	act, root := tooltest.Find(t, "act"), tooltest.Root(t)
	if _, err := os.Stat(filepath.Join(root, "bin", "waybill")); err != nil {
		t.Skip("needs bin/waybill: run make build")
	}
	seed, world, rc := driftRepository(t)
	write(t, seed, map[string]string{".github/workflows/drift.yml": read(t, filepath.Join(root, "workflows/infra/drift.yml"))})
	dir := t.TempDir()
	server := githubtest.Start(t, sandbox.Options{Dir: filepath.Join(dir, "github")})
	engine, err := actions.Start(context.WithoutCancel(t.Context()), actions.Options{GitHub: server, Act: act,
		Dir: filepath.Join(dir, "runs"), Logf: t.Logf,
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=" + rc,
		}, Binaries: starters(t, filepath.Join(root, "bin")), Local: map[string]string{"waybill-dev/waybill": root}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/infra", Dir: seed}); err != nil {
		t.Fatal(err)
	}
	w := &infraWorld{t: t, github: server, seen: new(bytes.Buffer)}
	var runs []string
	dispatch := func(want string) []sandbox.Issue {
		t.Helper()
		w.api("ada", "POST", "/repos/acme/infra/actions/workflows/drift.yml/dispatches", `{"ref":"main"}`)
		runs = append(runs, "drift.yml workflow_dispatch success")
		w.idle(runs...)
		issues := server.Issues("acme/infra")
		got := ""
		for _, i := range issues {
			got += fmt.Sprintf("%d %s %s by %s\n", i.Number, i.State, i.Title, i.Author)
		}
		if got != want {
			t.Fatalf("the issues are %q, want %q", got, want)
		}
		return issues
	}
	dispatch("")
	service := filepath.Join(world, "service")
	before := read(t, service)
	if err := os.Remove(service); err != nil {
		t.Fatal(err)
	}
	if issues := dispatch("1 open Drift in infra/service: 1 resource by github-actions[bot]\n"); !strings.Contains(
		issues[0].Body, "`world_thing.this` | **gone** | made again",
	) {
		t.Errorf("the issue says %s", issues[0].Body)
	}
	write(t, world, map[string]string{"service": before})
	dispatch("1 closed Drift in infra/service: 1 resource by github-actions[bot]\n")
	write(t, world, map[string]string{"service": strings.Replace(before, `"1"`, `"7"`, 1)})
	dispatch("1 open Drift in infra/service: 1 resource by github-actions[bot]\n")
}
