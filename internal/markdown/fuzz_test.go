package markdown_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/waybill-dev/waybill/internal/markdown"
)

// github renders as GitHub does, HTML included.
var github = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))

func render(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := github.Convert([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What GitHub makes links of in any text.
// https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
var (
	mentions = regexp.MustCompile(`@[A-Za-z0-9]`)
	issues   = regexp.MustCompile(`(?:^|[^&])#[0-9]|(?i:\bGH-[0-9])`)
	tags     = regexp.MustCompile(`</?[a-zA-Z0-9]+|<!`)
)

var hostile = []string{
	"@acme/all fixes #12 and GH-12", "[x](https://evil)", "![x](//evil)", "<!-- x -->", "--> x", "<img src=x>", "# a",
	"- a", "1) a", "    a", "a|b",
	"```", "~~~", "`a", "``a`", "https://evil", "www.evil.example", "mailto:a@b.example", "a@b.example", "::error::x",
	"##[error]x", "[a]: x", "a\r\rb",
	"*a*_b_~c~", "$a$", "&lt;&#60;", "\\", "\\[x](y)", ">a", "= ", "+ a", "\u2028# a", "\ufeff# a", "\u00a0- a",
	"[^1]", "| - |\n|-|", ":a:", "\u202ea",
	"ftp://evil", "xmpp:a@b.example", "0. a", "\x00", "***", "---", "===", "1.", "\u200b@a", "wWw.a.b", "HTTPS://a.b",
	"a`|`b", "\\|", "[ ] a", "http:\\//a.b",
}

// FuzzText looks for text that leaves its place: it renders as one paragraph, or
// one item, of nothing but text.
func FuzzText(f *testing.F) {
	for _, seed := range hostile {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := markdown.Text(s)
		if strings.ContainsAny(text, "\r\n") || mentions.MatchString(text) || issues.MatchString(text) || strings.HasPrefix(text, "::") {
			t.Errorf("%q becomes %q", s, text)
		}
		for _, c := range []struct{ before, after, allowed string }{
			{"", "", "p"}, {"a ", " b", "p"}, {"- ", "", "ul li"}, {"## ", "", "h2"},
			{"| a | ", " |\n|---|---|\n", "table thead tr th"},
		} {
			allowed := make(map[string]bool)
			for name := range strings.FieldsSeq(c.allowed) {
				allowed["<"+name], allowed["</"+name] = true, true
			}
			out := render(t, c.before+text+c.after)
			for _, tag := range tags.FindAllString(out, -1) {
				if !allowed[tag] {
					t.Errorf("%q becomes %s in %q:\n%s", s, tag, c.before+text+c.after, out)
				}
			}
		}
	})
}

// FuzzCode looks for text that leaves its code span, or its fence.
func FuzzCode(f *testing.F) {
	for _, seed := range hostile {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		span := markdown.Code(s)
		for _, text := range []string{"a " + span + " b", markdown.Row(span, "b") + "|---|---|\n"} {
			out := render(t, text)
			if want := min(len(span), 1); strings.Count(out, "<code>") != want {
				t.Errorf("%q has not %d code spans:\n%s", s, want, out)
			}
			rest := out[:max(strings.Index(out, "<code>"), 0)] + out[max(strings.LastIndex(out, "</code>"), 0):]
			if strings.Contains(rest, "<a") || strings.Contains(rest, "<img") || strings.Contains(rest, "<!--") {
				t.Errorf("%q leaves its code span:\n%s", s, out)
			}
		}
		out := render(t, markdown.Fence(s, s)+"\nend\n")
		if strings.Count(out, "<pre>") != 1 || !strings.HasSuffix(out, "</code></pre>\n<p>end</p>\n") {
			t.Errorf("%q leaves its fence:\n%s", s, out)
		}
	})
}

// FuzzHTML looks for text that leaves its element, or that GitHub makes a link of.
func FuzzHTML(f *testing.F) {
	for _, seed := range hostile {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := markdown.HTML(s)
		if mentions.MatchString(text) || issues.MatchString(text) {
			t.Errorf("%q becomes %q", s, text)
		}
		out := render(t, "<details><summary>"+text+"</summary>\n\nend\n</details>\n")
		if got := strings.Join(tags.FindAllString(out, -1), " "); got != "<details <summary </summary <p </p </details" {
			t.Errorf("%q becomes %s:\n%s", s, got, out)
		}
	})
}

// FuzzLink looks for addresses that leave their link or that are no web address.
func FuzzLink(f *testing.F) {
	for _, seed := range append([]string{
		"https://h/a>b", "https://h/\\>x", "https://h/(", "https://h/\x00", "javascript:alert(1)", "https://h/|", "https://h?<a>",
	}, hostile...) {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, inline, address string) {
		link := markdown.Link(markdown.Text(inline), address)
		for _, text := range []string{link, markdown.Row(link, "b") + "|---|---|\n"} {
			out := render(t, text)
			if n := strings.Count(out, "<a "); n > 1 || n == 1 && !strings.Contains(out, `<a href="http`) {
				t.Errorf("%q to %q becomes\n%s", inline, address, out)
			}
			if strings.Contains(out, "<img") || strings.Contains(out, "<!--") || strings.ContainsAny(link, "\r\n") {
				t.Errorf("%q to %q becomes\n%s", inline, address, out)
			}
		}
	})
}
