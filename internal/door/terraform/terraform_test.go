package terraform

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

func TestEnvPassesNothingElse(t *testing.T) {
	t.Parallel()
	outside := map[string]string{"PATH": "/bin", "AWS_ROLE_ARN": "r", "GITHUB_TOKEN": "secret", "GITHUB_OUTPUT": "f",
		"WAYBILL_INPUT_SEAL_KEY": "k", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
		"TF_VAR_mine": "1", "TF_VAR_other": "2", "NAMED": "n", "TF_CLI_ARGS_apply": "-target=x", "TF_LOG": "trace", "LD_PRELOAD": "x"}
	got := Env(func(name string) string { return outside[name] }, []string{"NAMED"}, []string{"mine", "unset"})
	slices.Sort(got)
	if diff := cmp.Diff([]string{"AWS_ROLE_ARN=r", "NAMED=n", "PATH=/bin", "TF_VAR_mine=1"}, got); diff != "" {
		t.Error(diff)
	}
}

// A lock file that does not name every provider is refused, not completed.
func TestInitArgs(t *testing.T) {
	t.Parallel()
	want := []string{"init", "-input=false", "-no-color", "-lockfile=readonly", "-backend-config=key=value"}
	if diff := cmp.Diff(want, initArgs([]string{"key=value"})); diff != "" {
		t.Error(diff)
	}
}

