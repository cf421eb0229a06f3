package strictjson

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

type sum = [sha256.Size]byte

// Unordered is a digest of all that a document says, but for some members of its outermost
// object. The order of names counts in it as little as that of elements: a program that
// writes lists in the order of chance writes one digest. It holds no more in memory than the
// digests and names of the lists around one place. Names that differ in case alone are two:
// they can be keys of somebody's map.
func Unordered(data []byte, without ...string) ([]byte, error) {
	if !json.Valid(data) || !utf8.Valid(data) {
		return nil, errSyntax
	}
	s := unorderedScanner{scanner: scanner{data: data}}
	all, err := s.digest(maxDepth, without)
	return all[:], err
}

type unorderedScanner struct {
	scanner
	buffer []byte
}

// digest passes over one value of a document that is valid JSON.
func (s *unorderedScanner) digest(depth int, without []string) (of sum, err error) {
	if depth == 0 {
		return of, fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	s.space()
	kind, start := s.peek(), s.at
	switch kind {
	case '{', '[':
		parts, err := s.parts(depth, kind, without)
		if err != nil {
			return of, err
		}
		slices.SortFunc(parts, func(a, b sum) int { return bytes.Compare(a[:], b[:]) })
		s.buffer = append(s.buffer[:0], kind)
		for i := range parts {
			s.buffer = append(s.buffer, parts[i][:]...)
		}
		return sha256.Sum256(s.buffer), nil
	case '"':
		plain, err := s.string()
		s.buffer = append(append(s.buffer[:0], kind), plain...)
		return sha256.Sum256(s.buffer), err
	}
	err = s.literal()
	s.buffer = append(append(s.buffer[:0], '0'), s.data[start:s.at]...)
	return sha256.Sum256(s.buffer), err
}

// parts are the digests of a list's elements, or of an object's members with their names.
func (s *unorderedScanner) parts(depth int, kind byte, without []string) (parts []sum, err error) {
	var names []string
	s.at++
	for s.space(); s.peek() != '}' && s.peek() != ']'; s.space() {
		if s.peek() == ',' {
			s.at++
			s.space()
		}
		name := ""
		if kind == '{' {
			plain, err := s.string()
			if err != nil {
				return nil, err
			}
			name = string(plain)
			names = append(names, name)
			s.space()
			s.at++ // the colon
		}
		part, err := s.digest(depth-1, nil)
		if err != nil {
			return nil, err
		}
		if kind == '{' {
			named := sha256.Sum256([]byte(name))
			part = sha256.Sum256(append(append(s.buffer[:0], named[:]...), part[:]...))
		}
		if !slices.Contains(without, name) || kind == '[' {
			parts = append(parts, part)
		}
	}
	s.at++
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return nil, fmt.Errorf("the name %.200q stands twice in one object", names[i])
		}
	}
	return parts, nil
}

// string reads a text as what it stands for.
func (s *unorderedScanner) string() ([]byte, error) {
	start := s.at
	if err := s.text(); err != nil {
		return nil, err
	}
	raw := s.data[start:s.at]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], nil
	}
	var plain string
	err := json.Unmarshal(raw, &plain)
	return []byte(plain), err
}
