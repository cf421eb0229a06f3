package overlay

import (
	"bytes"
	"slices"
	"strings"
)

// breaks are what ends a line in YAML as the parsers here read it, by which they count
// lines: text that was pasted from elsewhere may hold the last three.
// https://yaml.org/spec/1.1/#id871136
var breaks = []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"}

// lineBreak finds the first line break from at on. Its size is 0 if there is none.
func lineBreak(data []byte, at int) (start, size int) {
	for ; at < len(data); at++ {
		switch data[at] {
		case '\n', '\r', 0xc2, 0xe2: // the first bytes of breaks
			for _, b := range breaks {
				if bytes.HasPrefix(data[at:], []byte(b)) {
					return at, len(b)
				}
			}
		}
	}
	return len(data), 0
}

// lineStart gives where a line begins, counted from 1. It is false where there are fewer.
func lineStart(data []byte, line int) (at int, ok bool) {
	for range line - 1 {
		start, size := lineBreak(data, at)
		if size == 0 {
			return len(data), false
		}
		at = start + size
	}
	return at, true
}

func lineOf(data []byte, line int) string {
	at, ok := lineStart(data, line)
	if !ok {
		return ""
	}
	end, _ := lineBreak(data, at)
	return strings.TrimPrefix(string(data[at:end]), "\ufeff")
}

// newline is how a line ends that is inserted at an offset: as the line before it, or else
// as the first line of the file.
func newline(data []byte, at int) string {
	for _, ending := range breaks[:3] {
		if bytes.HasSuffix(data[:at], []byte(ending)) {
			return ending
		}
	}
	if start, size := lineBreak(data, 0); size > 0 && slices.Contains(breaks[:3], string(data[start:start+size])) {
		return string(data[start : start+size])
	}
	return "\n"
}

// appendLines adds lines at the end of the first document that holds something, in front of
// the marker that ends it.
func appendLines(data []byte, lines []string) []byte {
	content, at, line := false, 0, 1
	for ; at < len(data); line++ {
		end, size := lineBreak(data, at)
		text := strings.TrimRight(strings.TrimPrefix(string(data[at:end]), "\ufeff"), " \t")
		rest, marker := strings.CutPrefix(text, "---")
		if !marker {
			rest, marker = strings.CutPrefix(text, "...")
		}
		if marker = marker && (rest == "" || rest[0] == ' ' || rest[0] == '\t'); marker && content {
			return insertLines(data, line, lines)
		} else if !marker {
			rest = text
		}
		rest = strings.TrimLeft(rest, " \t")
		content = content || rest != "" && rest[0] != '#' && rest[0] != '%'
		at = end + size
	}
	return insertLines(data, line, lines)
}

// insertLines puts lines in front of a line, which is counted from 1. A file
// without a final newline keeps none.
func insertLines(data []byte, before int, lines []string) []byte {
	at, ok := lineStart(data, before)
	ending := newline(data, at)
	if !ok {
		return slices.Concat(data, []byte(ending+strings.Join(lines, ending)))
	}
	return slices.Concat(data[:at], []byte(strings.Join(lines, ending)+ending), data[at:])
}
