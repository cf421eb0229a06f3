package markdown_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/markdown"
)

func TestSaid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"paragraphs":               {"a\n  b  \r\n\nc", "a|b|c"},
		"heading":                  {"a\n---\n", "a"},
		"quotation":                {"> a\n> b\n\nc", "c"},
		"quoted without its >":     {"> a\nb\n\nc", "c"},
		"code block":               {"```\na\n```\nb", "b"},
		"longer fence":             {"````\n```\na\n````\nb", "b"},
		"a fence with a word":      {"```\n```go\na\n```\nb", "b"},
		"tildes":                   {"~~~\n```\na\n~~~\nb", "b"},
		"a fence that never ends":  {"```\na", ""},
		"indented code":            {"a\n\n    b\n\nc", "a|c"},
		"HTML comment":             {"<!--\na\n\nb\n-->\nc", "c"},
		"comment in a paragraph":   {"a <!-- b\nc\n--> d", "a ......|.|... d"},
		"HTML":                     {"<details>\na\n</details>\n\nb", "b"},
		"code span":                {"a `b`", "a `b`"},
		"code span of two lines":   {"a `b\nc` d", "a `.|.` d"},
		"list":                     {"- a\n  b\n\n1. c", ""},
		"a long line":              {strings.Repeat("a", 5000) + "\nb", strings.Repeat("a", 1000) + "|b"},
		"quotations in each other": {strings.Repeat("> ", 100_000) + "a\n\nb", "b"},
		"nothing":                  {"", ""},
		"not UTF-8":                {"a\xffb", "a\ufffdb"},
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
