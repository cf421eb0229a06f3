package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/command/contract"
)

type action struct {
	Name, Description string
	Inputs            map[string]struct {
		Required bool
		Default  string
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			Run, Uses, Shell string
			Env              map[string]string
		}
	}
}

func parse(t *testing.T, data []byte) action {
	t.Helper()
	var a action
	if err := yaml.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

var expression = regexp.MustCompile(`\$\{\{`)

func TestActionsPassInputsByEnvironmentAlone(t *testing.T) {
	t.Parallel()
	for _, c := range contract.Commands() {
		if c.CommandOnly {
			continue
		}
		a := parse(t, commandAction(c))
		last := a.Runs.Steps[len(a.Runs.Steps)-1]
		if a.Runs.Using != "composite" || last.Run != `exec "$WAYBILL_BIN/waybill" `+c.Name {
			t.Errorf("%s runs %q", c.Name, last.Run)
		}
		for _, s := range a.Runs.Steps {
			if expression.MatchString(s.Run) || s.Uses != "" || s.Shell != "bash" {
				t.Errorf("%s: step %+v: an expression in run, a nested action, or no shell", c.Name, s)
			}
		}
		for _, in := range c.Inputs {
			declared, ok := a.Inputs[in.Name]
			if in.LocalOnly {
				if ok {
					t.Errorf("%s: %s is for the command line only", c.Name, in.Name)
				}
				continue
			}
			if !ok || declared.Required != in.Required || last.Env[in.EnvVar()] != "${{ inputs."+in.Name+" }}" {
				t.Errorf("%s: input %s is %+v, env %q", c.Name, in.Name, declared, last.Env[in.EnvVar()])
			}
			if in.Default != "" && declared.Default != in.Default {
				t.Errorf("%s: default of %s is %q, want %q", c.Name, in.Name, declared.Default, in.Default)
			}
		}
		for _, o := range c.Outputs {
			if a.Outputs[o.Name].Value != "${{ steps.waybill.outputs."+o.Name+" }}" {
				t.Errorf("%s: output %s is %q", c.Name, o.Name, a.Outputs[o.Name].Value)
			}
		}
	}
}

// An action whose key may be a reference to a service installs the program that
// reaches these, and no other action does.
func TestKeysOfServicesBringTheirProgram(t *testing.T) {
	t.Parallel()
	with := 0
	for _, c := range contract.Commands() {
		if c.CommandOnly {
			continue
		}
		a := parse(t, commandAction(c))
		_, signs := a.Inputs["key"]
		want := strings.Join(c.Binaries, " ")
		if signs {
			with++
			want = "${{ contains(inputs.key, '://') && '" + want + " sigstore-kms-waybill' || '" + want + "' }}"
		}
		if got := a.Runs.Steps[0].Env["WAYBILL_BINARIES"]; got != want {
			t.Errorf("%s installs %q, want %q", c.Name, got, want)
		}
	}
	if with < 2 {
		t.Errorf("%d actions with a key: is the input called otherwise now?", with)
	}
}

func TestCheckFindsDrift(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := run(root, true); err == nil {
		t.Error("nothing is written yet, and the check passes")
	}
	if err := run(root, false); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err != nil {
		t.Errorf("right after writing: %v", err)
	}
	at := filepath.Join(root, "actions", "scan", "action.yml")
	data, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, append(data, '#'), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err == nil || !strings.Contains(err.Error(), "1 generated files are stale") {
		t.Errorf("an edited action: %v", err)
	}
}
