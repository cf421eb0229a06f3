package githubd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// description is GitHub's own OpenAPI description of its REST API.
// https://github.com/github/rest-api-description
type description struct {
	document map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
}

const descriptionURL = "https://github.invalid/openapi.json"

func readDescription(t *testing.T) *description {
	t.Helper()
	data, err := os.ReadFile(tooltest.File(t, "github-openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{
		document: nullable(document).(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{},
	}
	d.compiler.DefaultDraft(jsonschema.Draft4)
	if err := d.compiler.AddResource(descriptionURL, d.document); err != nil {
		t.Fatal(err)
	}
	return d
}

// nullable rewrites OpenAPI 3.0's `nullable: true` as JSON Schema says it.
// https://spec.openapis.org/oas/v3.0.3#schema-object
func nullable(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = nullable(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = nullable(v[k])
		}
		if v["nullable"] != true {
			return v
		}
		delete(v, "nullable")
		return map[string]any{"anyOf": []any{v, map[string]any{"type": "null"}}}
	}
	return v
}

// wrong says where a request, or the answer to it, departs from the
// description. An empty request is one without a body.
func (d *description) wrong(method, path string, status int, request string, answer any) []string {
	template, operation := d.operation(method, path)
	if operation == nil {
		return []string{"GitHub has no such endpoint"}
	}
	at := "/paths/" + escapePointer(template) + "/" + strings.ToLower(method)
	responses, _ := operation["responses"].(map[string]any)
	response, known := responses[strconv.Itoa(status)].(map[string]any)
	if !known {
		return []string{fmt.Sprintf("GitHub answers no %d here", status)}
	}
	where := at + "/responses/" + strconv.Itoa(status)
	if ref, ok := response["$ref"].(string); ok {
		where = strings.TrimPrefix(ref, "#")
		response = d.at(where)
	}
	var problems []string
	if content, _ := response["content"].(map[string]any); content["application/json"] != nil {
		problems = d.fits(where+"/content/application~1json/schema", "answer", answer)
	} else if text, isText := answer.(string); !isText && answer != nil || content == nil && text != "" && status == 204 {
		problems = append(problems, "GitHub sends no JSON here")
	}
	if strings.HasSuffix(template, "/labels") && strings.HasPrefix(request, "[") {
		request = `{"labels":` + request + `}` // a bare list is taken too, and is what go-github sends
	}
	if request != "" {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(request))
		if err != nil {
			return append(problems, err.Error())
		}
		problems = append(problems, d.fits(at+"/requestBody/content/application~1json/schema", "request", value)...)
	}
	return problems
}

// operation finds the endpoint whose path has the most literal segments. A last
// parameter may hold slashes, as refs and files do.
func (d *description) operation(method, path string) (template string, operation map[string]any) {
	paths, _ := d.document["paths"].(map[string]any)
	best := -1
	for candidate, item := range paths {
		methods, _ := item.(map[string]any)
		op, has := methods[strings.ToLower(method)].(map[string]any)
		if literal, ok := matches(candidate, path); ok && has && literal > best {
			best, template, operation = literal, candidate, op
		}
	}
	return template, operation
}

func matches(template, path string) (literal int, ok bool) {
	want, got := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(got) < len(want) {
		return 0, false
	}
	for i, segment := range want {
		parameter := strings.HasPrefix(segment, "{")
		switch {
		case i == len(want)-1 && len(got) > len(want) && !slices.Contains([]string{"{ref}", "{path}", "{basehead}"}, segment):
			return 0, false
		case !parameter && segment != got[i]:
			return 0, false
		case !parameter:
			literal++
		}
	}
	return literal, true
}

func (d *description) at(pointer string) map[string]any {
	var now any = d.document
	for _, key := range strings.Split(strings.Trim(pointer, "/"), "/") {
		m, _ := now.(map[string]any)
		now = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)]
	}
	m, _ := now.(map[string]any)
	return m
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

func (d *description) fits(pointer, what string, value any) (problems []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	schema := d.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile(descriptionURL + "#" + pointer); err != nil {
			return []string{err.Error()}
		}
		d.schemas[pointer] = schema
	}
	// As the validator reads numbers.
	data, err := json.Marshal(value)
	if err != nil {
		return []string{err.Error()}
	}
	if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(data)); err != nil {
		return []string{err.Error()}
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(value); errors.As(err, &invalid) {
		for _, leaf := range leaves(invalid) {
			problems = append(problems, what+leaf)
		}
	}
	return problems
}

// leaves are the problems themselves, without the path to them.
func leaves(e *jsonschema.ValidationError) (all []string) {
	if len(e.Causes) == 0 {
		return []string{fmt.Sprintf(
			".%s: %s", strings.Join(e.InstanceLocation, "."), e.ErrorKind.LocalizedString(message.NewPrinter(language.English)),
		)}
	}
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A field of another type, one that is missing, a status and an endpoint that
// GitHub does not have are found.
func TestDescriptionFindsDepartures(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	ref := map[string]any{
		"ref": "refs/heads/main", "node_id": "x", "url": "https://x",
		"object": map[string]any{"type": "commit", "sha": strings.Repeat("a", 40), "url": "https://x"},
	}
	if got := d.wrong("GET", "/repos/acme/x/git/ref/heads/main", 200, "", ref); len(got) > 0 {
		t.Errorf("what is right: %q", got)
	}
	delete(ref, "node_id")
	ref["ref"] = 7
	got := strings.Join(d.wrong("GET", "/repos/acme/x/git/ref/heads/main", 200, "", ref), "\n")
	for _, want := range []string{"missing property 'node_id'", "answer.ref: got number, want string"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if got := d.wrong("GET", "/repos/acme/x/git/ref/heads/main", 299, "", ref); len(got) != 1 ||
		!strings.Contains(got[0], "answers no 299") {
		t.Errorf("%q", got)
	}
	if got := d.wrong("GET", "/repos/acme/x/nothing", 200, "", nil); len(got) != 1 || !strings.Contains(got[0], "no such endpoint") {
		t.Errorf("%q", got)
	}
	if got := d.wrong(
		"POST", "/repos/acme/x/issues", 201, `{"body":"b"}`, nil,
	); !strings.Contains(strings.Join(got, "\n"), "request.: missing property 'title'") {
		t.Errorf("%q", got)
	}
}
