// Command moddoc writes the input and output tables of Terraform modules into
// their README.md, between the two marker comments; with -check it changes
// nothing and fails where a table differs.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-config-inspect/tfconfig"
)

const (
	begin = "<!-- begin: inputs and outputs, written by scripts/terraform-docs.sh -->\n"
	end   = "<!-- end -->\n"
)

func main() {
	check := flag.Bool("check", false, "fail where a table differs, and change nothing")
	flag.Parse()
	if err := run(flag.Args(), *check); err != nil {
		fmt.Fprintln(os.Stderr, "moddoc:", err)
		os.Exit(1)
	}
}

func run(dirs []string, check bool) error {
	var stale []string
	for _, dir := range dirs {
		file := filepath.Join(dir, "README.md")
		old, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the page of a module: %w", err)
		}
		tables, err := tables(dir)
		if err != nil {
			return err
		}
		written, err := replace(old, tables)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if bytes.Equal(old, written) {
			continue
		}
		if check {
			stale = append(stale, file)
			continue
		}
		if err := os.WriteFile(file, written, 0o644); err != nil {
			return fmt.Errorf("write the page of a module: %w", err)
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("differ from variables.tf and outputs.tf: %s (run scripts/terraform-docs.sh)", strings.Join(stale, ", "))
	}
	return nil
}

// replace puts the tables between the markers of a page.
func replace(page []byte, tables string) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(begin))
	if !ok {
		return nil, fmt.Errorf("has no line %q", strings.TrimSpace(begin))
	}
	_, after, ok := bytes.Cut(rest, []byte(end))
	if !ok {
		return nil, fmt.Errorf("has no line %q", strings.TrimSpace(end))
	}
	return slices.Concat(before, []byte(begin), []byte(tables), []byte(end), after), nil
}

func tables(dir string) (string, error) {
	module, problems := tfconfig.LoadModule(dir)
	if problems.HasErrors() {
		return "", fmt.Errorf("read module %s: %w", dir, problems.Err())
	}
	var out strings.Builder
	out.WriteString("\n### Inputs\n\n| Name | Type | Default | What it is |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(module.Variables)) {
		v := module.Variables[name]
		if v.Description == "" || v.Type == "" {
			return "", fmt.Errorf("input %s of %s has no type or no description", name, dir)
		}
		value := "required"
		if !v.Required {
			text, err := json.Marshal(v.Default)
			if err != nil {
				return "", fmt.Errorf("input %s of %s: write its default: %w", name, dir, err)
			}
			value = code(string(text))
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", name, code(oneLine(v.Type)), value, cell(v.Description))
	}
	out.WriteString("\n### Outputs\n\n| Name | What it is |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(module.Outputs)) {
		o := module.Outputs[name]
		if o.Description == "" {
			return "", fmt.Errorf("output %s of %s has no description", name, dir)
		}
		fmt.Fprintf(&out, "| `%s` | %s |\n", name, cell(o.Description))
	}
	out.WriteString("\n")
	return out.String(), nil
}

func code(s string) string {
	return "`" + cell(strings.ReplaceAll(s, "`", "'")) + "`"
}

// cell makes one line of a text that stands in a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

// oneLine writes a type that stands on several lines on one, with the commas
// that line ends stand for.
func oneLine(typ string) string {
	var out strings.Builder
	for line := range strings.Lines(typ) {
		line = strings.TrimSpace(line)
		before := out.String()
		if before != "" && line != "" && !strings.HasSuffix(before, "{") && !strings.HasSuffix(before, "(") &&
			!strings.HasSuffix(before, ",") && !strings.HasPrefix(line, "}") && !strings.HasPrefix(line, ")") {
			out.WriteString(", ")
		}
		out.WriteString(line)
	}
	return out.String()
}
