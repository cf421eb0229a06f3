package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func module(t *testing.T, variables string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"variables.tf": variables,
		"outputs.tf":   "output \"id\" {\n  description = \"The thing.\"\n  value = 1\n}\n",
		"README.md":    "# thing\n\n" + begin + end + "\nafter\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const described = `variable "size" {
  description = "How large | how many."
  type = object({
    min = number
    max = optional(number, 3)
  })
  default = {}
}
`

func TestTables(t *testing.T) {
	t.Parallel()
	dir := module(t, described)
	if err := run([]string{dir}, true); err == nil || !strings.Contains(err.Error(), "differ from variables.tf") {
		t.Errorf("check of a page without tables: %v", err)
	}
	if err := run([]string{dir}, false); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# thing\n", "\nafter\n",
		"| `size` | `object({min = number, max = optional(number, 3)})` | `{}` | How large \\| how many. |",
		"| `id` | The thing. |",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("page lacks %q:\n%s", want, page)
		}
	}
	if err := run([]string{dir}, true); err != nil {
		t.Errorf("check after writing: %v", err)
	}
}

func TestUndescribed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"variable \"size\" {\n  type = number\n}\n":               "input size",
		"variable \"size\" {\n  description = \"How many.\"\n}\n": "input size",
	} {
		if err := run([]string{module(t, text)}, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