func TestPlanArgs(t *testing.T) {
	t.Parallel()
	got := planArgs(
		PlanOptions{Out: "o", VarFiles: []string{"a", "b"}, Destroy: true}, Open(Options{LockTimeout: 90 * time.Second}).lockArg(),
	)
	want := []string{"plan", "-input=false", "-no-color", "-out=o", "-lock-timeout=90s", "-destroy", "-var-file=a", "-var-file=b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := planArgs(PlanOptions{Out: "o", RefreshOnly: true}, "-lock=false"); !slices.Contains(got, "-refresh-only") {
		t.Errorf("plans more than a refresh: %q", got)
	}
	if got := Open(Options{LockTimeout: time.Minute, PlanUnlocked: true}).lockArg(); got != "-lock=false" {
		t.Errorf("a role that only reads would take a lock: %s", got)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]Reason{
		"╷\n│ Error: Saved plan is stale\n│ \n╵":     Stale,
		"│ Error: Error acquiring the state lock\n│": Locked,
		"│ Error: something else":                    "",
	} {
		err := explain(&process.Error{Program: "terraform", Stderr: words, Cause: errors.New("exit status 1")}, "")
		if !IsReason(err, want) || strings.ContainsAny(err.Error(), "╷│╵") {
			t.Errorf("%q: %v", words, err)
		}
	}
	// What a configuration says is no command to the runner, and colours nothing.
	err := explain(
		&process.Error{
			Program: "terraform", Stderr: "│ \x1b[31mError: x\n│ ::add-mask::y\n│   ::error::z ##[group]w\a",
			Cause: errors.New("exit status 1"),
		},
		"",
	)
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.ContainsAny(line, "\x1b\a") {
			t.Errorf("%q", line)
		}
	}
	err = explain(&process.Error{Program: "terraform", Cause: process.ErrNotFound}, "")
	if !strings.Contains(err.Error(), "terraform is not on PATH") {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var seen []Event
	w := &eventWriter{see: func(e Event) { seen = append(seen, e) }}
	text := `{"@level":"info","@message":"a: Creating...","type":"apply_start","hook":{"resource":{"addr":"a"},"action":"create"}}
not an event
{"@level":"error","@message":"Error: bad","type":"diagnostic","diagnostic":{"severity":"error","summary":"bad","detail":"because","address":"a"}}`
	for i := range len(text) { // however it arrives
		if _, err := w.Write([]byte{text[i]}); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	want := []Event{
		{Type: "apply_start", Level: "info", Message: "a: Creating...", Address: "a", Action: "create"},
		{Type: "diagnostic", Level: "error", Message: "Error: bad", Address: "a", Detail: "because"},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Error: bad\n\nbecause"}, w.errors); diff != "" {
		t.Error(diff)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestInspectAndIsRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"backend/m.tf": "terraform {\n  backend \"s3\" {}\n}\n", "cloud/m.tf": "terraform {\n  cloud {}\n}\n",
		"provider/m.tf":             "provider \"aws\" {}\n",
		"module/more.tofu":          "variable \"t\" {}\nmodule \"z\" {\n  source = \"../cloud\"\n}\n",
		"module/a_override.tf.json": `{"variable": {"a": {"sensitive": true}}}`,
		"module/m.tf": "terraform {\n  required_version = \">= 1\"\n}\nvariable \"a\" {}\nvariable \"s\" {\n  " +
			"sensitive = true\n}\nmodule \"x\" {\n  source = \"../backend\"\n}\nmodule \"y\" {\n  source = \"hashicorp/consul/aws\"\n}\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	for name, want := range map[string]bool{"backend": true, "cloud": true, "provider": true, "module": false} {
		if got, err := IsRoot(filepath.Join(dir, name)); err != nil || got != want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	write(t, filepath.Join(dir, "broken/m.tf"), "resource {{")
	if _, err := IsRoot(filepath.Join(dir, "broken")); err == nil || !strings.Contains(err.Error(), "m.tf:1: cannot be read") {
		t.Errorf("a file that cannot be read: %v", err)
	}
	m, err := Inspect(filepath.Join(dir, "module"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Module{
		Dir: filepath.Join(dir, "module"), Local: []string{filepath.Join(dir, "backend"), filepath.Join(dir, "cloud")},
		Fetched:   map[string]string{"y": "hashicorp/consul/aws"},
		Variables: []string{"a", "s", "t"}, Sensitive: []string{"a", "s"},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
}

// What the guard refuses before terraform initialises is not initialised; what it
// refuses afterwards goes no further, and its words are what is said.
func TestGuard(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, a := range map[string]struct {
		exit string
		at   string // asked with the data directory or without
		runs bool
	}{"before": {"0", "", false}, "after": {"0", "data", true}, "after it failed": {"1", "data", true}} {
		dir := t.TempDir()
		program := filepath.Join(dir, "terraform")
		write(t, program, "#!/bin/sh\ntouch "+filepath.Join(dir, "ran")+"\nexit "+a.exit+"\n")
		if err := os.Chmod(program, 0o755); err != nil {
			t.Fatal(err)
		}
		root := Open(Options{Path: program, Dir: dir, DataDir: "data", Env: []string{"PATH=" + os.Getenv("PATH")},
			Guard: func(_ context.Context, dataDir string) error {
				if dataDir == a.at {
					return refused
				}
				return nil
			}})
		for _, initialise := range []func() error{
			func() error { return root.Init(t.Context(), nil) }, func() error { return root.InitWithoutBackend(t.Context()) },
		} {
			if err := initialise(); !errors.Is(err, refused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "ran")); (err == nil) != a.runs {
			t.Errorf("%s: ran: %v", name, err == nil)
		}
	}
}

// A plan names the state it was made from, before and after there is one.
func TestRealTerraform(t *testing.T) {
	t.Parallel()
	program := tooltest.Find(t, "terraform")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.tf"), []byte("resource \"terraform_data\" \"x\" {\n  input = 1\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	root := Open(Options{Path: program, Dir: dir, DataDir: filepath.Join(t.TempDir(), "data"), Env: []string{"PATH=" + os.Getenv("PATH")}})
	ctx := t.Context()
	if version, err := root.Version(ctx); err != nil ||
		!strings.HasPrefix(version, "terraform ") && !strings.HasPrefix(version, "opentofu ") {
		t.Fatalf("%q %v", version, err)
	}
	if err := root.Init(ctx, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan")
	for i, wantSerial := range []bool{false, true} {
		if _, err := root.Plan(ctx, PlanOptions{Out: file}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		inPlan, err := PlanState(data)
		if err != nil {
			t.Fatal(err)
		}
		inBackend, err := root.State(ctx)
		if err != nil || inPlan != inBackend || (inPlan.Serial > 0) != wantSerial {
			t.Errorf("round %d: in the plan %+v, in the backend %+v, %v", i, inPlan, inBackend, err)
		}
		shown, err := root.Show(ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := ParsePlan(shown); err != nil || len(p.ResourceChanges) != 1 {
			t.Errorf("%+v %v", p, err)
		}
		if i == 0 {
			if err := root.Apply(ctx, file, nil, nil); err != nil {
				t.Fatal(err)
			}
			if err := root.Apply(ctx, file, nil, nil); !IsReason(err, Stale) {
				t.Errorf("applied twice: %v", err)
			}
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, ".terraform")); err == nil {
		t.Errorf("terraform wrote into the root: %v", entries)
	}
}

// What terraform warns of stands behind the plan that it prints, in a frame or without one.
func TestWarningsIn(t *testing.T) {
	t.Parallel()
	const behind = "Plan: 1 to add, 0 to change, 0 to destroy.\n\n"
	for text, want := range map[string][]string{
		behind: nil,
		behind + "Warning: one\n\n  on main.tf line 1:\n   1: x\n\nBecause.\n\n" +
			"Warning: two\n\n─────────\n\nSaved the plan to: x\n": {
			"one\n\n  on main.tf line 1:\n   1: x\n\nBecause.", "two",
		},
		behind + "Warning: the last": {"the last"},
		behind + "╷\n│ \x1b[33mWarning: one\n│ \n│ Because.\n╵\n" +
			"╷\n│ Warning: two\n╵\nReleasing state lock.\n": {"one\n\nBecause.", "two"},
		"╷\n│ Error: one\n╵\n":                     nil,
		"  + text = <<-EOT\n        Warning: no\n": nil,
	} {
		if diff := cmp.Diff(want, warningsIn(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	// The real one, which prints no colours here.
	dir := t.TempDir()
	configuration := "terraform {\n  backend \"local\" {}\n}\n" +
		"check \"c\" {\n  assert {\n    condition = terraform.workspace == \"x\"\n    error_message = \"not so\"\n  }\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	tf := Open(Options{Path: tooltest.Find(t, "terraform"), Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}})
	err := tf.Init(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	warnings, err := tf.Plan(t.Context(), PlanOptions{Out: filepath.Join(t.TempDir(), "plan")})
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "Check block assertion failed") ||
		!strings.HasSuffix(warnings[0], "not so") {
		t.Errorf("%q %v", warnings, err)
	}
}
