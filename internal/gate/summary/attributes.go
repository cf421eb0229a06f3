package summary

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/text"
)

// Unknown stands for a value that is known only after apply.
const Unknown = "(known after apply)"

// attributes lists what differs between the two sides of a change. Where either
// side says that a place is sensitive, neither value is shown.
func attributes(c *terraform.Change, secrets *redact.Secrets) []Attribute {
	w := &walker{secrets: secrets}
	if c.Actions.Delete() {
		return nil
	}
	w.walk("", sides{c.Before, c.After, c.AfterUnknown, c.BeforeSensitive, c.AfterSensitive})
	return w.list
}

type walker struct {
	secrets *redact.Secrets
	list    []Attribute
}

// sides are what a plan says of one place: the values, which of them is not known
// yet, and the marks of what is sensitive.
type sides struct{ before, after, unknown, beforeMark, afterMark any }

// each takes a part of every side.
func (s sides) each(part func(any) any) sides {
	return sides{part(s.before), part(s.after), part(s.unknown), part(s.beforeMark), part(s.afterMark)}
}

func (w *walker) walk(path string, s sides) {
	before, after, unknownAfter, beforeMark, afterMark := s.before, s.after, s.unknown, s.beforeMark, s.afterMark
	if beforeMark == true || afterMark == true {
		if unknownAfter == true || !equal(before, after) {
			w.add(path, hide(before), hideAfter(after, unknownAfter))
		}
		return
	}
	if unknownAfter == true {
		w.add(path, w.text(before), Unknown)
		return
	}
	switch {
	case isMap(before) || isMap(after) || isMap(unknownAfter) && before == nil && after == nil:
		if before != nil && !isMap(before) || after != nil && !isMap(after) {
			break
		}
		keys := make(map[string]bool)
		for _, side := range []any{before, after, unknownAfter} {
			if m, ok := side.(map[string]any); ok {
				for k := range m {
					keys[k] = true
				}
			}
		}
		names := make([]string, 0, len(keys))
		for k := range keys {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			w.walk(join(path, k), s.each(func(v any) any { return at(v, k) }))
		}
		return
	case isList(before) || isList(after):
		if before != nil && !isList(before) || after != nil && !isList(after) {
			break
		}
		for i := range max(length(before), length(after), length(unknownAfter)) {
			w.walk(path+"["+strconv.Itoa(i)+"]", s.each(func(v any) any { return index(v, i) }))
		}
		return
	}
	if equal(before, after) {
		return
	}
	if marked(beforeMark) || marked(afterMark) { // a place whose form changes, with a mark somewhere inside
		w.add(path, hide(before), hide(after))
		return
	}
	w.values(path, before, after)
}

// values shows two values that differ, whole in what differs.
func (w *walker) values(path string, before, after any) {
	a, isTextA := before.(string)
	b, isTextB := after.(string)
	if (isTextA || before == nil) && (isTextB || after == nil) && (isTextA || isTextB) {
		w.texts(path, w.secrets.Redact(a), w.secrets.Redact(b), before != nil, after != nil)
		return
	}
	w.add(path, w.text(before), w.text(after))
}

// texts shows two texts, already redacted: short ones as they are, of long ones
// what differs, and line by line what has lines.
func (w *walker) texts(path, a, b string, hasA, hasB bool) {
	attribute := Attribute{Path: path}
	if structured(a) || structured(b) {
		for _, l := range lineDifference(a, b) {
			attribute.Lines = append(attribute.Lines, w.secrets.Redact(l)) // laid out, it can be a secret
		}
	}
	if hasA && hasB && a != b && utf8.RuneCountInString(a)+utf8.RuneCountInString(b) > shortValue {
		a, b = narrow(a, b)
	}
	if hasA && hasB && a == b {
		attribute.Note = "they differ in a part that is not shown, because it equals a sensitive value"
	}
	if attribute.Lines == nil || utf8.RuneCountInString(a) <= maxDifference && utf8.RuneCountInString(b) <= maxDifference {
		if hasA {
			attribute.Before = text.Quote(a)
		}
		if hasB {
			attribute.After = text.Quote(b)
		}
	} else {
		attribute.Before, attribute.After = amount(a, hasA), amount(b, hasB)
	}
	attribute.Path = w.path(path)
	w.list = append(w.list, attribute)
}

// amount stands for a text of which the lines are shown.
func amount(s string, has bool) string {
	if !has {
		return ""
	}
	return "(" + text.Count(strings.Count(s, "\n")+1, "line") + ", below)"
}

func (w *walker) add(path, before, after string) {
	w.list = append(w.list, Attribute{Path: w.path(path), Before: before, After: after})
}

func hide(v any) string {
	if v == nil {
		return ""
	}
	return redact.Hidden
}

func hideAfter(v, unknownAfter any) string {
	if unknownAfter == true {
		return Unknown
	}
	return hide(v)
}

// path hides a secret that is the key of a map. The name of the attribute itself
// is never hidden: what changes must be seen.
func (w *walker) path(path string) string {
	i := strings.IndexAny(path, ".[")
	if i < 0 {
		return text.Visible(path, "")
	}
	return text.Visible(path[:i]+w.secrets.Redact(path[i:]), "")
}

// text of a value. Strings are redacted before they are quoted.
func (w *walker) text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return text.Quote(w.secrets.Redact(v))
	case json.Number:
		return w.secrets.Redact(v.String())
	case bool:
		return strconv.FormatBool(v)
	}
	data, err := json.Marshal(w.redacted(v))
	if err != nil {
		return "?"
	}
	return text.VisibleQuoted(string(data))
}

func (w *walker) redacted(v any) any {
	switch v := v.(type) {
	case string:
		return w.secrets.Redact(v)
	case json.Number:
		if text := w.secrets.Redact(v.String()); text != v.String() {
			return text
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = w.redacted(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[w.secrets.Redact(k)] = w.redacted(v[k])
		}
		return out
	}
	return v
}

func marked(mark any) bool {
	switch m := mark.(type) {
	case bool:
		return m
	case map[string]any:
		for _, inner := range m {
			if marked(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(m, marked)
	}
	return false
}

func equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			v, there := y[k]
			if !there || !equal(x[k], v) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case string:
		y, ok := b.(string)
		return ok && x == y
	case json.Number:
		y, ok := b.(json.Number)
		return ok && strings.EqualFold(x.String(), y.String())
	}
	if isMap(b) || isList(b) {
		return false
	}
	return a == b
}

func isMap(v any) bool  { _, ok := v.(map[string]any); return ok }
func isList(v any) bool { _, ok := v.([]any); return ok }

func length(v any) int {
	list, _ := v.([]any)
	return len(list)
}

func index(v any, i int) any {
	if list, ok := v.([]any); ok && i < len(list) {
		return list[i]
	}
	return nil
}

func at(v any, key string) any {
	if m, ok := v.(map[string]any); ok {
		return m[key]
	}
	return nil
}
