package approval

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/waybill-dev/waybill/internal/gate/plan"
)

// approveLine is a review's line "approve a41f 09c2 77de", or a comment's
// "/approve a41f09c277de…"; it may end as a sentence does.
var approveLine = regexp.MustCompile(`(?i)^[ \t]*(/?)approve[ \t]+` + someDigits + `[.!]?[ \t]*$`)

// takeBackLine is "/unapprove", perhaps with a fingerprint.
var takeBackLine = regexp.MustCompile(`(?i)^[ \t]*(/?)unapprove(?:[ \t]+` + someDigits + `)?[.!]?[ \t]*$`)

const someDigits = "`?" + `([0-9a-f][0-9a-f \t]*[0-9a-f])` + "`?"

// named finds the fingerprints that a text approves.
func named(v Vote) (found []plan.Fingerprint) {
	for _, line := range said(v.Body) {
		m := approveLine.FindStringSubmatch(line)
		if m == nil || v.Kind == Comment && m[1] == "" {
			continue
		}
		if f, err := plan.ParseFingerprint(m[2]); err == nil {
			found = append(found, f)
		}
	}
	return found
}

// takesBack finds what a text takes back: fingerprints, or all where it names none.
func takesBack(v Vote) (found []plan.Fingerprint, all bool) {
	for _, line := range said(v.Body) {
		m := takeBackLine.FindStringSubmatch(line)
		if m == nil || v.Kind == Comment && m[1] == "" {
			continue
		}
		f, err := plan.ParseFingerprint(m[2])
		if err != nil {
			return nil, true // who cannot be understood takes back everything
		}
		found = append(found, f)
	}
	return found, false
}

// hidden stands for what is no plain text, so that no line with it reads as an
// approval.
const hidden = "\x00"

// said lists the lines that a reader of the text takes for its author's own words:
// not those in quotations, code blocks, lists, HTML and comments of HTML.
func said(body string) []string {
	source := []byte(strings.ReplaceAll(body, hidden, "\uFFFD"))
	document := goldmark.DefaultParser().Parse(text.NewReader(source))
	var lines []string
	open := 0 // elements of HTML that were opened, and not closed
	for block := document.FirstChild(); block != nil; block = block.NextSibling() {
		switch block.Kind() {
		case ast.KindHTMLBlock:
			open = depth(open, string(block.Lines().Value(source)))
			if html, is := block.(*ast.HTMLBlock); is && html.HasClosure() {
				open = depth(open, string(html.ClosureLine.Value(source)))
			}
		case ast.KindParagraph, ast.KindHeading:
			var words string
			words, open = inline(block, source, open)
			lines = append(lines, strings.Split(words, "\n")...)
		}
	}
	return lines
}

// inline is the text of a paragraph, and how many elements of HTML are open after it.
func inline(block ast.Node, source []byte, open int) (string, int) {
	var out strings.Builder
	for n := block.FirstChild(); n != nil; n = n.NextSibling() {
		if open > 0 {
			out.WriteString(hidden)
		}
		switch n := n.(type) {
		case *ast.Text:
			out.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				out.WriteByte('\n')
			}
		case *ast.CodeSpan:
			code, _ := inline(n, source, 0)
			out.WriteString("`" + strings.TrimSpace(code) + "`")
		case *ast.RawHTML:
			out.WriteString(hidden)
			open = depth(open, string(n.Segments.Value(source)))
		default:
			out.WriteString(hidden)
		}
	}
	return out.String(), open
}

var (
	htmlComment = regexp.MustCompile(`(?s)<!--.*?(?:-->|\z)`)
	htmlTag     = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9-]*)[^>]*?(/?)>`)
	voidTag     = regexp.MustCompile(`(?i)^(?:area|br|col|hr|img|input|link|meta|source|wbr)$`)
)

// depth counts the elements that are open after some HTML.
func depth(open int, html string) int {
	for _, m := range htmlTag.FindAllStringSubmatch(htmlComment.ReplaceAllString(html, ""), -1) {
		switch {
		case voidTag.MatchString(m[2]) || m[3] != "":
		case m[1] == "":
			open++
		case open > 0:
			open--
		}
	}
	return open
}
