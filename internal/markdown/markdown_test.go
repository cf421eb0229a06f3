package markdown_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/markdown"
)

func TestText(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"plain":             {"acme/demo-api 1.2", "acme/demo-api 1.2"},
		"link":              {"[x](https://evil)", `\[x\](https&#58;//evil)`},
		"bare address":      {"see https://evil and WWW.evil", "see https&#58;//evil and WWW&#46;evil"},
		"emphasis":          {"*a* _b_ ~c~ `d`", "\\*a\\* \\_b\\_ \\~c\\~ \\`d\\`"},
		"math":              {"$a$", `\$a\$`},
		"cell":              {"a | b", `a \| b`},
		"backslash":         {`a\|b`, `a\\\|b`},
		"html":              {"<img src=x> &amp; <!--", "&lt;img src=x&gt; &amp;amp; &lt;!--"},
		"mention and issue": {"@acme/all fixes #12", "@\u200bacme/all fixes #\u200b12"},
		"heading":           {"# a", "\\#\u200b a"},
		"list":              {"- a - b", `\- a - b`},
		"ordered list":      {"12. a 1.2", `12\. a 1.2`},
		"underline":         {"===", `\===`},
		"lines":             {"a\n\n# b\r\nc", "a  #\u200b b  c"},
		"controls":          {"a\x1b[31m\x00b\u202ec", `a\[31mbc`},
		"not UTF-8":         {"a\xffb", "a\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := markdown.Text(tc.in); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"sha256:ab": "`sha256:ab`",
		"a`b":       "``a`b``",
		"``":        "``` `` ```",
		"a\nb":      "`a b`",
		"":          "",
	} {
		if got := markdown.Code(in); got != want {
			t.Errorf("Code(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFenceOutgrowsItsContent(t *testing.T) {
	t.Parallel()
	got := markdown.Fence("diff`\n", "a\n````\n</details>\x1b\n")
	if want := "`````diff\na\n````\n</details>\n`````\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRow(t *testing.T) {
	t.Parallel()
	got := markdown.Row(markdown.Code("a|b"), markdown.Text("c|d"), "e\nf", markdown.Code(`g\\|`))
	if want := "| `a\\|b` | c\\|d | e f | `g\\\\\\|` |\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://github.com/a/b":   "[x](<https://github.com/a/b>)",
		"https://h/a>b|c`d":        "[x](<https://h/a%3Eb%7Cc%60d>)",
		"javascript:alert(1)":      "x",
		"https://user@host/":       "x",
		"//host/a":                 "x",
		"https://h/a\n](https://b": "x",
	} {
		if got := markdown.Link("x", address); got != want {
			t.Errorf("Link(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	got := markdown.HTML("</summary>\n@acme & co")
	if strings.ContainsAny(got, "<\n") || got != "&lt;/summary&gt; @\u200bacme &amp; co" {
		t.Errorf("got %q", got)
	}
}
