package strictjson

import (
	"bytes"
	"crypto/sha256"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

type sum = [sha256.Size]byte

// Omission is what does not count of each object whose member Where is the text Is: its
// Members.
type Omission struct {
	Where, Is string
	Members   []string
}

// Unordered is a digest of all that a document says, but for some members of its outermost
// object, and what is omitted. The order of names counts in it as little as that of elements:
// a program that writes lists in the order of chance writes one digest. It holds no more in
// memory than the digests of the lists around one place.
func Unordered(data []byte, without []string, omitted ...Omission) ([]byte, error) {
	u := unordered{Decoder: jsontext.NewDecoder(bytes.NewReader(data)), omitted: omitted}
	all, err := u.value(without)
	if err != nil {
		return nil, err
	}
	if _, err := u.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errSyntax
	}
	return all[:], nil
}

type unordered struct {
	*jsontext.Decoder
	omitted []Omission
}

// part is an element of a list, or a member of an object by its name.
type part struct {
	name string
	of   sum
}

func (u unordered) value(without []string) (of sum, err error) {
	if u.StackDepth() > maxDepth {
		return of, fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	token, err := u.ReadToken()
	if err != nil {
		return of, err
	}
	kind := token.Kind()
	h := sha256.New()
	h.Write([]byte{byte(kind)})
	switch kind {
	case '{', '[':
		parts, err := u.parts(kind, without)
		if err != nil {
			return of, err
		}
		for _, p := range parts {
			h.Write(p.of[:])
		}
	case '"', '0':
		io.WriteString(h, token.String())
	}
	h.Sum(of[:0])
	return of, nil
}

// parts are those of a list or object that count, by their digests.
func (u unordered) parts(in jsontext.Kind, without []string) (parts []part, err error) {
	for end := map[jsontext.Kind]jsontext.Kind{'{': '}', '[': ']'}[in]; u.PeekKind() != end; {
		p, skip, err := u.part(in, without)
		if err != nil {
			return nil, err
		}
		if !skip {
			parts = append(parts, p)
		}
	}
	if _, err := u.ReadToken(); err != nil {
		return nil, err
	}
	for _, o := range u.omitted {
		if in == '{' && o.of(parts) {
			parts = slices.DeleteFunc(parts, func(p part) bool { return slices.Contains(o.Members, p.name) })
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return bytes.Compare(a.of[:], b.of[:]) })
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
	return spellings == 1 && slices.Contains(parts, part{o.Where, member(o.Where, text(o.Is))})
}

func (u unordered) part(in jsontext.Kind, without []string) (p part, skip bool, err error) {
	if in == '[' {
		p.of, err = u.value(nil)
		return p, false, err
	}
	token, err := u.ReadToken()
	if err != nil {
		return p, false, err
	}
	p.name = token.String() // which is gone with the next token
	if slices.Contains(without, p.name) {
		return p, true, u.SkipValue()
	}
	value, err := u.value(nil)
	p.of = member(p.name, value)
	return p, false, err
}

func member(name string, value sum) sum {
	named := sha256.Sum256([]byte(name))
	return sha256.Sum256(slices.Concat(named[:], value[:]))
}

// text is the digest of a text.
func text(value string) sum { return sha256.Sum256([]byte(`"` + value)) }
