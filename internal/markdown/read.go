package markdown

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Said lists the lines that the writer of a comment says as their own words: the
// lines of paragraphs and headings. Quotations, code blocks, lists and HTML are left
// out, also what stands between the tags of HTML, as is the part of a line that a
// code span of several lines covers.
//
// The blocks are CommonMark's: https://spec.commonmark.org/0.31.2/
// Lines are read up to maxLine bytes, so that a comment of one line with a
// hundred thousand quotations in each other takes no minute.
func Said(comment string) []string {
	source := []byte(strings.ToValidUTF8(cutLines(comment), "\ufffd"))
	shown := bytes.Clone(source)
	var lines []string
	open := 0 // elements of HTML that were opened, and not closed
	for n := reader().Parse(text.NewReader(source)).FirstChild(); n != nil; n = n.NextSibling() {
		switch block := n.(type) {
		case *ast.HTMLBlock:
			html := string(block.Lines().Value(source))
			if block.HasClosure() {
				html += string(block.ClosureLine.Value(source))
			}
			open = depth(open, html)
		case *ast.Paragraph, *ast.Heading:
			open = hide(n, source, shown, open)
			for _, at := range n.Lines().Sliced(0, n.Lines().Len()) {
				begins := bytes.LastIndexByte(source[:at.Start], '\n') + 1
				if len(bytes.TrimSpace(source[begins:at.Start])) == 0 {
					lines = append(lines, string(shown[at.Start:at.Stop]))
				}
			}
		}
	}
	return lines
}

const maxLine = 1000

func cutLines(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if content := strings.TrimSuffix(line, "\n"); len(content) > maxLine {
			line = content[:maxLine] + line[len(content):]
		}
		out.WriteString(line)
	}
	return out.String()
}

// reader reads blocks, and of what stands inside of a line only what hides text.
func reader() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100), util.Prioritized(parser.NewRawHTMLParser(), 400),
		),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)
}

// hide overwrites HTML, what stands in its elements, and code spans of several
// lines, in a block. It gives how many elements are open after it.
func hide(block ast.Node, source, shown []byte, open int) int {
	for n := block.FirstChild(); n != nil; n = n.NextSibling() {
		var covered []text.Segment
		switch span := n.(type) {
		case *ast.RawHTML:
			covered = span.Segments.Sliced(0, span.Segments.Len())
			open = depth(open, string(span.Segments.Value(source)))
		case *ast.Text:
			if open > 0 {
				covered = []text.Segment{span.Segment}
			}
		case *ast.CodeSpan:
			for c := span.FirstChild(); c != nil; c = c.NextSibling() {
				if part, ok := c.(*ast.Text); ok {
					covered = append(covered, part.Segment)
				}
			}
			if len(covered) < 2 && open == 0 {
				continue
			}
		}
		for _, at := range covered {
			for i := at.Start; i < at.Stop; i++ {
				if shown[i] != '\n' {
					shown[i] = '.'
				}
			}
		}
	}
	return open
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
