package views_test

import (
	"encoding"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/delivery/files"
	"github.com/waybill-dev/waybill/internal/delivery/running"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var update = flag.Bool("update", false, "write docs/json.md")

// rendered are the views by command.
var rendered = map[string]any{
	"changed": views.Changed,
	"compile": views.Compile, "build": views.Build, "scan": views.Scan, "sign": views.Sign, "verify": views.Verify, "tag": views.Tag,
	"bump": views.Bump, "promote": views.Promote, "check": views.Check, "diff": views.Diff, "rollback": views.Rollback, "hold": views.Hold,
	"status": views.Status, "why": views.Why, "doctor": views.Doctor, "login": views.Login, "plan": views.Plan, "gate": views.Gate,
	"apply": views.Apply, "setup": views.Setup, "upgrade": views.Upgrade, "history": views.History, "report": views.Report,
	"replay": views.Replay, "audit": views.Audit,
	"drift": views.Drift, "init": views.Init, "version": views.Version,
}

// document is the type of a command's JSON: of the view's own document, else of
// the result.
func document(t *testing.T, view any) reflect.Type {
	t.Helper()
	f := reflect.ValueOf(view)
	in, result := f.Type().In(0), f.Type().In(1)
	v := f.Call([]reflect.Value{reflect.Zero(in), reflect.Zero(result)})[0].Interface().(show.View)
	if v.Document != nil {
		result = reflect.TypeOf(v.Document)
	}
	if _, err := json.Marshal(reflect.Zero(result).Interface()); err != nil {
		t.Errorf("%s has no JSON form: %v", result, err)
	}
	return result
}

// docs/json.md says what --format json prints, field by field. It is written from
// the Go types and the comments of their fields.
func TestDocuments(t *testing.T) {
	t.Parallel()
	w := &writer{root: tooltest.Root(t)}
	w.WriteString("<!-- Written by make generate from the Go types of the results. Do not edit. -->\n\n# Results as JSON\n\n" +
		"`--format json` prints the result of a command on standard output. Fields that are marked optional are left out when they " +
		"are empty. " +
		"Times are in RFC 3339, digests and images in the form REPOSITORY@sha256:HEX. " +
		"docs/schema has a JSON Schema for each.\n")
	for _, c := range contract.Commands() {
		in, takes := c.Input("format")
		if !takes || !slices.Contains(in.Values, "json") {
			continue
		}
		if rendered[c.Name] == nil {
			t.Errorf("%s --format json is not documented", c.Name)
			continue
		}
		result := document(t, rendered[c.Name])
		name := w.name(result)
		switch c.Name {
		case "apply":
			name += ", once for each plan that is applied"
		case "scan":
			name += "; with `--running` " + w.name(reflect.TypeFor[running.Report]())
		case "sign":
			name += "; with `--file` " + w.name(reflect.TypeFor[files.Signed]())
		case "verify":
			name += "; with `--file` " + w.name(reflect.TypeFor[files.Verified]())
		}
		fmt.Fprintf(w, "\n## %s\n\n%s.\n", c.Name, name)
	}
	for i := 0; i < len(w.types); i++ { // a type adds those of its fields
		w.table(t, w.types[i])
	}
	file := filepath.Join(w.root, "docs", "json.md")
	if *update {
		if err := os.WriteFile(file, []byte(w.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != w.String() {
		t.Errorf("docs/json.md is not what the types give: run make generate (%v)", err)
	}
}

type writer struct {
	strings.Builder
	root  string
	types []reflect.Type
}

var textForm = reflect.TypeFor[encoding.TextMarshaler]()

// name says what a JSON value of the type is.
func (w *writer) name(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t == reflect.TypeFor[json.RawMessage]():
		return "any JSON"
	case t.Implements(textForm):
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.name(t.Elem())
	case reflect.Slice:
		return "array of " + w.name(t.Elem())
	case reflect.Map:
		return "object with values of " + w.name(t.Elem())
	case reflect.Struct:
		if !slices.Contains(w.types, t) {
			w.types = append(w.types, t)
		}
		return fmt.Sprintf("[%s](#%s)", t, strings.ReplaceAll(strings.ToLower(t.String()), ".", ""))
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	}
	return "number"
}

func (w *writer) table(t *testing.T, of reflect.Type) {
	t.Helper()
	comments := w.comments(t, of)
	fmt.Fprintf(w, "\n## %s\n\n| Field | Type | What it is |\n|---|---|---|\n", of)
	for _, f := range reflect.VisibleFields(of) {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous {
			continue
		}
		comment := comments[f.Name]
		if name == "" {
			t.Errorf("%s.%s has no name in JSON", of, f.Name)
		}
		whole := false // whether the field is left out with all of what embeds it
		if len(f.Index) > 1 {
			from := of.Field(f.Index[0]).Type
			if whole = from.Kind() == reflect.Pointer; whole {
				from = from.Elem()
			}
			comment = w.comments(t, from)[f.Name]
		}
		if strings.Contains(rest, "omit") || whole {
			name += "` *optional*"
		} else {
			name += "`"
		}
		fmt.Fprintf(w, "| `%s | %s | %s |\n", name, w.name(f.Type), strings.ReplaceAll(comment, "|", `\|`))
	}
}

// comments reads what the source says of each field of a struct.
func (w *writer) comments(t *testing.T, of reflect.Type) map[string]string {
	t.Helper()
	comments := map[string]string{}
	dir := filepath.Join(w.root, strings.TrimPrefix(of.PkgPath(), "github.com/waybill-dev/waybill/"))
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != of.Name() {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, name := range f.Names {
						comments[name.Name] = strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
					}
				}
			}
			return false
		})
	}
	return comments
}
