package markdown

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Said lists the lines that the writer of a comment says as their own words: the
// lines of paragraphs and headings. Quotations, code blocks, HTML and what a list
// marker begins are left out, as is the part of a line that an HTML comment or a
// code span of several lines covers.
//
// The blocks are CommonMark's: https://spec.commonmark.org/0.31.2/
// Lines are read up to maxLine bytes, so that a comment of one line with a
// hundred thousand quotations in each other takes no minute.
func Said(comment string) []string {
	source := []byte(strings.ToValidUTF8(cutLines(comment), "\ufffd"))
	said := reader().Parse(text.NewReader(source))
	shown := bytes.Clone(source)
	var lines []string
	_ = ast.Walk(said, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindBlockquote:
			return ast.WalkSkipChildren, nil
		case ast.KindParagraph, ast.KindTextBlock, ast.KindHeading:
			hide(n, shown)
			for _, at := range n.Lines().Sliced(0, n.Lines().Len()) {
				begins := bytes.LastIndexByte(source[:at.Start], '\n') + 1
				if len(bytes.TrimSpace(source[begins:at.Start])) == 0 {
					lines = append(lines, string(shown[at.Start:at.Stop]))
				}
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
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

// hide overwrites HTML, and code spans of several lines, in a block.
func hide(block ast.Node, shown []byte) {
	for n := block.FirstChild(); n != nil; n = n.NextSibling() {
		var covered []text.Segment
		switch span := n.(type) {
		case *ast.RawHTML:
			covered = span.Segments.Sliced(0, span.Segments.Len())
		case *ast.CodeSpan:
			for c := span.FirstChild(); c != nil; c = c.NextSibling() {
				if part, ok := c.(*ast.Text); ok {
					covered = append(covered, part.Segment)
				}
			}
			if len(covered) < 2 {
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
}
