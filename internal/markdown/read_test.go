package markdown_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/markdown"
)

func TestSaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"paragraphs":                    {"a\n  b  \r\n\nc", "a|b|c"},
		"heading":                       {"a\n---\n", "a"},
		"quotation":                     {"> a\n> b\n\nc", "c"},
		"quoted without its >":          {"> a\nb\n\nc", "c"},
		"code block":                    {"```\na\n```\nb", "b"},
		"longer fence":                  {"````\n```\na\n````\nb", "b"},
		"a fence with a word":           {"```\n```go\na\n```\nb", "b"},
		"tildes":                        {"~~~\n```\na\n~~~\nb", "b"},
		"a fence that never ends":       {"```\na", ""},
		"indented code":                 {"a\n\n    b\n\nc", "a|c"},
		"HTML comment":                  {"<!--\na\n\nb\n-->\nc", "c"},
		"comment in a paragraph":        {"a <!-- b\nc\n--> d", "a ......|.|... d"},
		"HTML":                          {"<details>\na\n</details>\n\nb", "b"},
		"HTML that a slash leaves open": {"<details/>\n\na", "."},
		"the end of another tag":        {"<details>\n</b>\n\na\n\n</details>\n\nb", ".|b"},
		"a tag in capitals":             {"<DETAILS>\n</details>\n\na", "a"},
		"a line break of HTML":          {"<br/>\n\na", "a"},
		"a footnote":                    {"[^1]: a\nb\n\nc", "c"},
		"a footnote after a line":       {"a\n[^note]: b\nc", "a"},
		"the mention of a footnote":     {"[^1] a\nb", "[^1] a|b"},
		"a link":                        {"a [b](c) d\ne", "a [b](c) d|e"},
		"the title of a link":           {"a [b](c \"\nd\n\") e\nf", "a .......|.|.. e|f"},
		"the title of a reference":      {"[b]: c \"d\ne\n\"\n\nf", "f"},
		"the description of an image":   {"![a\nb\n](c)", "...|.|...."},
		"the title of a link in bold":   {"*[b](c \"\nd\n\")*", "*.......|.|..*"},
		"code span":                     {"a `b`", "a `b`"},
		"code span of two lines":        {"a `b\nc` d", "a `.|.` d"},
		"list":                          {"- a\n  b\n\n1. c", ""},
		"a long line":                   {strings.Repeat("a", 5000) + "\nb", strings.Repeat("a", 1000) + "|b"},
		"quotations in each other":      {strings.Repeat("> ", 100_000) + "a\n\nb", "b"},
		"nothing":                       {"", ""},
		"not UTF-8":                     {"a\xffb", "a\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, line := range markdown.Said(tc.in) {
				got = append(got, strings.TrimSuffix(line, "\n"))
			}
			if strings.Join(got, "|") != tc.want {
				t.Errorf("got %q, want %q", strings.Join(got, "|"), tc.want)
			}
		})
	}
}
