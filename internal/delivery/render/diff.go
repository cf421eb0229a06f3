package render

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	visible "github.com/waybill-dev/waybill/internal/text"
)

// Change is how one object differs between two sides.
type Change struct {
	Object string  `json:"object"` // Deployment production/demo-api
	Kind   string  `json:"kind"`   // added, removed, changed
	Fields []Field `json:"fields,omitempty"`
}

// Field is one value that differs. Nil is a field that is not there.
type Field struct {
	Path string  `json:"path"` // spec.template.spec.containers[api].image
	Old  *string `json:"old,omitempty"`
	New  *string `json:"new,omitempty"`
}

// Kinds of change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Diff compares two sets of objects, field by field, in a stable order. Values
// of Secrets are not shown, only that they differ.
func Diff(base, head []Object) []Change { return compareSets(redacted(base), redacted(head), false) }

// DiffWithSecrets is Diff with the values of Secrets, and with every change of
// an order. Nobody may be shown what it returns.
func DiffWithSecrets(base, head []Object) []Change { return compareSets(base, head, true) }

func compareSets(base, head []Object, strict bool) []Change {
	old, changed := byID(base), byID(head)
	ids := sortedKeys(old)
	for id := range changed {
		if _, ok := old[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	changes := []Change{}
	for _, id := range ids {
		before, after := withoutSame(old[id], changed[id])
		for i := range max(len(before), len(after)) {
			c := comparison{strict: strict}
			switch {
			case i >= len(before):
				changes = append(changes, Change{Object: after[i].title(), Kind: Added, Fields: c.whole(after[i], true)})
			case i >= len(after):
				changes = append(changes, Change{Object: before[i].title(), Kind: Removed, Fields: c.whole(before[i], false)})
			default:
				if c.walk("", before[i].Content, after[i].Content); len(c.fields) > 0 {
					changes = append(changes, Change{Object: after[i].title(), Kind: Changed, Fields: c.fields})
				}
			}
		}
	}
	return changes
}

// numbered is an object and how many of its name stand before it.
type numbered struct {
	Object
	before int
}

func (n numbered) title() string {
	if n.before == 0 {
		return n.String()
	}
	return fmt.Sprintf("%s (number %d of that name)", n, n.before+1)
}

// byID keeps all objects of one name: those that the cluster is to name, and
// those that are there twice.
func byID(objects []Object) map[string][]numbered {
	m := make(map[string][]numbered, len(objects))
	for _, o := range objects {
		m[o.ID()] = append(m[o.ID()], numbered{o, len(m[o.ID()])})
	}
	return m
}

// withoutSame takes out the objects of one name that both sides have.
func withoutSame(a, b []numbered) (before, after []numbered) {
	after = slices.Clone(b)
	for _, o := range a {
		if i := slices.IndexFunc(after, func(n numbered) bool { return reflect.DeepEqual(n.Content, o.Content) }); i >= 0 {
			after = slices.Delete(after, i, i+1)
			continue
		}
		before = append(before, o)
	}
	return before, after
}

// comparison collects the fields that differ.
type comparison struct {
	strict bool
	fields []Field
}

func (c *comparison) report(at string, old, changed any) {
	before, after := text(old), text(changed)
	if before != nil && after != nil && *before == *after {
		_, wasString := old.(string)
		_, isString := changed.(string)
		if _, secret := old.(hidden); !secret && wasString == isString {
			return // the same number, read as an integer here and as a float there
		}
		if wasString != isString { // a number became text, or text a number
			before, after = quoted(old, before), quoted(changed, after)
		}
	}
	c.fields = append(c.fields, Field{Path: at, Old: before, New: after})
}

func quoted(v any, text *string) *string {
	if _, isString := v.(string); !isString {
		return text
	}
	out := visible.Quote(*text)
	return &out
}

// whole lists the fields of an object that only one side has, without what
// names it.
func (c *comparison) whole(o numbered, added bool) []Field {
	content := make(map[string]any, len(o.Content))
	for k, v := range o.Content {
		content[k] = v
	}
	delete(content, "kind")
	if o.APIVersion == "v1" {
		delete(content, "apiVersion")
	}
	if metadata, ok := content["metadata"].(map[string]any); ok {
		rest := make(map[string]any, len(metadata))
		for k, v := range metadata {
			if k != "name" && k != "namespace" {
				rest[k] = v
			}
		}
		if content["metadata"] = rest; len(rest) == 0 {
			delete(content, "metadata")
		}
	}
	switch {
	case len(content) == 0:
	case added:
		c.walk("", nil, content)
	default:
		c.walk("", content, nil)
	}
	return c.fields
}

func (c *comparison) walk(at string, old, changed any) {
	if reflect.DeepEqual(old, changed) {
		return
	}
	a, isMapA := old.(map[string]any)
	b, isMapB := changed.(map[string]any)
	if (isMapA || old == nil) && (isMapB || changed == nil) && len(a)+len(b) > 0 {
		keys := sortedKeys(a)
		for _, k := range sortedKeys(b) {
			if _, ok := a[k]; !ok {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			c.walk(join(at, k), a[k], b[k])
		}
		return
	}
	x, isListA := old.([]any)
	y, isListB := changed.([]any)
	if (isListA || old == nil) && (isListB || changed == nil) && len(x)+len(y) > 0 {
		c.lists(at, x, y)
		return
	}
	c.report(at, old, changed)
}

// lists compares lists whose elements are named by name, as Kubernetes' own
// merging does, and others by position. Where the order of named elements has a
// meaning, a change of it is one too.
func (c *comparison) lists(at string, a, b []any) {
	namesA, okA := names(a)
	namesB, okB := names(b)
	if !okA || !okB {
		for i := range max(len(a), len(b)) {
			c.walk(fmt.Sprintf("%s[%d]", at, i), element(a, i), element(b, i))
		}
		return
	}
	inB := positions(namesB)
	var both []string
	for i, n := range namesA {
		j, ok := inB[n]
		if ok {
			both = append(both, n)
		} else {
			j = len(b)
		}
		c.walk(at+"["+n+"]", a[i], element(b, j))
	}
	inA := positions(namesA)
	var order []string
	for j, n := range namesB {
		if _, ok := inA[n]; ok {
			order = append(order, n)
		} else {
			c.walk(at+"["+n+"]", nil, b[j])
		}
	}
	if !slices.Equal(both, order) && (c.strict || !strings.HasSuffix(at, ".containers")) {
		c.report(at+" (order)", strings.Join(both, ", "), strings.Join(order, ", "))
	}
}

func element(list []any, i int) any {
	if i >= len(list) {
		return nil
	}
	return list[i]
}

func positions(names []string) map[string]int {
	m := make(map[string]int, len(names))
	for i, n := range names {
		m[n] = i
	}
	return m
}

func names(list []any) ([]string, bool) {
	out := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, false
		}
		n, ok := m["name"].(string)
		if !ok || seen[n] {
			return nil, false
		}
		seen[n] = true
		out = append(out, n)
	}
	return out, true
}

func join(at, key string) string {
	if strings.ContainsAny(key, ".[]/") {
		key = fmt.Sprintf("[%q]", key)
		return at + key
	}
	if at == "" {
		return key
	}
	return at + "." + key
}

func text(v any) *string {
	if v == nil {
		return nil
	}
	if s, ok := v.(string); ok {
		return &s
	}
	if _, ok := v.(hidden); ok {
		s := hiddenText
		return &s
	}
	data, err := json.Marshal(v)
	s := string(data)
	if err != nil {
		s = fmt.Sprint(v)
	}
	return &s
}

// Text shows changes in the form of a unified difference: an object a line,
// its fields below it.
func Text(changes []Change) string {
	var out strings.Builder
	for _, c := range changes {
		switch c.Kind {
		case Added:
			fmt.Fprintf(&out, "+%s\n", Visible(c.Object))
		case Removed:
			fmt.Fprintf(&out, "-%s\n", Visible(c.Object))
		default:
			fmt.Fprintf(&out, " %s\n", Visible(c.Object))
		}
		for _, f := range c.Fields {
			writeField(&out, '-', f.Path, f.Old)
			writeField(&out, '+', f.Path, f.New)
		}
	}
	return out.String()
}

func writeField(out *strings.Builder, sign byte, path string, value *string) {
	if value == nil {
		return
	}
	for i, line := range strings.Split(strings.TrimSuffix(*value, "\n"), "\n") {
		if i == 0 {
			fmt.Fprintf(out, "%c  %s: %s\n", sign, Visible(path), Visible(line))
			continue
		}
		fmt.Fprintf(out, "%c    %s\n", sign, Visible(line))
	}
}

// Visible spells out what a terminal or a page would not show, show elsewhere, or
// show like something else.
func Visible(s string) string { return visible.Visible(s, "\t") }
