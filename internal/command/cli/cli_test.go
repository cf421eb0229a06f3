package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/outcome"
)

type ran struct {
	code           int
	stdout, stderr string
	call           *cli.Call
}

// run runs the command `verify` of a program, which is as good as any.
func run(t *testing.T, env map[string]string, f func(*cli.Call) error, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	var r ran
	program := cli.Program{Name: "waybill", Short: "test", Commands: map[string]cli.Func{
		"verify": func(_ context.Context, call *cli.Call) error { r.call = call; return f(call) },
		"why":    func(context.Context, *cli.Call) error { return errors.New("must not run") },
	}}
	r.code = program.Run(t.Context(), cli.Process{Args: args, Getenv: func(n string) string { return env[n] }, Stdout: &stdout,
		Stderr: &stderr})
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		code int
		says string
	}{
		"done":    {nil, 0, ""},
		"broken":  {errors.New("registry down"), 1, "error: registry down\n"},
		"usage":   {outcome.Usagef("no app x"), 2, "error: no app x\n"},
		"refused": {outcome.Refusedf("no signature"), 3, "refused: no signature\n"},
		"pending": {outcome.Pendingf("soak"), 4, "pending: soak\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, nil, func(*cli.Call) error { return c.err }, "verify", "img")
			if r.code != c.code || r.stderr != c.says || r.stdout != "" {
				t.Errorf("exit %d, stderr %q, stdout %q", r.code, r.stderr, r.stdout)
			}
		})
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"misspelt command": {[]string{"verfy"},
			`unknown command "verfy" for "waybill". Did you mean verify? Otherwise see waybill --help`},
		"unknown command": {[]string{"deploy"}, `unknown command "deploy" for "waybill": see waybill --help`},
		"help on a misspelt command": {[]string{"help", "verfy"},
			`unknown command "verfy" for "waybill". Did you mean verify? Otherwise see waybill --help`},
		"completion for a misspelt shell": {[]string{"completion", "bsh"},
			`unknown command "bsh" for "waybill completion". Did you mean bash? Otherwise see waybill completion --help`},
		"misspelt flag": {[]string{"verify", "--polcy", "x"},
			"unknown flag: --polcy. Did you mean --policy? Otherwise see waybill verify --help"},
		"unknown flag":     {[]string{"verify", "--nothing-near", "x"}, "unknown flag: --nothing-near: see waybill verify --help"},
		"too many":         {[]string{"verify", "a", "b"}, `verify takes 1 argument(s)`},
		"missing argument": {[]string{"why"}, "APP is missing"},
		"wrong choice":     {[]string{"verify", "a", "--format", "xml"}, `--format: "xml" is not one of text, json, markdown`},
		"secret as a flag": {[]string{"verify", "a", "--registry-password", "x"}, "unknown flag: --registry-password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, nil, func(*cli.Call) error { return errors.New("must not run") }, c.args...)
			if r.code != outcome.Usage || !strings.Contains(r.stderr, c.says) || r.call != nil {
				t.Errorf("exit %d, stderr %q", r.code, r.stderr)
			}
		})
	}
}

func TestInputsComeByFlagAndByEnvironment(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"WAYBILL_INPUT_IMAGE": "from-env", "WAYBILL_INPUT_ENV": "prod",
		"WAYBILL_INPUT_REGISTRY_PASSWORD": "pw"},
		func(*cli.Call) error { return nil }, "verify", "--policy", "p.yaml", "--key", "a", "--key", "b")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	var in options.Verify
	if err := r.call.In.Fill(&in); err != nil {
		t.Fatal(err)
	}
	if in.Image != "from-env" || in.Env != "prod" || in.Policy != "p.yaml" || strings.Join(in.Key,
		",") != "a,b" || in.RegistryPassword != "pw" {
		t.Errorf("image %q env %q policy %q key %q", in.Image, in.Env, in.Policy, in.Key)
	}
}

func TestSecretsAreMaskedBeforeTheCommandRuns(t *testing.T) {
	t.Parallel()
	env := map[string]string{"GITHUB_ACTIONS": "true", "WAYBILL_INPUT_REGISTRY_PASSWORD": "hunter2", "GITHUB_TOKEN": "ghs_x",
		"COSIGN_PASSWORD": "pw3"}
	r := run(t, env, func(call *cli.Call) error { call.Sayf("running"); return nil }, "verify", "img")
	before, _, _ := strings.Cut(r.stderr, "running")
	for _, secret := range []string{"hunter2", "ghs_x", "pw3"} {
		if !strings.Contains(before, "::add-mask::"+secret+"\n") {
			t.Errorf("%s is not masked before the command runs: %q", secret, r.stderr)
		}
	}
}

func TestErrorsAnnotateInActions(t *testing.T) {
	t.Parallel()
	r := run(t, map[string]string{"GITHUB_ACTIONS": "true"}, func(*cli.Call) error { return outcome.Refusedf("a\nb") }, "verify", "img")
	if !strings.Contains(r.stderr, "::error title=waybill refused::a%0Ab\n") {
		t.Errorf("stderr %q", r.stderr)
	}
}

func TestMistakesAgainstTheContractAreErrors(t *testing.T) {
	t.Parallel()
	r := run(t, nil, func(call *cli.Call) error {
		step := func(context.Context, *cli.Call, options.Build) (int, error) { t.Error("it ran"); return 0, nil }
		return cli.With(step, func(options.Build, int) show.View { return show.View{} })(t.Context(), call)
	}, "verify", "img")
	if r.code != outcome.Broken || !strings.Contains(r.stderr, `reads input "context"`) {
		t.Errorf("undeclared input: exit %d, %q", r.code, r.stderr)
	}
	r = run(t, nil, func(call *cli.Call) error { return call.Output("nonsense", "x") }, "verify", "img")
	if r.code != outcome.Broken || !strings.Contains(r.stderr, `sets output "nonsense"`) {
		t.Errorf("undeclared output: exit %d, %q", r.code, r.stderr)
	}
}

func TestOutputsGoToTheRunner(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out")
	r := run(t, map[string]string{"GITHUB_OUTPUT": file}, func(call *cli.Call) error { return call.Output("allowed", "true") }, "verify",
		"img")
	data, err := os.ReadFile(file)
	if r.code != 0 || err != nil || !strings.HasPrefix(string(data), "allowed<<") {
		t.Errorf("exit %d, file %q %v", r.code, data, err)
	}
}
