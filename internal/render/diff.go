package render

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
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
func Diff(base, head []Object) []Change {
	old, changed := byID(base), byID(head)
	var ids []string
	for id := range old {
		ids = append(ids, id)
	}
	for id := range changed {
		if _, ok := old[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	changes := []Change{}
	for _, id := range ids {
		before, inBase := old[id]
		after, inHead := changed[id]
		switch {
		case !inBase:
			changes = append(changes, Change{Object: after.String(), Kind: Added})
		case !inHead:
			changes = append(changes, Change{Object: before.String(), Kind: Removed})
		default:
			if fields := compare(before, after); len(fields) > 0 {
				changes = append(changes, Change{Object: after.String(), Kind: Changed, Fields: fields})
			}
		}
	}
	return changes
}

func byID(objects []Object) map[string]Object {
	m := make(map[string]Object, len(objects))
	for _, o := range objects {
		m[o.ID()] = o
	}
	return m
}

func compare(before, after Object) []Field {
	var fields []Field
	walkDiff("", before.Content, after.Content, func(path string, old, changed *string) {
		if before.Kind == "Secret" && (strings.HasPrefix(path, "data.") || strings.HasPrefix(path, "stringData.")) {
			old, changed = hide(old), hide(changed)
		}
		fields = append(fields, Field{Path: path, Old: old, New: changed})
	})
	return fields
}

func hide(v *string) *string {
	if v == nil {
		return nil
	}
	hidden := "(hidden)"
	return &hidden
}

func walkDiff(at string, old, changed any, report func(path string, old, changed *string)) {
	if reflect.DeepEqual(old, changed) {
		return
	}
	if a, ok := old.(map[string]any); ok {
		if b, ok := changed.(map[string]any); ok {
			keys := sortedKeys(a)
			for _, k := range sortedKeys(b) {
				if _, ok := a[k]; !ok {
					keys = append(keys, k)
				}
			}
			slices.Sort(keys)
			for _, k := range keys {
				walkDiff(join(at, k), a[k], b[k], report)
			}
			return
		}
	}
	if a, ok := old.([]any); ok {
		if b, ok := changed.([]any); ok {
			walkLists(at, a, b, report)
			return
		}
	}
	before, after := text(old), text(changed)
	_, wasString := old.(string)
	_, isString := changed.(string)
	if before != nil && after != nil && *before == *after && wasString == isString {
		return // the same number, read as an integer here and as a float there
	}
	report(at, before, after)
}

// walkLists compares lists whose elements are named by name, as Kubernetes'
// own merging does, and others by position.
func walkLists(at string, a, b []any, report func(path string, old, changed *string)) {
	namesA, okA := names(a)
	namesB, okB := names(b)
	if okA && okB {
		for i, n := range namesA {
			j := slices.Index(namesB, n)
			if j < 0 {
				walkDiff(at+"["+n+"]", a[i], nil, report)
				continue
			}
			walkDiff(at+"["+n+"]", a[i], b[j], report)
		}
		for j, n := range namesB {
			if !slices.Contains(namesA, n) {
				walkDiff(at+"["+n+"]", nil, b[j], report)
			}
		}
		return
	}
	for i := range max(len(a), len(b)) {
		var x, y any
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		walkDiff(fmt.Sprintf("%s[%d]", at, i), x, y, report)
	}
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
			fmt.Fprintf(&out, "+%s\n", c.Object)
		case Removed:
			fmt.Fprintf(&out, "-%s\n", c.Object)
		default:
			fmt.Fprintf(&out, " %s\n", c.Object)
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
			fmt.Fprintf(out, "%c  %s: %s\n", sign, path, line)
			continue
		}
		fmt.Fprintf(out, "%c    %s\n", sign, line)
	}
}
