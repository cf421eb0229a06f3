// Package strictjson reads signed JSON the way every reader reads it: a
// document in which a name stands twice is refused, because two programs would
// read two different documents.
//
// Invariant: a value that Members returns is a slice of the data, without a
// copy, so that a document of many megabytes is not held twice. Names that
// differ in case alone count as the same: encoding/json takes one for the other.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds how deep values may be nested.
const maxDepth = 200

// Bounds of names, so that a hostile document costs no more than its bytes.
const (
	maxName    = 4 << 10 // bytes of one name
	maxLiteral = 400     // bytes of one number
	maxMembers = 1000    // that Members gives
)

var errSyntax = errors.New("it is not valid JSON")

// Check reports whether data is one valid JSON value in which no object has a
// name twice.
func Check(data []byte) error {
	s := scanner{data: data}
	if err := s.value(maxDepth, nil); err != nil {
		return err
	}
	return s.end()
}

// Members gives the raw value of every member of the object in data. It looks
// at the outermost names alone: the values are not checked any further.
func Members(data []byte) (map[string][]byte, error) {
	s := scanner{data: data, shallow: true}
	members := make(map[string][]byte)
	s.space()
	if s.peek() != '{' {
		return nil, errors.New("it is not a JSON object")
	}
	if err := s.value(maxDepth, members); err != nil {
		return nil, err
	}
	return members, s.end()
}

// Unmarshal is json.Unmarshal for a document that passes Check.
func Unmarshal(data []byte, into any) error {
	if err := Check(data); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

type scanner struct {
	data    []byte
	at      int
	shallow bool     // names of nested objects may repeat
	names   [][]byte // folded, of the objects around this place, the innermost last
}

func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) end() error {
	s.space()
	if s.at != len(s.data) {
		return errSyntax
	}
	return nil
}

// value passes over one value; outer, if it is not nil, gets the members.
func (s *scanner) value(depth int, outer map[string][]byte) error {
	if depth == 0 {
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	s.space()
	switch s.peek() {
	case '{':
		return s.object(depth, outer)
	case '[':
		return s.array(depth)
	case '"':
		return s.text()
	}
	return s.literal()
}

func (s *scanner) object(depth int, outer map[string][]byte) error {
	s.at++
	seen := namesOf{scanner: s, from: len(s.names)}
	defer seen.forget()
	for first := true; ; first = false {
		s.space()
		if s.peek() == '}' && first {
			break
		}
		name, err := s.name()
		if err != nil {
			return err
		}
		if (!s.shallow || outer != nil) && !seen.add(name) {
			return fmt.Errorf("the name %.80q stands twice in one object", name)
		}
		s.space()
		start := s.at
		if err := s.value(depth-1, nil); err != nil {
			return err
		}
		if outer != nil {
			if len(outer) == maxMembers {
				return fmt.Errorf("an object has more than %d members", maxMembers)
			}
			outer[string(name)] = s.data[start:s.at]
		}
		if ended, err := s.next('}'); ended || err != nil {
			return err
		}
	}
	s.at++
	return nil
}

// few is how many names are compared one by one. Most objects have fewer, and a map
// for each of them costs more than all the rest.
const few = 16

// namesOf are the names of one object: few are kept with the scanner, from a place on.
type namesOf struct {
	*scanner
	from int
	many map[string]bool
}

// add tells by false that the object has the name, or one that differs in case alone.
func (n *namesOf) add(name []byte) bool {
	name = folded(name)
	if n.many == nil && len(n.names)-n.from == few {
		n.many = make(map[string]bool)
		for _, other := range n.names[n.from:] {
			n.many[string(other)] = true
		}
	}
	if n.many != nil {
		before := len(n.many)
		n.many[string(name)] = true
		return len(n.many) > before
	}
	for _, other := range n.names[n.from:] {
		if bytes.Equal(name, other) {
			return false
		}
	}
	n.names = append(n.names, name)
	return true
}

func (n *namesOf) forget() { n.names = n.names[:n.from] }

// folded is the same for names that differ in case alone.
func folded(name []byte) []byte {
	for _, c := range name {
		if c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return bytes.ToLower(bytes.ToUpper(name))
		}
	}
	return name
}

// name reads a member's name and the colon after it.
func (s *scanner) name() ([]byte, error) {
	start := s.at
	if s.peek() != '"' {
		return nil, errSyntax
	}
	if err := s.text(); err != nil {
		return nil, err
	}
	if s.at-start > maxName {
		return nil, fmt.Errorf("a name has more than %d bytes", maxName)
	}
	name := s.data[start+1 : s.at-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var plain string
		if json.Unmarshal(s.data[start:s.at], &plain) != nil {
			return nil, errSyntax
		}
		name = []byte(plain)
	}
	s.space()
	if s.peek() != ':' {
		return nil, errSyntax
	}
	s.at++
	return name, nil
}

func (s *scanner) array(depth int) error {
	s.at++
	for first := true; ; first = false {
		s.space()
		if s.peek() == ']' && first {
			break
		}
		if err := s.value(depth-1, nil); err != nil {
			return err
		}
		if ended, err := s.next(']'); ended || err != nil {
			return err
		}
	}
	s.at++
	return nil
}

// next passes over what follows a member: a comma, or the end.
func (s *scanner) next(end byte) (ended bool, err error) {
	s.space()
	switch s.peek() {
	case end:
		ended = true
	case ',':
	default:
		return false, errSyntax
	}
	s.at++
	return ended, nil
}

func (s *scanner) text() error {
	for s.at++; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c == '\\':
			s.at++
		case c < ' ':
			return errSyntax
		}
	}
	return errSyntax
}

// literal passes over a number, true, false or null.
func (s *scanner) literal() error {
	start, digits := s.at, true
	for ; s.at < len(s.data) && !ends(s.data[s.at]); s.at++ {
		digits = digits && '0' <= s.data[s.at] && s.data[s.at] <= '9'
	}
	text := s.data[start:s.at]
	if digits && len(text) > 0 && text[0] != '0' && len(text) <= maxLiteral {
		return nil // which is most of them
	}
	if len(text) > maxLiteral || !json.Valid(text) {
		return errSyntax
	}
	return nil
}

// ends is true for a byte that stands behind a literal.
func ends(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', ',', ']', '}', ':':
		return true
	}
	return false
}

// Value is the value that data begins with, its numbers as they are written.
func Value(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}

// Canonical writes v with sorted keys, no spaces, and numbers as they stand.
func Canonical(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	plain, err := Value(data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plain) // maps are written in the order of their keys
}
