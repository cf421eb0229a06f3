package views_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/files"
	"github.com/waybill-dev/waybill/internal/delivery/running"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// docs/schema has a JSON Schema for what each command prints with --format json,
// made from the same types as docs/json.md.
func TestSchemas(t *testing.T) {
	t.Parallel()
	w := &writer{root: tooltest.Root(t)}
	dir := filepath.Join(w.root, "docs", "schema")
	printed := map[string]reflect.Type{
		"scan-running": reflect.TypeFor[running.Report](),
		"sign-file":    reflect.TypeFor[files.Signed](), "verify-file": reflect.TypeFor[files.Verified](),
	}
	for _, c := range contract.Commands() {
		in, takes := c.Input("format")
		if !takes || !slices.Contains(in.Values, "json") || rendered[c.Name] == nil {
			continue
		}
		printed[c.Name] = document(t, rendered[c.Name])
	}
	for name, of := range printed {
		data := schemaOf(t, w, name, of)
		file := filepath.Join(dir, name+".json")
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, data) {
			t.Errorf("docs/schema/%s.json is not what the types give: run make generate (%v)", name, err)
		}
		fits(t, name, data, of)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if printed[strings.TrimSuffix(f.Name(), ".json")] == nil {
			t.Errorf("docs/schema/%s is of no command", f.Name())
		}
	}
}

// fits holds a schema against the empty result, and against one with an unknown
// field, which it must refuse.
func fits(t *testing.T, name string, data []byte, of reflect.Type) {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource(name, parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := json.Marshal(reflect.Zero(of).Interface())
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(empty))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: the empty result %s: %v", name, empty, err)
	}
	if object, is := value.(map[string]any); is {
		object["unknown-field"] = true
		if schema.Validate(object) == nil {
			t.Errorf("%s takes a field that is not there", name)
		}
	}
}

// schemas collects the definitions of one document.
type schemas struct {
	t    *testing.T
	w    *writer
	defs map[string]any
}

func schemaOf(t *testing.T, w *writer, command string, of reflect.Type) []byte {
	t.Helper()
	s := &schemas{t: t, w: w, defs: map[string]any{}}
	root := s.of(of)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "waybill " + command + " --format json"
	root["$defs"] = s.defs
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func (s *schemas) of(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case t.Implements(textForm):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"anyOf": []any{s.of(t.Elem()), map[string]any{"type": "null"}}}
	case reflect.Slice: // one that is nil is null
		return map[string]any{"type": []string{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		name := t.String()
		if _, known := s.defs[name]; !known {
			s.defs[name] = nil // against circles
			s.defs[name] = s.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "integer"}
}

func (s *schemas) object(of reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range reflect.VisibleFields(of) {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous {
			continue
		}
		from := of
		optional := strings.Contains(rest, "omit")
		if len(f.Index) > 1 {
			if from = of.Field(f.Index[0]).Type; from.Kind() == reflect.Pointer {
				from, optional = from.Elem(), true
			}
		}
		property := s.of(f.Type)
		if comment := s.w.comments(s.t, from)[f.Name]; comment != "" {
			property["description"] = comment
		}
		properties[name] = property
		if !optional {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
