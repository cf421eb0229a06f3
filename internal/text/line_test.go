package text_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/text"
)

func TestShortForms(t *testing.T) {
	t.Parallel()
	sha := strings.Repeat("0a", 20)
	for _, c := range [][2]string{
		{text.Count(1, "root"), "1 root"}, {text.Count(0, "root"), "0 roots"},
		{text.List([]string{"a", "b"}, 2), "a, b"}, {text.List([]string{"a", "b", "c"}, 1), "a and 2 more"}, {text.List(nil, 2), ""},
		{text.Cut("äöü", 3, "…"), "äöü"}, {text.Cut("äöüß", 3, "…"), "äö…"}, {text.Cut("abcd", 1, " (more)"), " (more)"},
		{text.Commit(sha), sha[:7]}, {text.Commit("release-candidates"), "release-candidates"},
		{text.Commit(strings.ToUpper(sha)), strings.ToUpper(sha)}, {text.Commit(""), ""},
		{text.FirstLine("\n a\nb"), "a"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
}

// Text from outside stays text to a terminal and to the runner.
func TestTextFromOutside(t *testing.T) {
	t.Parallel()
	const hostile = "a\x1b[31m\tb\r\n##[set-output]\u202ec\u200b"
	for _, c := range [][2]string{
		{text.OneLine(hostile), "a[31m b # #[set-output]c"},
		{text.Printable(hostile), "a[31m\tb\n# #[set-output]\u202ec\u200b"},
		{text.NoCommandInJSON(`"##[x]"`), `"#\u0023[x]"`},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
	document, err := text.JSON(map[string]string{"a": "##[x]"})
	if err != nil || string(document) != "{\n  \"a\": \"#\\u0023[x]\"\n}" {
		t.Errorf("%s, %v", document, err)
	}
}
