package strictjson

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

type sum = [sha256.Size]byte

// Omission is what does not count of each object whose member Where is the text Is: its
// Members.
type Omission struct {
	Where, Is string
	Members   []string
}

// Unordered is a digest of all that a document says, but for some members of its outermost
// object, at which it does not look, and what is omitted. The order of names counts in it as
// little as that of elements: a program that writes lists in the order of chance writes one
// digest. It holds no more in memory than the digests and names of the lists around one
// place. Names that differ in case alone are two: they can be keys of somebody's map.
func Unordered(data []byte, without []string, omitted ...Omission) ([]byte, error) {
	if !json.Valid(data) || !utf8.Valid(data) {
		return nil, errSyntax
	}
	s := unorderedScanner{scanner: scanner{data: data, shallow: true}, omitted: omitted, known: make(map[string]sum)}
	all, err := s.digest(maxDepth, without)
	return all[:], err
}

type unorderedScanner struct {
	scanner
	buffer  []byte
	omitted []Omission
	known   map[string]sum // of names, which are few
}

// part is an element of a list, or a member of an object by its name.
type part struct {
	name string
	of   sum
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
		slices.SortFunc(parts, func(a, b part) int { return bytes.Compare(a.of[:], b.of[:]) })
		s.buffer = append(s.buffer[:0], kind)
		for i := range parts {
			s.buffer = append(s.buffer, parts[i].of[:]...)
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
func (s *unorderedScanner) parts(depth int, kind byte, without []string) (parts []part, err error) {
	var names []string
	s.at++
	for s.space(); s.peek() != '}' && s.peek() != ']'; s.space() {
		if s.peek() == ',' {
			s.at++
			s.space()
		}
		var p part
		if kind == '{' {
			plain, err := s.string()
			if err != nil {
				return nil, err
			}
			p.name = string(plain)
			names = append(names, p.name)
			s.space()
			s.at++ // the colon
			if slices.Contains(without, p.name) {
				if err := s.value(depth-1, nil); err != nil {
					return nil, err
				}
				continue
			}
		}
		if p.of, err = s.digest(depth-1, nil); err != nil {
			return nil, err
		}
		if kind == '{' {
			p.of = pair(s.sumOf(p.name), p.of)
		}
		parts = append(parts, p)
	}
	s.at++
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return nil, fmt.Errorf("the name %.200q stands twice in one object", names[i])
		}
	}
	for _, o := range s.omitted {
		if kind == '{' && o.of(parts) {
			parts = slices.DeleteFunc(parts, func(p part) bool { return slices.Contains(o.Members, p.name) })
		}
	}
	return parts, nil
}

// of reports whether it is of an object. Many programs do not mind the case of names: one
// with several spellings of Where could be another to them.
func (o Omission) of(parts []part) bool {
	spellings := 0
	for _, p := range parts {
		if strings.EqualFold(p.name, o.Where) {
			spellings++
		}
	}
	return spellings == 1 && slices.Contains(parts, part{o.Where, pair(sha256.Sum256([]byte(o.Where)), sha256.Sum256([]byte(`"`+o.Is)))})
}

// maxKnown bounds the names whose digests are kept.
const maxKnown = 10_000

func (s *unorderedScanner) sumOf(name string) sum {
	if of, is := s.known[name]; is {
		return of
	}
	of := sha256.Sum256([]byte(name))
	if len(s.known) < maxKnown {
		s.known[name] = of
	}
	return of
}

// pair is the digest of a member, by those of its name and value.
func pair(name, value sum) sum {
	var both [2 * sha256.Size]byte
	copy(both[copy(both[:], name[:]):], value[:])
	return sha256.Sum256(both[:])
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
