// Package configuration says what a directory of terraform configuration
// holds, and at which line, without running terraform and without evaluating
// anything.
//
// It reads every file that terraform, OpenTofu or one of their commands would:
// native syntax and JSON, overrides, .tofu, tests and queries. A file that one
// program would pass over is read all the same. What it does not know, cannot
// parse or would have to evaluate is told as such and never left out, so that
// callers can refuse it. It follows no module and decides
// nothing.
package configuration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Place is where something stands. Lines and columns are counted from 1.
type Place struct {
	File         string // below the directory that was read, as it was given
	Line, Column int
}

// Module is what one directory says.
type Module struct {
	Dir          string
	Required     []Required
	Configured   []Named // provider blocks
	Uses         []Use
	Provisioners []Named
	Calls        []Call
	Variables    []Variable
	Backends     []Backend
	Programs     []Program
	Versions     []Named   // required_version, as the name
	Problems     []Problem // what could not be read
}

// Named is something with a name and a place.
type Named struct {
	Name string
	Place
}

// Required is an entry of required_providers.
type Required struct {
	Name    string // in this module
	Source  string // as written; empty where it is left to the name
	Version string // constraint
	Place
}

// The kinds of use.
const (
	Resource  = "resource"
	Data      = "data source"
	Ephemeral = "ephemeral resource"
	Action    = "action"
	List      = "list resource"
)

// Use is a block that a provider carries out.
type Use struct {
	Kind     string
	Type     string
	Name     string
	Provider string // its name in this module
	// Backend is the backend of a terraform_remote_state; empty where it is
	// computed.
	Backend string
	Place
}

// Address is how terraform names it.
func (u Use) Address() string {
	return map[string]string{
		Resource: "", Data: "data.", Ephemeral: "ephemeral.", Action: "action.", List: "list.",
	}[u.Kind] + u.Type + "." + u.Name
}

// Call is a module block.
type Call struct {
	Name    string
	Source  string // empty where it is computed
	Version string
	Place
}

// Variable is a variable block.
type Variable struct {
	Name      string
	Sensitive bool
}

// Program is a setting by which terraform or a provider starts a program.
type Program struct {
	Setting string // exec, command, shared_config_files, …
	Command string // its first word, or the setting's name where it names a file of settings; empty where it is computed
	In      string // the block
	Place
}

// Problem is something that cannot be judged, because it cannot be read.
type Problem struct {
	Message string
	Syntax  bool // of a whole file
	Place
}

// suffixes of the files that are read, and those read in the root alone.
var (
	suffixes     = []string{".tf", ".tf.json", ".tofu", ".tofu.json"}
	rootSuffixes = []string{".tftest.hcl", ".tftest.json", ".tofutest.hcl", ".tofutest.json", ".tfquery.hcl", ".tfquery.json"}
)

// testDirectory is where terraform looks for tests beside the root itself.
const testDirectory = "tests"

// Files lists the files of a module, or of a root, in order.
func Files(dir string, root bool) ([]string, error) {
	files, err := list(dir, root)
	if err != nil || !root {
		return files, err
	}
	tests, err := list(filepath.Join(dir, testDirectory), true)
	if os.IsNotExist(err) {
		return files, nil
	}
	// Configuration below tests/ is of modules that tests use, if at all.
	for _, f := range tests {
		if hasSuffix(f, rootSuffixes) {
			files = append(files, f)
		}
	}
	return files, err
}

func list(dir string, root bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#") {
			continue // as terraform does
		}
		if path := filepath.Join(dir, name); hasSuffix(name, suffixes) || root && hasSuffix(name, rootSuffixes) {
			if info, err := os.Stat(path); err != nil || !info.IsDir() {
				files = append(files, path)
			}
		}
	}
	return files, nil
}

