package overlay

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// insertion is where a file that does not name the image can name it: an entry
// of a kustomization's images, or the path at which the chart's values have it.
type insertion struct {
	root *yaml.Node

	key, list *yaml.Node // of images, in a kustomization; nil where it has none

	path []string   // in Helm values
	like *yaml.Node // how the chart's values have it there
}

// pair is a field of a mapping.
type pair struct{ key, value string }

// entries are what is inserted: the fields of each mapping. A single field
// without a key is a text.
func (i *insertion) entries(t Target, ref imageref.Ref) [][]pair {
	if i.path == nil {
		var entries [][]pair
		for _, name := range t.Names {
			entries = append(entries, []pair{{"name", name}, {"digest", ref.Digest()}})
		}
		return entries
	}
	if scalar(i.like) {
		return [][]pair{{{"", repositoryOf(value(i.like)) + "@" + ref.Digest()}}}
	}
	var fields []pair
	for _, key := range append([]string{"registry"}, repositoryKeys...) {
		if v := first(i.like, key); v != nil && v.Value != "" {
			fields = append(fields, pair{key, v.Value})
		}
	}
	switch digest := first(i.like, digestKeys...); {
	case t.Tagged:
		fields = append(fields, pair{keyOf(i.like, first(i.like, tagKeys...)).Value, tagged(ref)})
	case digest == nil || keyOf(i.like, digest).Value == "digest":
		fields = append(fields, pair{"digest", ref.Digest()})
	default:
		fields = append(fields, pair{keyOf(i.like, digest).Value, ref.Hex()})
	}
	return [][]pair{fields}
}

// possible says why nothing can be inserted; nil if it can.
func (i *insertion) possible(t Target) error {
	switch {
	case i.path == nil && len(t.Names) == 0:
		return errors.New("nothing that the overlay renders uses the image")
	case slices.Contains(i.path, "[]"):
		return errors.New("the chart has it in a list")
	case t.Tagged && !scalar(i.like) && first(i.like, tagKeys...) == nil:
		return errors.New("the chart has no tag")
	case flow(i.root) || i.root.Kind != yaml.MappingNode:
		return errors.New("the file is written in braces; write it on lines")
	}
	return nil
}

// apply inserts into decoded content.
func (i *insertion) apply(content any, t Target, ref imageref.Ref) any {
	root, _ := content.(map[string]any)
	if root == nil && content == nil {
		root = make(map[string]any) // the file holds nothing yet
	}
	if root == nil {
		return nil
	}
	for _, fields := range i.entries(t, ref) {
		if i.path == nil {
			list, _ := root["images"].([]any)
			root["images"] = append(list, any(mapping(fields)))
			if len(list) > 0 && flow(resolve(i.list)) { // there it is written in front
				root["images"] = append([]any{mapping(fields)}, list...)
			}
			continue
		}
		at := root
		for _, step := range i.path[:len(i.path)-1] {
			inner, _ := at[step].(map[string]any)
			if inner == nil {
				inner = make(map[string]any)
				at[step] = inner
			}
			at = inner
		}
		last := i.path[len(i.path)-1]
		if fields[0].key == "" {
			at[last] = fields[0].value
			continue
		}
		inner, _ := at[last].(map[string]any)
		if inner == nil {
			inner = make(map[string]any)
			at[last] = inner
		}
		for k, v := range mapping(fields) {
			inner[k] = v
		}
	}
	return root
}

func mapping(fields []pair) map[string]any {
	m := make(map[string]any, len(fields))
	for _, f := range fields {
		m[f.key] = f.value
	}
	return m
}

