package contract_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/outcome"
)

var sample = contract.Command{Name: "sample", Inputs: []contract.Input{
	{Name: "image", Type: contract.String, Required: true, Positional: true, Doc: "The image. By digest."},
	{Name: "platform", Type: contract.List, Default: "linux/amd64\nlinux/arm64"},
	{Name: "fast", Type: contract.Bool, Default: "false"},
	{Name: "max_age", Type: contract.Duration, Default: "72h"},
	{Name: "steps", Type: contract.Int},
	{Name: "engine", Type: contract.Choice, Values: []string{"auto", "buildkit"}, Default: "auto"},
	{Name: "token", Type: contract.String, Secret: true},
}}

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestResolvePrecedence(t *testing.T) {
	t.Parallel()
	v, err := contract.Resolve(sample, map[string][]string{"image": {"flag"}, "platform": {"a", "b"}}, env(map[string]string{
		"WAYBILL_INPUT_IMAGE": "environment", "WAYBILL_INPUT_PLATFORM": "c", "WAYBILL_INPUT_FAST": "true",
		"WAYBILL_INPUT_MAX_AGE": "7d", "WAYBILL_INPUT_STEPS": "3\n", "WAYBILL_INPUT_TOKEN": "s3cret", "WAYBILL_INPUT_ENGINE": "",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if v.String("image") != "flag" || !slices.Equal(v.List("platform"), []string{"a", "b"}) {
		t.Errorf("a flag does not win over the environment: %q %q", v.String("image"), v.List("platform"))
	}
	if !v.Bool("fast") || v.Duration("max_age") != 7*24*time.Hour || v.Int("steps") != 3 || v.String("token") != "s3cret" {
		t.Error("the environment does not win over defaults")
	}
	if v.String("engine") != "auto" {
		t.Errorf("an empty variable is an input that was not given; got %q", v.String("engine"))
	}
	if v.Err() != nil {
		t.Error(v.Err())
	}
}

func TestResolveListsFromEnvironmentAreLines(t *testing.T) {
	t.Parallel()
	v, err := contract.Resolve(sample, nil, env(map[string]string{"WAYBILL_INPUT_IMAGE": "x", "WAYBILL_INPUT_PLATFORM": "\n  a b \r\n\nc,d\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.List("platform"); !slices.Equal(got, []string{"a b", "c,d"}) {
		t.Errorf("%q", got)
	}
}

func TestResolveReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := contract.Resolve(sample, map[string][]string{"fast": {"yes"}, "max_age": {"soon"}, "steps": {"-1"}, "engine": {"docker"}}, env(nil))
	if outcome.Code(err) != outcome.Usage {
		t.Fatalf("error %v is no usage error", err)
	}
	for _, want := range []string{"IMAGE is missing: The image", `--fast: "yes" is neither true nor false`, `--max-age: "soon" is not a duration`, `--steps: "-1" is not a whole number`, `--engine: "docker" is not one of auto, buildkit`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error\n%v\ndoes not say\n%s", err, want)
		}
	}
}

func TestUndeclaredInputIsAnError(t *testing.T) {
	t.Parallel()
	v, err := contract.Resolve(sample, map[string][]string{"image": {"x"}}, env(nil))
	if err != nil {
		t.Fatal(err)
	}
	if v.String("imag") != "" || v.Err() == nil || !strings.Contains(v.Err().Error(), `"imag"`) {
		t.Errorf("error %v", v.Err())
	}
}

// The declarations themselves follow rules that the generated files rely on.
func TestDeclarations(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	access := []string{"read", "write"}
	for _, c := range contract.Commands() {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Long == "" || !strings.HasPrefix(c.Example, "waybill "+c.Name) {
			t.Errorf("%s: short %q, example %q", c.Name, c.Short, c.Example)
		}
		seen := map[string]bool{}
		for _, in := range c.Inputs {
			if !name.MatchString(in.Name) || seen[in.Name] {
				t.Errorf("%s: input %q", c.Name, in.Name)
			}
			seen[in.Name] = true
			if !strings.HasSuffix(in.Doc, ".") || len(in.Doc) < 15 {
				t.Errorf("%s.%s: describe it in a sentence: %q", c.Name, in.Name, in.Doc)
			}
			if in.Type == contract.Choice && !in.Required && !slices.Contains(in.Values, in.Default) {
				t.Errorf("%s.%s: default %q is no choice", c.Name, in.Name, in.Default)
			}
			if sensitive := regexp.MustCompile(`token|password|secret_|seal_key$|app_key$`).MatchString(in.Name); sensitive != in.Secret && in.Name != "registry_username" {
				t.Errorf("%s.%s: a secret must not be a flag", c.Name, in.Name)
			}
			if in.Required && in.Default != "" {
				t.Errorf("%s.%s is required and has a default", c.Name, in.Name)
			}
		}
		for _, p := range c.Permissions {
			if !slices.Contains(access, p.Access) || p.Why == "" || p.Scope == "" {
				t.Errorf("%s: permission %+v", c.Name, p)
			}
		}
		if len(c.Binaries) == 0 {
			t.Errorf("%s runs no binary", c.Name)
		}
	}
	if _, ok := contract.Lookup("deploy"); ok {
		t.Error("there is a command that is not declared")
	}
}
