package strictjson

import (
	"bytes"
	"crypto/sha256"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"io"
	"slices"
)

type sum = [sha256.Size]byte

// Unordered is a digest of all that a document says, but for some members of its outermost
// object. The order of names counts in it as little as that of elements: a program that
// writes lists in the order of chance writes one digest. It holds no more in memory than the
// digests of the lists around one place.
func Unordered(data []byte, without ...string) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	all, err := unordered(d, without)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errSyntax
	}
	return all[:], nil
}

func unordered(d *jsontext.Decoder, without []string) (of sum, err error) {
	if d.StackDepth() > maxDepth {
		return of, fmt.Errorf("values are nested more than %d deep", maxDepth)
	}
	token, err := d.ReadToken()
	if err != nil {
		return of, err
	}
	kind := token.Kind()
	var parts []sum
	switch kind {
	case '{', '[':
		for end := map[jsontext.Kind]jsontext.Kind{'{': '}', '[': ']'}[kind]; d.PeekKind() != end; {
			part, skip, err := member(d, kind, without)
			if err != nil {
				return of, err
			}
			if !skip {
				parts = append(parts, part)
			}
		}
		if _, err := d.ReadToken(); err != nil {
			return of, err
		}
		slices.SortFunc(parts, func(a, b sum) int { return bytes.Compare(a[:], b[:]) })
	}
	h := sha256.New()
	h.Write([]byte{byte(kind)})
	for _, part := range parts {
		h.Write(part[:])
	}
	if kind == '"' || kind == '0' {
		io.WriteString(h, token.String())
	}
	return sum(h.Sum(nil)), nil
}

// member is the digest of one element, or of one member with its name.
func member(d *jsontext.Decoder, in jsontext.Kind, without []string) (of sum, skip bool, err error) {
	if in == '[' {
		of, err = unordered(d, nil)
		return of, false, err
	}
	token, err := d.ReadToken()
	if err != nil {
		return of, false, err
	}
	name := token.String() // which is gone with the next token
	if slices.Contains(without, name) {
		return of, true, d.SkipValue()
	}
	value, err := unordered(d, nil)
	named := sha256.Sum256([]byte(name))
	return sha256.Sum256(slices.Concat(named[:], value[:])), false, err
}