func (i *insertion) write(data []byte, t Target, ref imageref.Ref) ([]byte, error) {
	if err := i.possible(t); err != nil {
		return nil, err
	}
	entries := i.entries(t, ref)
	if i.path != nil {
		return i.writeValue(data, entries[0])
	}
	var lines []string
	for _, e := range entries {
		lines = append(lines, "- "+e[0].line(), "  "+e[1].line())
	}
	switch {
	case i.key == nil:
		return appendLines(data, append([]string{"images:"}, lines...)), nil
	case !scalar(i.list) && flow(i.list):
		return insertInList(data, i.list, entries)
	case len(items(i.list)) > 0:
		return insertAfter(data, i.list, lines)
	}
	return insertLines(data, i.key.Line+1, indented(lines, i.key.Column-1)), nil
}

// insertAfter appends elements to a list that is written on lines.
func insertAfter(data []byte, list *yaml.Node, lines []string) ([]byte, error) {
	elements := items(list)
	last := lastLine(elements[len(elements)-1])
	if last == 0 || list.Kind == yaml.AliasNode {
		return nil, errors.New("the last entry of images ends in a text of several lines; write it plainly")
	}
	text := lineOf(data, elements[0].Line)
	dash := strings.IndexByte(text, '-')
	if dash < 0 || strings.TrimLeft(text[:dash], " ") != "" {
		return nil, errors.New("the entries of images do not begin on lines of their own")
	}
	return insertLines(data, last+1, indented(lines, dash)), nil
}

// insertInList puts elements in front of those of a list in brackets.
func insertInList(data []byte, list *yaml.Node, entries [][]pair) ([]byte, error) {
	at, err := offset(data, list.Line, list.Column)
	if err != nil {
		return nil, err
	}
	if at >= len(data) || data[at] != '[' {
		return nil, errors.New("the list has an anchor or a tag; write it plainly")
	}
	var texts []string
	for _, e := range entries {
		texts = append(texts, fmt.Sprintf("{%s: %q, %s: %q}", e[0].key, e[0].value, e[1].key, e[1].value))
	}
	text := strings.Join(texts, ", ")
	if len(items(list)) > 0 {
		text += ", "
	}
	return slices.Concat(data[:at+1], []byte(text), data[at+1:]), nil
}

// writeValue writes a value at a path, below what is there already.
func (i *insertion) writeValue(data []byte, fields []pair) ([]byte, error) {
	at, depth := i.root, 0
	var key *yaml.Node
	for _, step := range i.path {
		k, v := own(at, step)
		if v == nil || v.Kind == yaml.AliasNode {
			break
		}
		at, key, depth = v, k, depth+1
	}
	var lines []string
	indent := ""
	for n, step := range i.path[depth:] {
		if n == len(i.path)-depth-1 && fields[0].key == "" {
			lines = append(lines, indent+pair{step, fields[0].value}.line())
			break
		}
		lines = append(lines, indent+step+":")
		indent += "  "
	}
	if fields[0].key != "" {
		for _, f := range fields {
			lines = append(lines, indent+f.line())
		}
	}
	switch {
	case depth == 0:
		return appendLines(data, lines), nil
	case len(lines) == 0 || key.Line != 0 && at.Kind != yaml.MappingNode && value(at) != "":
		return nil, fmt.Errorf("%s is something else there", strings.Join(i.path, "."))
	case at.Kind == yaml.ScalarNode: // the key has no value yet
		return insertLines(data, key.Line+1, indented(lines, key.Column+1)), nil
	case flow(at):
		return nil, fmt.Errorf("%s is written in braces; write it on lines", strings.Join(i.path[:depth], "."))
	}
	return insertLines(data, at.Content[0].Line, indented(lines, at.Content[0].Column-1)), nil
}

func (p pair) line() string { return p.key + ": " + plain(p.value) }

// plain writes a text without quotes where YAML reads it back as that text.
func plain(text string) string {
	var v any
	if err := yaml.Unmarshal([]byte("x: "+text), &v); err == nil {
		if m, ok := v.(map[string]any); ok && m["x"] == text {
			return text
		}
	}
	return fmt.Sprintf("%q", text)
}

func indented(lines []string, by int) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.Repeat(" ", by) + l
	}
	return out
}