func hasSuffix(name string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// maxFile bounds what is read of one file.
const maxFile = 8 << 20

// Read reads a directory. An error is trouble with the directory itself.
func Read(dir string, root bool) (*Module, error) {
	files, err := Files(dir, root)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	r := &reader{m: &Module{Dir: dir}}
	for _, f := range files {
		if body := r.parse(f); body != nil {
			r.file(f, body)
		}
	}
	return r.m, nil
}

type reader struct{ m *Module }

func (r *reader) parse(file string) hcl.Body {
	info, err := os.Stat(file)
	if err == nil && (info.Size() > maxFile || !info.Mode().IsRegular()) {
		err = fmt.Errorf("it is no file of at most %d MB", maxFile>>20)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		r.problem(Place{File: file, Line: 1, Column: 1}, "cannot be read: %v", err)
		r.m.Problems[len(r.m.Problems)-1].Syntax = true
		return nil
	}
	parsed, diagnostics := parseFile(data, file, strings.HasSuffix(file, ".json"))
	if r.diagnostics(diagnostics, file) || parsed == nil {
		return nil
	}
	return parsed.Body
}

// diagnostics reports errors, and reports whether there were any.
func (r *reader) diagnostics(diagnostics hcl.Diagnostics, file string) bool {
	for _, d := range diagnostics {
		if d.Severity != hcl.DiagError {
			continue
		}
		at := Place{File: file, Line: 1, Column: 1}
		if d.Subject != nil {
			at = place(*d.Subject)
		}
		r.problem(at, "cannot be read: %s: %s", d.Summary, d.Detail)
		r.m.Problems[len(r.m.Problems)-1].Syntax = true
	}
	return diagnostics.HasErrors()
}

func (r *reader) problem(at Place, format string, args ...any) {
	r.m.Problems = append(r.m.Problems, Problem{Message: fmt.Sprintf(format, args...), Place: at})
}

func place(r hcl.Range) Place { return Place{r.Filename, r.Start.Line, r.Start.Column} }

// content splits a body into what the schema knows and the rest.
func (r *reader) content(body hcl.Body, schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body) {
	content, rest, diagnostics := body.PartialContent(schema)
	r.diagnostics(diagnostics, body.MissingItemRange().Filename)
	return content, rest
}

// literal is the text of an expression that needs no evaluation.
func literal(e hcl.Expression) (string, bool) {
	if e == nil {
		return "", false
	}
	value, diagnostics := e.Value(nil)
	if diagnostics.HasErrors() || value.IsNull() || !value.IsKnown() || value.IsMarked() || value.Type().FriendlyName() != "string" {
		return "", false
	}
	text := value.AsString()
	return text, !isTemplate(e, text)
}

// isTemplate reports whether a text in JSON is a template, which OpenTofu evaluates also
// where terraform takes it as it is.
func isTemplate(e hcl.Expression, text string) bool {
	_, native := e.(hclsyntax.Expression)
	return !native && (strings.Contains(text, "${") || strings.Contains(text, "%{"))
}

// attribute is the literal text of an attribute; there says that it stands
// there at all.
func attribute(content *hcl.BodyContent, name string) (text string, there, read bool) {
	a, there := content.Attributes[name]
	if !there {
		return "", false, true
	}
	text, read = literal(a.Expr)
	return text, true, read
}

// unknown reports the blocks of a body that nobody asked for.
func (r *reader) unknown(rest hcl.Body, in string, known func(name string) bool) {
	if native, ok := rest.(*hclsyntax.Body); ok {
		for _, b := range native.Blocks {
			if !known(b.Type) {
				r.problem(place(b.DefRange()), "%s %q is not known to this version of Waybill, so it cannot be judged", in, b.Type)
			}
		}
		return
	}
	attributes, diagnostics := rest.JustAttributes()
	r.diagnostics(diagnostics, rest.MissingItemRange().Filename)
	for _, a := range attributes {
		if a.Name != "//" && !known(a.Name) {
			r.problem(place(a.NameRange), "%s %q is not known to this version of Waybill, so it cannot be judged", in, a.Name)
		}
	}
}
