// Package limit holds what others wrote to bounds: YAML before it is parsed,
// and work that cannot be interrupted from outside.
//
// A YAML document of one kilobyte can stand for gigabytes, and a template of
// one line can loop for years. Bounds of the first kind depend on the input
// alone, so the same input always gives the same answer. Bounds of the second
// kind depend on the machine: exceeding one is an error of ours, never a
// verdict about the input.
package limit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Bounds of one YAML file. The largest files that people commit, bundles of
// custom resource definitions, stay below half of each.
const (
	MaxBytes = 8 << 20
	MaxNodes = 1_000_000 // when every alias is replaced by what it stands for
	MaxDepth = 200
	MaxKeys  = 20_000 // of one mapping; parsers compare each key with each other one
)

// Bytes refuses data that is too long for a YAML file.
func Bytes(file string, data []byte) error {
	if len(data) > MaxBytes {
		return excess("%s: the file has %.1f MiB, and Waybill reads YAML up to %d MiB: split it", file, float64(len(data))/(1<<20), MaxBytes>>20)
	}
	return nil
}

// UTF16 reports whether data begins with the byte order mark of UTF-16, which YAML parsers
// read too.
func UTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff"))
}

// encoding refuses what no parser reads, and says where that is.
func encoding(file string, data []byte) error {
	if utf8.Valid(data) || UTF16(data) {
		return nil
	}
	valid := bytes.ToValidUTF8(data, nil) // what stands before the first wrong byte is the same
	at := 0
	for at < len(valid) && data[at] == valid[at] {
		at++
	}
	return outcome.Usagef("%s:%d: the line is not written in UTF-8: save the file as UTF-8", file, bytes.Count(data[:at], []byte("\n"))+1)
}

// YAML refuses documents whose content exceeds a bound. Callers must ask before
// they hand data to any YAML parser.
func YAML(file string, data []byte) error {
	if err := Bytes(file, data); err != nil || small(data) {
		return err
	}
	_, err := Documents(file, data)
	return err
}

// Documents parses the documents of a file, and refuses those that exceed a
// bound. Aliases stay aliases.
func Documents(file string, data []byte) ([]*yaml.Node, error) {
	if err := cmp.Or(Bytes(file, data), encoding(file, data)); err != nil {
		return nil, err
	}
	var documents []*yaml.Node
	total := 0
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, outcome.Usagef("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		m := measure{file: file, sizes: make(map[*yaml.Node]size)}
		found, err := m.node(&document, 0)
		if err != nil {
			return nil, err
		}
		if total = add(total, found.nodes); total > MaxNodes {
			return nil, excess(
				"%s: the content has more than %d values once its aliases are followed: write it without aliases, or split it",
				file, MaxNodes,
			)
		}
		documents = append(documents, &document)
	}
}

// small reports whether data cannot exceed a bound, whatever it means, so that
// parsing it once more is not needed.
func small(data []byte) bool {
	if bytes.IndexByte(data, '&') >= 0 && bytes.IndexByte(data, '*') >= 0 {
		return false // it may hold aliases
	}
	keys := bytes.Count(data, []byte(":")) + bytes.Count(data, []byte("?")) + bytes.Count(data, []byte(","))
	if len(data) >= MaxNodes || keys >= MaxKeys {
		return false
	}
	brackets := bytes.Count(data, []byte("[")) + bytes.Count(data, []byte("{"))
	deepest := 0
	for line := range bytes.Lines(data) {
		deepest = max(deepest, len(line)-len(bytes.TrimLeft(line, " \t-?:")))
	}
	return brackets+deepest < MaxDepth
}

type size struct{ nodes, depth int }

// measure counts what a document stands for, without following an alias twice.
type measure struct {
	file  string
	sizes map[*yaml.Node]size // of what anchors name; zero nodes while it is measured
}

func (m *measure) node(n *yaml.Node, depth int) (size, error) {
	if depth > MaxDepth {
		return size{}, m.deep(n)
	}
	if n.Kind == yaml.AliasNode {
		return m.alias(n, depth)
	}
	if n.Anchor != "" {
		m.sizes[n] = size{}
	}
	if n.Kind == yaml.MappingNode && len(n.Content) > 2*MaxKeys {
		return size{}, excess("%s:%d: the mapping has more than %d keys", m.file, n.Line, MaxKeys)
	}
	own := size{nodes: 1}
	for _, child := range n.Content {
		s, err := m.node(child, depth+1)
		if err != nil {
			return size{}, err
		}
		own.nodes = add(own.nodes, s.nodes)
		own.depth = max(own.depth, s.depth+1)
	}
	if n.Anchor != "" {
		m.sizes[n] = own
	}
	return own, nil
}

func (m *measure) alias(n *yaml.Node, depth int) (size, error) {
	s, known := m.sizes[n.Alias]
	if !known || s.nodes == 0 {
		return size{}, excess("%s:%d: the alias *%s stands inside of what it names", m.file, n.Line, n.Value)
	}
	if depth+s.depth > MaxDepth {
		return size{}, m.deep(n)
	}
	return s, nil
}

func (m *measure) deep(n *yaml.Node) error {
	return excess("%s:%d: the content is nested more than %d levels deep", m.file, n.Line, MaxDepth)
}

// add stops at the largest number instead of beginning anew.
func add(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

// errTooMuch marks input that exceeds a bound.
type errTooMuch struct{ error }

func excess(format string, args ...any) error {
	return outcome.Usagef("%w", errTooMuch{fmt.Errorf(format, args...)})
}

// TooMuch reports whether err is about input that exceeds a bound, and not
// about what is wrong with it otherwise.
func TooMuch(err error) bool { return errors.As(err, new(errTooMuch)) }
