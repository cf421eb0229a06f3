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
	{Name: "platform", Type: contract.List, Commas: true, Default: "linux/amd64\nlinux/arm64"},
	{Name: "build_arg", Type: contract.List},
	{Name: "fast", Type: contract.Bool, Default: "false"},
	{Name: "max_age", Type: contract.Duration, Default: "72h"},
	{Name: "steps", Type: contract.Int},
	{Name: "engine", Type: contract.Choice, Values: []string{"auto", "buildkit"}, Default: "auto"},
	{Name: "token", Type: contract.String, Secret: true},
}}

// engine is the type of a choice.
type engine string

// inputs are the options of sample.
type inputs struct {
	Image    string        `input:"image"`
	Platform []string      `input:"platform"`
	BuildArg []string      `input:"build_arg"`
	Fast     bool          `input:"fast"`
	MaxAge   time.Duration `input:"max_age"`
	Steps    int           `input:"steps"`
	Engine   engine        `input:"engine"`
	Group
}

// Group is a group of inputs, of which sample takes a part.
type Group struct {
	Token   string `input:"token"`
	Missing string `input:"app_id"`
}

func fill(t *testing.T, v contract.Values) (in inputs) {
	t.Helper()
	if err := v.Fill(&in); err != nil {
		t.Fatal(err)
	}
	return in
}

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
	in := fill(t, v)
	if in.Image != "flag" || !slices.Equal(in.Platform, []string{"a", "b"}) {
		t.Errorf("a flag does not win over the environment: %q %q", in.Image, in.Platform)
	}
	if !in.Fast || in.MaxAge != 7*24*time.Hour || in.Steps != 3 || in.Token != "s3cret" {
		t.Error("the environment does not win over defaults")
	}
	if in.Engine != "auto" {
		t.Errorf("an empty variable is an input that was not given; got %q", in.Engine)
	}
	if got := v.Secrets(); !slices.Equal(got, []string{"s3cret"}) {
		t.Errorf("the secrets are %q", got)
	}
}

// The fields of a command's options are its inputs; those of a group that it
// does not take stay empty.
func TestFill(t *testing.T) {
	t.Parallel()
	v, err := contract.Resolve(
		sample, map[string][]string{"image": {"x"}, "fast": {"true"}, "steps": {"2"}},
		env(map[string]string{"WAYBILL_INPUT_TOKEN": "t"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	var exported struct {
		Wrong string `input:"imag"`
	}
	if err := v.Fill(&exported); err == nil || !strings.Contains(err.Error(), `"imag"`) {
		t.Errorf("an input that is not declared: %v", err)
	}
	options := fill(t, v)
	if options.Image != "x" || len(options.Platform) != 2 || !options.Fast || options.MaxAge != 72*time.Hour || options.Steps != 2 ||
		options.Engine != "auto" || options.Token != "t" || options.Missing != "" {
		t.Errorf("%+v", options)
	}
}

// Commas separate values where no value can hold one, and nowhere else.
func TestLists(t *testing.T) {
	t.Parallel()
	v, err := contract.Resolve(
		sample, map[string][]string{"image": {"x"}, "platform": {"a,b", "c\nd"}, "build_arg": {"A=1,2", "B=3\n4"}}, env(nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := fill(t, v).Platform; !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("with commas: %q", got)
	}
	if got := fill(t, v).BuildArg; !slices.Equal(got, []string{"A=1,2", "B=3\n4"}) {
		t.Errorf("without: %q", got)
	}
}

func TestResolveListsFromEnvironmentAreLines(t *testing.T) {
	t.Parallel()
	v, err := contract.Resolve(
		sample, nil,
		env(map[string]string{
			"WAYBILL_INPUT_IMAGE": "x", "WAYBILL_INPUT_BUILD_ARG": "\n  a b \r\n\nc,d\n", "WAYBILL_INPUT_PLATFORM": "e,f\ng",
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := fill(t, v).BuildArg; !slices.Equal(got, []string{"a b", "c,d"}) {
		t.Errorf("%q", got)
	}
	if got := fill(t, v).Platform; !slices.Equal(got, []string{"e", "f", "g"}) {
		t.Errorf("with commas: %q", got)
	}
}

// A text names other inputs by reference, so that help and actions can spell
// them. A backquoted word that is an input's name is another thing of that name:
// a choice, a command, or an example.
func TestDocsReferToInputs(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile("`([a-z_]+)[`:]")
	others := []string{"backend", "ref", "run"}
	for _, c := range contract.Commands() {
		texts := map[string]string{"its description": c.Long}
		var choices []string
		for _, in := range c.Inputs {
			texts[in.Name] = in.Doc
			choices = append(choices, in.Values...)
		}
		for where, text := range texts {
			for _, m := range word.FindAllStringSubmatch(text, -1) {
				_, isInput := c.Input(m[1])
				_, isCommand := contract.Lookup(m[1])
				if isInput && !isCommand && !slices.Contains(choices, m[1]) && !slices.Contains(others, m[1]) {
					t.Errorf("%s, %s: write {%s}", c.Name, where, m[1])
				}
			}
			if strings.Contains(text, "one per line") {
				t.Errorf("%s, %s: how a list is written follows from its type", c.Name, where)
			}
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	c, _ := contract.Lookup("bump")
	const text = "{via: deployment}, {allow_older: false}, {token}, {image}, {scan.upload_sarif}, {{version}}, {nonsense}"
	const flags = "--via deployment, --allow-older=false, WAYBILL_INPUT_TOKEN, IMAGE, waybill scan --upload-sarif, {{version}}, {nonsense}"
	const action = "`via: deployment`, `allow_older: false`, `token`, `image`, `upload_sarif` of `scan`, {{version}}, {nonsense}"
	if got := c.FlagText(text); got != flags {
		t.Errorf("on the command line: %s", got)
	}
	if got := c.ActionText(text); got != action {
		t.Errorf("in an action: %s", got)
	}
}

// A choice that is missing is named with what there is to choose.
func TestMissingChoice(t *testing.T) {
	t.Parallel()
	command := contract.Command{Name: "init", Inputs: []contract.Input{{
		Name: "kind", Type: contract.Choice, Values: []string{"app", "config"}, Required: true, Positional: true,
		Doc: "Kind of repository.",
	}}}
	_, err := contract.Resolve(command, nil, env(nil))
	if err == nil || err.Error() != "KIND is missing: Kind of repository: one of app, config" {
		t.Error(err)
	}
}

func TestResolveReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := contract.Resolve(
		sample, map[string][]string{"fast": {"yes"}, "max_age": {"soon"}, "steps": {"-1"}, "engine": {"docker"}}, env(nil),
	)
	if outcome.Code(err) != outcome.Usage {
		t.Fatalf("error %v is no usage error", err)
	}
	for _, want := range []string{
		"IMAGE is missing: The image", `--fast: "yes" is neither true nor false`, `--max-age: "soon" is not a duration`,
		`--steps: "-1" is not a whole number`, `--engine: "docker" is not one of auto, buildkit`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error\n%v\ndoes not say\n%s", err, want)
		}
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
			sensitive := regexp.MustCompile(`token|password|secret_|seal_key$|app_key$`).MatchString(in.Name)
			if sensitive != in.Secret && in.Name != "registry_username" {
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
