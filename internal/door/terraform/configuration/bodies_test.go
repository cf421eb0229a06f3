package configuration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

// Values of variables are told as a plan holds them: as they are written, and as their type
// makes them. The last file that says one wins, and what cannot be told has no form.
func TestReadValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.tf": `
variable "plain" { default = "x" }
variable "number" {
  type    = string
  default = 7
}
variable "object" {
  type = object({ a = string, b = optional(bool, true) })
}
variable "nothing" { default = null }
variable "open" {}
variable "told" { default = "no" }
variable "other" {
  type    = list(string)
  default = ["a"]
}
variable "json" {}
`,
		"other_override.tf":     `variable "other" { default = ["b"] }`,
		"terraform.tfvars":      "object = { a = 1 }\ntold = \"first\"\nunknown = 1\n",
		"b.auto.tfvars.json":    `{"json": {"a": ["x"]}}`,
		"more.tfvars":           "told = \"last\"\n",
		"nobody-asks.tfvars":    "open = 1\n",
		"reference.auto.tfvars": "plain = data.x.y.z\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	values, err := configuration.ReadValues(dir, dir, []string{filepath.Join(dir, "more.tfvars")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ files, defaults string }{
		"number": {"-", `7 "7"`}, "object": {`{"a":1} {"a":"1","b":true}`, "-"}, "told": {`"last" "last"`, `"no" "no"`},
		"open": {"-", "-"}, "other": {"-", ""}, "json": {`{"a":["x"]} {"a":["x"]}`, "-"}, "nothing": {"-", "null null"},
		"plain": {"", `"x" "x"`}, // a file of variables names nothing, and terraform refuses it
	} {
		join := func(all []string, there bool) string {
			if !there {
				return "-"
			}
			return strings.Join(all, " ")
		}
		var files, defaults []string
		in, inFiles := values.Files[name]
		for _, v := range in {
			files = append(files, string(v))
		}
		standard, optional := values.Defaults[name]
		for _, v := range standard {
			defaults = append(defaults, string(v))
		}
		if got := join(files, inFiles); got != want.files {
			t.Errorf("%s in files: %s, not %s", name, got, want.files)
		}
		if got := join(defaults, optional); got != want.defaults {
			t.Errorf("%s by default: %s, not %s", name, got, want.defaults)
		}
	}
}
