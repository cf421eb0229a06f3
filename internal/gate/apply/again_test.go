package apply

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration/flow"
	"github.com/waybill-dev/waybill/internal/gate/plan"
)

// An argument or output that depends on an answer is hidden where the plan does not show
// its value, and only where something is done.
func TestHidden(t *testing.T) {
	t.Parallel()
	found := &flow.Found{Answers: map[string][]string{"a.x": {"arg"}, "output.o": {"value"}}}
	const (
		resource = `{"format_version":"1.2","resource_changes":[{"address":"module.m.a.x[0]","mode":"managed","type":%q,"name":"x",` +
			`"change":{"actions":[%q],"before":null,"after":%s,"after_unknown":%s,"after_sensitive":%s}}]}`
		output = `{"format_version":"1.2","output_changes":{"o":{"actions":[%q],"before":null,"after":1,"after_unknown":%s,` +
			`"after_sensitive":%s}}}`
	)
	known := `{"arg":"v","other":"w"}`
	for name, c := range map[string]struct {
		json string
		want string
	}{
		"it is shown":             {fmt.Sprintf(resource, "a", "create", known, "{}", "{}"), ""},
		"it is known later":       {fmt.Sprintf(resource, "a", "create", known, `{"arg":[{"in":true}]}`, "{}"), "arg of module.m.a.x[0]"},
		"another is known later":  {fmt.Sprintf(resource, "a", "create", known, `{"arg":[{"in":false}],"other":true}`, "{}"), ""},
		"it is sensitive":         {fmt.Sprintf(resource, "a", "update", known, "{}", `{"arg":true}`), "arg of module.m.a.x[0]"},
		"another is sensitive":    {fmt.Sprintf(resource, "a", "update", known, "{}", `{"other":true}`), ""},
		"all of it is sensitive":  {fmt.Sprintf(resource, "a", "update", known, "{}", "true"), "arg of module.m.a.x[0]"},
		"it is left out":          {fmt.Sprintf(resource, "a", "create", `{"other":"w"}`, "{}", "{}"), "arg of module.m.a.x[0]"},
		"it is null":              {fmt.Sprintf(resource, "a", "create", `{"arg":null}`, "{}", "{}"), "arg of module.m.a.x[0]"},
		"nothing is done":         {fmt.Sprintf(resource, "a", "no-op", known, "{}", `{"arg":true}`), ""},
		"it is destroyed":         {fmt.Sprintf(resource, "a", "delete", "null", "{}", "{}"), ""},
		"another type":            {fmt.Sprintf(resource, "b", "create", known, "{}", `{"arg":true}`), ""},
		"an output that is shown": {fmt.Sprintf(output, "create", "false", "false"), ""},
		"an output, known later":  {fmt.Sprintf(output, "create", "true", "false"), "output o"},
		"an output, sensitive":    {fmt.Sprintf(output, "update", "false", "true"), "output o"},
		"an output that stays":    {fmt.Sprintf(output, "no-op", "false", "true"), ""},
		"an output that goes":     {fmt.Sprintf(output, "delete", "false", "true"), ""},
	} {
		p, err := terraform.ParsePlan([]byte(c.json))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if got := hidden(found, p); !slices.Equal(got, want) {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}

// A text of the environment is compared with a value of the plan where both have one form.
func TestComparable(t *testing.T) {
	t.Parallel()
	list := []any{"a"}
	for _, c := range []struct {
		text  string
		value any
		want  bool
	}{{"x", "x", true}, {"[a", "x", true}, {`["a"]`, list, true}, {`[var]`, list, false}, {`{a = 1}`, map[string]any{}, false}} {
		if got := comparable(c.text, c.value); got != c.want {
			t.Errorf("%s: %t", c.text, got)
		}
	}
}

// The value of a variable is clear where this job would take the same as the plan holds:
// from files first, then from the environment or terraform.environments, then the default.
func TestUnclear(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for name, text := range map[string]string{
		"infra/main.tf": `variable "standard" { default = "d" }
variable "file" { default = "d" }
variable "given" { default = "d" }
variable "list" { type = list(string) }
variable "differs" {}
variable "open" {}
`,
		"infra/x.auto.tfvars": "file = \"f\"\n",
	} {
		path := filepath.Join(top, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"TF_VAR_file": "e", "TF_VAR_given": "g", "TF_VAR_list": `["a"]`}
	for name, c := range map[string]struct {
		variables string
		list      string // of the environment, where it is another one
		unclear   []string
		missing   []string
	}{
		"all as here": {variables: `"standard":{"value":"d"},"file":{"value":"f"},"given":{"value":"g"},"list":{"value":["a"]}`},
		"all others":  {variables: `"standard":{"value":"x"},"file":{"value":"e"}`, unclear: []string{"file", "standard"}},
		"a list that is written otherwise": {
			variables: `"list":{"value":["b"]}`, list: `[var]`, unclear: []string{"list"},
		},
		"one that may differ":    {variables: `"differs":{"value":"x"}`},
		"one that nobody gives":  {variables: `"open":{"value":"x"}`, unclear: []string{"open"}, missing: []string{"open"}},
		"one without a value":    {variables: `"standard":{}`, unclear: []string{"standard"}},
		"none, as of ephemerals": {variables: ``},
	} {
		p, err := terraform.ParsePlan([]byte(`{"format_version":"1.2","variables":{` + c.variables + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		a := &Applier{r: Request{Top: top, MayDiffer: []string{"differs"}, Getenv: func(name string) string {
			if name == "TF_VAR_list" && c.list != "" {
				return c.list
			}
			return env[name]
		}}}
		unclear, missing, err := a.unclear(plan.RootRecord{Dir: "infra"}, p)
		if err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(unclear, func(_ string, is bool) bool { return !is })
		if got := slices.Sorted(maps.Keys(unclear)); !slices.Equal(got, c.unclear) || !slices.Equal(missing, c.missing) {
			t.Errorf("%s: %q, and without a value %q", name, got, missing)
		}
	}
}
