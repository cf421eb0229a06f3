package overlay

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// slot is where a file names the image: how the digest stands there and how it
// would be written.
type slot struct {
	digest *yaml.Node // scalar that is sha256:HEX; nil when there is none
	bare   bool       // digest is HEX alone
	tagged bool       // digest is TAG@sha256:HEX, or a tag
	tagKey *yaml.Node // key of a tag that the digest replaces; nil when there is none
	tag    *yaml.Node
	whole  *yaml.Node // scalar that is IMAGE@DIGEST or IMAGE:TAG as a whole
	prefix string     // in whole: what stands before the image
	after  *yaml.Node // scalar after whose line a digest line is inserted
	key    *yaml.Node // key of after, which gives the indentation, or of digest
	flow   bool       // the mapping is written in braces
}

// tagged is a tag that carries the digest, for charts that know only a tag. It
// is named after the digest, so that it cannot say anything else.
func tagged(ref imageref.Ref) string { return ref.Hex()[:12] + "@" + ref.Digest() }

func (s slot) place(file string, form Form, t Target) (Place, error) {
	p := Place{Form: form, File: file}
	switch {
	case s.whole != nil:
		p.Line = s.whole.Line
		text := strings.TrimPrefix(s.whole.Value, s.prefix)
		if _, digest, ok := strings.Cut(text, "@"); ok {
			return p.with(file, s.whole, t, digest)
		}
		p.Tag = strings.TrimPrefix(strings.TrimPrefix(text, repositoryOf(text)), ":")
		p.Tag = cmp.Or(p.Tag, "latest") // https://docs.docker.com/reference/cli/docker/image/pull/
	case s.tagged:
		p.Line = s.digest.Line
		if _, digest, ok := strings.Cut(value(s.digest), "@"); ok {
			return p.with(file, s.digest, t, digest)
		}
		p.Tag = value(s.digest)
	case value(s.digest) != "" && resolve(s.digest).Tag != "!!null":
		p.Line = s.digest.Line
		digest := value(s.digest)
		if s.bare {
			digest = imageref.Algorithm + strings.TrimPrefix(digest, imageref.Algorithm)
		}
		return p.with(file, s.digest, t, digest)
	case s.tag != nil:
		if _, digest, ok := strings.Cut(value(s.tag), "@"); ok { // TAG@DIGEST, as Renovate writes it
			return p.with(file, s.tag, t, digest)
		}
		p.Line, p.Tag = s.tag.Line, value(s.tag)
	}
	return p, nil
}

func (p Place) with(file string, at *yaml.Node, t Target, digest string) (Place, error) {
	if strings.ContainsAny(digest, "{$") {
		return Place{}, outcome.Usagef("%s:%d: the digest is a variable, %s: write the digest itself there", file, at.Line, digest)
	}
	ref, err := imageref.New(t.Image, digest)
	if err != nil {
		return Place{}, fmt.Errorf("%s:%d: %w", file, at.Line, err)
	}
	p.Ref = ref
	return p, nil
}

// at is the first node of the slot in the file.
func (s slot) at() *yaml.Node {
	var first *yaml.Node
	for _, n := range []*yaml.Node{s.whole, s.digest, s.tag, s.after} {
		if n != nil && (first == nil || n.Line < first.Line || n.Line == first.Line && n.Column < first.Column) {
			first = n
		}
	}
	return first
}

// write gives the file with ref's digest in the slot.
func (s slot) write(data []byte, ref imageref.Ref) ([]byte, error) {
	switch {
	case s.whole != nil:
		repository := repositoryOf(strings.TrimPrefix(s.whole.Value, s.prefix))
		return replace(data, splice{s.whole, s.prefix + repository + "@" + ref.Digest()})
	case s.digest != nil && s.digest.Value == "" && s.digest.Style == 0 && s.key != nil:
		return s.writeAfterKey(data, ref)
	case s.digest != nil:
		return s.writeDigest(data, ref)
	case s.tag != nil:
		return replace(data, splice{s.tag, ref.Digest()}, splice{s.tagKey, "digest"})
	case s.flow:
		return insertInFlow(data, s.after, ref.Digest())
	default:
		return insertLine(data, s.after, s.key, ref.Digest())
	}
}

// text is what is written for ref.
func (s slot) text(ref imageref.Ref) string {
	switch {
	case s.tagged:
		return tagged(ref)
	case s.bare:
		return ref.Hex()
	}
	return ref.Digest()
}

