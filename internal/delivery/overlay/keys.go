package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/limit"
)

// errShape says what a key must look like, so that its bytes can be taken over.
var errShape = errors.New("write it as KEY: VALUE on lines of its own, without anchors and aliases, or promote the whole file")

// CopyKey gives target with the value that source has at a key, which is a JSON pointer
// through mappings (/config/logLevel). All other bytes of target stay. found is false
// where source does not have the key.
// https://www.rfc-editor.org/rfc/rfc6901
func CopyKey(source, target []byte, pointer string) (out []byte, found bool, err error) {
	from, err := keyed(source)
	if err != nil {
		return nil, false, err
	}
	into, err := keyed(target)
	if err != nil {
		return nil, false, err
	}
	var steps []string
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		steps = append(steps, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
	}
	_, key, value := find(from, steps)
	if key == nil {
		return target, false, nil
	}
	if !plainNode(value) {
		return nil, true, errShape
	}
	parent, old, was := find(into, steps)
	switch {
	case old != nil && sameValue(value, was):
		return target, true, nil
	case old != nil && value.Kind == yaml.ScalarNode && was.Kind == yaml.ScalarNode:
		out, err = copyScalar(source, target, value, was)
	case parent == nil:
		return nil, true, fmt.Errorf("there is no %s to put it into: add it", strings.Join(steps[:len(steps)-1], "/"))
	default:
		out, err = copyEntry(source, target, key, parent, old)
	}
	if err != nil {
		return nil, true, err
	}
	return out, true, onlyKey(target, out, steps, value)
}

func keyed(data []byte) (*yaml.Node, error) {
	documents, err := limit.Documents("", data)
	if err != nil {
		return nil, err
	}
	if len(documents) != 1 || len(documents[0].Content) != 1 {
		return nil, errors.New("it is not one YAML document")
	}
	return documents[0].Content[0], nil
}

// find gives the mapping that holds the last step, and its key and value, as far as they
// are there.
func find(n *yaml.Node, steps []string) (parent, key, value *yaml.Node) {
	for i, step := range steps {
		if n.Kind != yaml.MappingNode {
			return nil, nil, nil
		}
		key, value = nil, nil
		for j := 0; j+1 < len(n.Content); j += 2 {
			if n.Content[j].Value == step {
				key, value = n.Content[j], n.Content[j+1]
			}
		}
		if i == len(steps)-1 {
			return n, key, value
		}
		if key == nil {
			return nil, nil, nil
		}
		n = value
	}
	return nil, nil, nil
}

// plainNode reports whether a value stands for itself wherever it is.
func plainNode(n *yaml.Node) bool {
	return n.Kind != yaml.AliasNode && n.Anchor == "" && n.Tag != "!!merge" && !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool {
		return !plainNode(c)
	})
}

func sameValue(a, b *yaml.Node) bool {
	var x, y any
	return a.Decode(&x) == nil && b.Decode(&y) == nil && reflect.DeepEqual(x, y)
}

func copyScalar(source, target []byte, value, was *yaml.Node) ([]byte, error) {
	start, end, err := extent(source, value)
	if err != nil {
		return nil, err
	}
	from, to, err := extent(target, was)
	if err != nil {
		return nil, err
	}
	return slices.Concat(target[:from], source[start:end], target[to:]), nil
}

// copyEntry takes over the lines of a key, indented as the target has its keys.
func copyEntry(source, target []byte, key, parent, old *yaml.Node) ([]byte, error) {
	if len(parent.Content) == 0 {
		return nil, errShape
	}
	taken, _, err := linesOf(source, key)
	if err != nil {
		return nil, err
	}
	at := parent.Content[len(parent.Content)-2] // the last key, behind which a new one stands
	if old != nil {
		at = old
	}
	lines, first, err := linesOf(target, at)
	if err != nil {
		return nil, err
	}
	all := bytes.SplitAfter(target, []byte("\n"))
	ending := newline(target, len(bytes.Join(all[:first+1], nil)))
	var out strings.Builder
	for i, line := range taken {
		line = strings.TrimRight(line, "\r\n")
		switch by := at.Column - key.Column; {
		case strings.TrimSpace(line) == "":
		case by >= 0:
			line = strings.Repeat(" ", by) + line
		case len(line) >= -by && strings.TrimSpace(line[:-by]) == "":
			line = line[-by:]
		default:
			return nil, errShape
		}
		if out.WriteString(line); i+1 < len(taken) {
			out.WriteString(ending)
		}
	}
	before, last := first, first+len(lines)
	if old == nil {
		before = last
	}
	text := out.String() + ending
	if last >= len(all) || len(all[last]) == 0 && last+1 == len(all) {
		if !bytes.HasSuffix(target, []byte("\n")) { // a file without a final newline keeps none
			text = strings.TrimSuffix(text, ending)
			if old == nil {
				text = ending + text
			}
		}
	}
	return slices.Concat(bytes.Join(all[:before], nil), []byte(text), bytes.Join(all[last:], nil)), nil
}

// linesOf gives the lines of a key with its value, and where they begin.
func linesOf(data []byte, key *yaml.Node) (lines []string, first int, err error) {
	all := strings.SplitAfter(string(data), "\n")
	first, indent := key.Line-1, key.Column-1
	if first >= len(all) || strings.TrimSpace(all[first][:min(indent, len(all[first]))]) != "" {
		return nil, 0, errShape
	}
	end := first + 1
	for i := first + 1; i < len(all); i++ {
		text := strings.TrimRight(all[i], " \t\r\n")
		by := len(text) - len(strings.TrimLeft(text, " "))
		if text != "" && by < indent || text != "" && by == indent && !strings.HasPrefix(text[by:], "- ") && text[by:] != "-" {
			break
		}
		if text != "" {
			end = i + 1
		}
	}
	return all[first:end], first, nil
}

// onlyKey reports an error unless out is target with the value at the key.
func onlyKey(target, out []byte, steps []string, value *yaml.Node) error {
	var want, got, put any
	if yaml.Unmarshal(target, &want) != nil || yaml.Unmarshal(out, &got) != nil || value.Decode(&put) != nil {
		return errShape
	}
	at, ok := want.(map[string]any)
	for _, step := range steps[:len(steps)-1] {
		if ok {
			at, ok = at[step].(map[string]any)
		}
	}
	if !ok {
		return errShape
	}
	if at[steps[len(steps)-1]] = put; !reflect.DeepEqual(want, got) {
		return errShape
	}
	return nil
}
