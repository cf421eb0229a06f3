// Package markdown writes GitHub Flavored Markdown around text that comes from
// outside: commit titles, package names, findings, file contents.
//
// Invariant: whatever a string holds, it stays inside the construct it is given
// to. It opens no link, mention, image, table cell, heading, HTML element or
// comment, and a fence or code span outgrows the backticks in it. The package
// makes small pieces; it lays out nothing and cuts nothing.
//
// https://github.github.com/gfm/
package markdown

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text escapes s for a paragraph, list item, heading or table cell. Line breaks
// become spaces, control characters and text direction overrides go, mentions
// and issue numbers do not become links. Nor does a text begin as a command to the
// Actions runner, for those who print it.
func Text(s string) string {
	s = apart(oneLine(s))
	var out strings.Builder
	for i, r := range s {
		switch r {
		case '\\', '`', '*', '_', '[', ']', '|', '~', '$':
			out.WriteByte('\\')
			out.WriteRune(r)
		case '<':
			out.WriteString("&lt;")
		case '>':
			out.WriteString("&gt;")
		case '&':
			out.WriteString("&amp;")
		case ':':
			if i == 0 && strings.HasPrefix(s, "::") {
				out.WriteByte('\\') // a command of the runner
			}
			if strings.HasPrefix(s[i:], "://") {
				out.WriteString("&#58;") // not an autolink
				continue
			}
			out.WriteRune(r)
		case '#', '-', '+', '=':
			if i == 0 { // a heading, a list, a rule, an underlined heading
				out.WriteByte('\\')
			}
			out.WriteRune(r)
		case '.', ')':
			if i > 0 && strings.Trim(s[:i], "0123456789") == "" { // an ordered list
				out.WriteByte('\\')
			} else if strings.HasSuffix(strings.ToLower(s[:i]), "www") {
				out.WriteString("&#46;")
				continue
			}
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// Code makes a code span. In a table, wrap it in Cell.
func Code(s string) string {
	s = oneLine(s)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// Fence makes a fenced code block, info being its language.
func Fence(info, content string) string {
	content = strings.ToValidUTF8(strings.ReplaceAll(content, "\r\n", "\n"), string(utf8.RuneError))
	content = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && dropped(r) {
			return -1
		}
		return r
	}, content)
	fence := strings.Repeat("`", max(3, longestRun(content, '`')+1))
	return fence + infoUnsafe.ReplaceAllString(info, "") + "\n" + strings.TrimSuffix(content, "\n") + "\n" + fence + "\n"
}

// Cell makes Markdown that is already escaped fit a table cell: no line breaks,
// no pipe that would end the cell, as a code span may hold one.
func Cell(inline string) string {
	inline = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(inline)
	var out strings.Builder
	backslashes := 0
	for _, r := range inline {
		if r == '|' && backslashes%2 == 0 {
			out.WriteByte('\\')
		}
		if r == '\\' {
			backslashes++
		} else {
			backslashes = 0
		}
		out.WriteRune(r)
	}
	return out.String()
}

// Row makes a table row of cells that are already escaped.
func Row(cells ...string) string {
	for i, c := range cells {
		cells[i] = Cell(c)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// Link makes a link of inline, which is already escaped, to an http or https
// address. Any other address gives inline alone.
func Link(inline, address string) string {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return inline
	}
	target := strings.NewReplacer("<", "%3C", ">", "%3E", " ", "%20", "|", "%7C", `\`, "%5C", "`", "%60").Replace(u.String())
	return "[" + inline + "](<" + target + ">)"
}

// HTML escapes s for the inside of an HTML element such as <summary>, where
// Markdown's backslashes would show.
func HTML(s string) string {
	return html.EscapeString(apart(oneLine(s)))
}

const zeroWidthSpace = "\u200b"

// apart keeps GitHub from reading mentions and numbers of issues, which it makes
// links of in any text. A number after a word such as "fixes" would close the issue.
// https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
func apart(s string) string {
	return reference.ReplaceAllString(s, "$0"+zeroWidthSpace)
}

var (
	reference  = regexp.MustCompile(`[@#]|(?i:\bGH-)`)
	infoUnsafe = regexp.MustCompile(`[^A-Za-z0-9_+-]`)
)

func oneLine(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return ' '
		case dropped(r):
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// dropped are control characters and the marks that reorder text on the screen
// (https://trojansource.codes).
func dropped(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200e' ||
		r == '\u200f' || r == '\u061c' || r == '\ufeff'
}

func longestRun(s string, of rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r == of {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}
