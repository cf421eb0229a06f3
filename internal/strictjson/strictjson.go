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
	"strings"
)

// maxDepth bounds how deep values may be nested.
const maxDepth = 200

// Bounds of names, so that a hostile document costs no more than its bytes.
const (
	maxName    = 4 << 10 // bytes of one name
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
	shallow bool // names of nested objects may repeat
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
	seen := make(map[string]bool)
	for s.space(); s.peek() != '}' || len(seen) > 0; s.space() {
		name, err := s.name()
		if err != nil {
			return err
		}
		if folded := strings.ToLower(strings.ToUpper(name)); !s.shallow || outer != nil {
			if seen[folded] {
				return fmt.Errorf("the name %.80q stands twice in one object", name)
			}
			seen[folded] = true
		} else {
			seen[""] = true
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
			outer[name] = s.data[start:s.at]
		}
		if ended, err := s.next('}'); ended || err != nil {
			return err
		}
	}
	s.at++
	return nil
}

// name reads a member's name and the colon after it.
func (s *scanner) name() (string, error) {
	start := s.at
	if s.peek() != '"' {
		return "", errSyntax
	}
	if err := s.text(); err != nil {
		return "", err
	}
	if s.at-start > maxName {
		return "", fmt.Errorf("a name has more than %d bytes", maxName)
	}
	name := string(s.data[start+1 : s.at-1])
	if strings.Contains(name, `\`) && json.Unmarshal(s.data[start:s.at], &name) != nil {
		return "", errSyntax
	}
	s.space()
	if s.peek() != ':' {
		return "", errSyntax
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
	start := s.at
	for s.at < len(s.data) && !strings.ContainsRune(" \t\n\r,]}:", rune(s.data[s.at])) {
		s.at++
	}
	if s.at-start > 400 || !json.Valid(s.data[start:s.at]) {
		return errSyntax
	}
	return nil
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