// writeAfterKey gives a value to a key that has none.
func (s slot) writeAfterKey(data []byte, ref imageref.Ref) ([]byte, error) {
	_, end, err := extent(data, s.key)
	if err != nil || end >= len(data) || data[end] != ':' {
		return nil, errors.New(`the value is missing; write "" there`)
	}
	return slices.Concat(data[:end+1], []byte(" "+s.text(ref)), data[end+1:]), nil
}

// writeDigest replaces the digest, and empties a tag that stands beside it in a
// kustomization: it would name what no longer runs.
func (s slot) writeDigest(data []byte, ref imageref.Ref) ([]byte, error) {
	splices := []splice{{s.digest, s.text(ref)}}
	if s.tag != nil && s.tag.Value != "" {
		splices = append(splices, splice{s.tag, ""})
		slices.SortFunc(splices, func(a, b splice) int {
			return cmp.Or(b.node.Line-a.node.Line, b.node.Column-a.node.Column)
		})
	}
	return replace(data, splices...)
}

// splice replaces the text of one scalar.
type splice struct {
	node *yaml.Node
	text string
}

// replace applies splices, which must be given from the back of the file to
// its front.
func replace(data []byte, splices ...splice) ([]byte, error) {
	out := bytes.Clone(data)
	for _, s := range splices {
		start, end, err := extent(data, s.node)
		if err != nil {
			return nil, err
		}
		text := s.text
		switch s.node.Style &^ yaml.TaggedStyle {
		case yaml.DoubleQuotedStyle:
			text = `"` + text + `"`
		case yaml.SingleQuotedStyle:
			text = `'` + text + `'`
		default:
			if text == "" {
				text = `""`
			}
		}
		out = append(out[:start:start], append([]byte(text), out[end:]...)...)
	}
	return out, nil
}

// extent gives the byte range of a scalar on one line, quotes included, tags
// and anchors left out. yaml.v3 gives the start in runes and no end.
func extent(data []byte, n *yaml.Node) (start, end int, err error) {
	if n.Kind == yaml.AliasNode {
		return 0, 0, fmt.Errorf("%q is an alias; write the value out, so that changing it changes this place alone", "*"+n.Value)
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return 0, 0, errors.New("the value is a block scalar; write it on one line")
	}
	start, err = offset(data, n.Line, n.Column)
	if err != nil {
		return 0, 0, err
	}
	for start < len(data) && (data[start] == '&' || data[start] == '!') {
		skip := bytes.IndexAny(data[start:], " \t\r\n")
		if skip < 0 || data[start+skip] == '\n' || data[start+skip] == '\r' {
			return 0, 0, errors.New("the value stands on another line than its anchor or tag; write both on one line")
		}
		start += skip
		for start < len(data) && (data[start] == ' ' || data[start] == '\t') {
			start++
		}
	}
	text := n.Value
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		text = `"` + text + `"`
	case n.Style&yaml.SingleQuotedStyle != 0:
		text = `'` + text + `'`
	case text == "":
		return 0, 0, errors.New(`the value is missing; write "" there`)
	}
	if bytes.HasPrefix(data[start:], []byte(text)) {
		return start, start + len(text), nil
	}
	return 0, 0, fmt.Errorf("the value %q is written with escapes or over several lines; write it plainly", n.Value)
}

// offset turns a line and column (runes, from 1) into a byte offset. A byte
// order mark is not part of the first column.
func offset(data []byte, line, column int) (int, error) {
	at, ok := lineStart(data, line)
	if !ok {
		return 0, fmt.Errorf("no line %d", line)
	}
	if line == 1 {
		at += len(data) - len(bytes.TrimPrefix(data, []byte("\ufeff")))
	}
	for range column - 1 {
		if at >= len(data) {
			return 0, fmt.Errorf("no column %d in line %d", column, line)
		}
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	return at, nil
}

// insertLine adds "digest: …" as a line of its own after the line of a scalar,
// indented as that scalar's key and ended as that line is.
func insertLine(data []byte, after, key *yaml.Node, digest string) ([]byte, error) {
	_, end, err := extent(data, after)
	if err != nil {
		return nil, err
	}
	line := strings.Repeat(" ", key.Column-1) + "digest: " + digest
	stop, size := lineBreak(data, end)
	if size == 0 { // no final newline: there is none after the new line either
		return append(bytes.Clone(data), newline(data, len(data))+line...), nil
	}
	at := stop + size
	return slices.Concat(data[:at], []byte(line+newline(data, at)), data[at:]), nil
}

func insertInFlow(data []byte, after *yaml.Node, digest string) ([]byte, error) {
	_, end, err := extent(data, after)
	if err != nil {
		return nil, err
	}
	return append(data[:end:end], append([]byte(`, digest: "`+digest+`"`), data[end:]...)...), nil
}
