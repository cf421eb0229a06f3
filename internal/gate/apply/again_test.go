package apply

import (
	"fmt"
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration/flow"
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
