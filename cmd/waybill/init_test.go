package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// What init writes for names that have nothing of the example's.
var umbrella = starter.Names{
	Owner: "Umbrella-Corp", ConfigRepo: "Umbrella-Corp/deploy", App: "shop-api", Registry: "registry.example:5000/umbrella",
	Environments: []string{"test", "qa", "preprod", "live"}, Account: "999988887777", Region: "us-east-2", Domain: "umbrella.test",
}

func starterIn(t *testing.T, kind string, n starter.Names) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := starter.Write(dir, kind, n, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Every workflow that init writes passes actionlint, shellcheck included.
func TestInitPassesActionlint(t *testing.T) {
	t.Parallel()
	lint := tooltest.Find(t, "actionlint")
	shellcheck := tooltest.Find(t, "shellcheck")
	app, frontend := umbrella, umbrella
	app.Template, frontend.Template = starter.Backend, starter.Frontend
	checked := 0
	for _, c := range []struct {
		kind  string
		names starter.Names
	}{{starter.Config, umbrella}, {starter.Infra, umbrella}, {starter.App, umbrella}, {starter.App, app}, {starter.App, frontend}} {
		dir := starterIn(t, c.kind, c.names)
		found, err := filepath.Glob(filepath.Join(dir, ".github", "workflows", "*.yml"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no workflows, %v", c.kind, err)
		}
		checked += len(found)
		out, err := process.Command{
			Path: lint, Args: append([]string{"-shellcheck", shellcheck}, found...), Dir: dir,
			Env: []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")},
		}.Output(t.Context())
		if err != nil {
			t.Errorf("%s: %v\n%s", c.kind, err, out)
		}
	}
	if checked < 10 {
		t.Errorf("%d workflows", checked)
	}
}

// The applications that init writes pass their own lint, tests and coverage.
func TestInitApplicationsPassTheirOwnTests(t *testing.T) {
	t.Parallel()
	for _, template := range []string{starter.Backend, starter.Frontend} {
		n := umbrella
		n.Template = template
		dir := starterIn(t, starter.App, n)
		env := slices.DeleteFunc(
			os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOEXPERIMENT=") || strings.HasPrefix(v, "GOFLAGS=") },
		)
		out, err := process.Command{
			Path: tooltest.Find(t, "make"), Args: []string{"-s", "lint", "test", "coverage"}, Dir: dir, Env: env,
		}.Output(t.Context())
		if err != nil || !strings.Contains(string(out), "%\n") {
			t.Errorf("%s: %v\n%s", template, err, out)
		}
	}
}

// And they are images without anything being executed: compiled for two
// platforms, then assembled.
func TestInitApplicationsAreAssembled(t *testing.T) {
	t.Parallel()
	waybill := filepath.Join(tooltest.Root(t), "bin", "waybill")
	if _, err := os.Stat(waybill); err != nil {
		t.Skip("needs bin/waybill: run make build")
	}
	for _, template := range []string{starter.Backend, starter.Frontend} {
		n := umbrella
		n.Template = template
		dir := starterIn(t, starter.App, n)
		env := slices.DeleteFunc(
			os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOEXPERIMENT=") || strings.HasPrefix(v, "GOFLAGS=") },
		)
		if out, err := (process.Command{
			Path: tooltest.Find(t, "make"), Args: []string{"-s", "build"}, Dir: dir, Env: env,
		}).Output(t.Context()); err != nil {
			t.Fatalf("%s: %v\n%s", template, err, out)
		}
		layout := filepath.Join(t.TempDir(), "image")
		out, err := process.Command{Path: waybill, Dir: dir, Env: []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")},
			Args: []string{
				"build", "--engine", "assemble", "--platform", "linux/amd64", "--platform", "linux/arm64", "--oci-layout", layout,
			}}.Output(t.Context())
		if err != nil {
			t.Fatalf("%s: %v\n%s", template, err, out)
		}
		if _, err := os.Stat(filepath.Join(layout, "index.json")); err != nil {
			t.Errorf("%s: no image: %v\n%s", template, err, out)
		}
	}
}

// Every root that init writes is formatted, valid, and can be planned: the
// module comes from its pinned address, which is led to this checkout, AWS is
// mocked.
func TestInitPassesTerraform(t *testing.T) {
	t.Parallel()
	terraform := tooltest.Find(t, "terraform")
	root := tooltest.Root(t)
	dir := starterIn(t, starter.Infra, umbrella)
	run := func(t *testing.T, at string, env []string, path string, args ...string) string {
		t.Helper()
		out, err := process.Command{
			Path: path, Args: args, Dir: at, Env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...),
		}.Output(t.Context())
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", path, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run(t, dir, nil, terraform, "fmt", "-check", "-recursive", "-diff", ".")

	module := filepath.Join(t.TempDir(), "waybill.git")
	if err := os.CopyFS(filepath.Join(module, "terraform"), os.DirFS(filepath.Join(root, "terraform"))); err != nil {
		t.Fatal(err)
	}
	git := tooltest.Find(t, "git")
	version := read(t, filepath.Join(root, "actions", "version.txt"))
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "--all", "--force"},
		{"-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-m", "x"},
		{"tag", "v" + strings.TrimSpace(version)},
	} {
		run(t, module, nil, git, args...)
	}
	env := []string{
		"TF_CLI_CONFIG_FILE=" + run(t, root, goEnvironment(), tooltest.Find(t, "bash"), "scripts/terraform-provider.sh"),
		"TF_IN_AUTOMATION=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://" + module + ".insteadOf",
		"GIT_CONFIG_VALUE_0=https://github.com/waybill-dev/waybill.git",
	}
	cfg, err := config.Load(filepath.Join(dir, config.FileName))
	if err != nil {
		t.Fatal(err)
	}
	// What AWS would answer is that of the module's own tests, but for the region.
	plan := fmt.Sprintf(`mock_provider "aws" {
  source = %q
  mock_data "aws_region" {
    defaults = { region = "us-east-2", name = "us-east-2" }
  }
}
run "plan" {
  command = plan
}
`, filepath.Join(root, "terraform", "testing", "aws"))
	for _, name := range []string{
		"bootstrap", "infra/network", "infra/service", "infra/aws/account", "infra/aws/test", "infra/aws/qa", "infra/aws/live",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := filepath.Join(dir, filepath.FromSlash(name))
			judgeStarter(t, cfg, dir, name, "")
			run(t, at, env, terraform, "init", "-backend=false", "-input=false", "-no-color")
			judgeStarter(t, cfg, dir, name, filepath.Join(at, ".terraform"))
			if !strings.Contains(name, "aws") {
				run(t, at, env, terraform, "validate", "-no-color")
				return
			}
			if err := os.WriteFile(filepath.Join(at, "plan.tftest.hcl"), []byte(plan), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, at, env, terraform, "test", "-no-color") // validates first
		})
	}
}

// judgeStarter holds a root against the policy that is written with it. What it
// may find is that there is no lock file yet: it has the provider's checksums,
// and the README says when to commit it.
func judgeStarter(t *testing.T, cfg *config.Config, dir, root, data string) {
	t.Helper()
	findings, err := policy.Check(t.Context(), policy.Request{
		Top: dir, Dir: root, DataDir: data, Policies: []config.TerraformPolicy{cfg.Terraform().Policy},
		Committed: func(context.Context, string) (bool, error) { return true, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Rule != policy.RuleLockFile {
			t.Errorf("%s", f)
		}
	}
}

// goEnvironment is what go build needs to find its caches.
func goEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return !strings.HasPrefix(v, "HOME=") && !strings.HasPrefix(v, "GO") })
}
