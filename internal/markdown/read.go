package markdown

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Said lists the lines that the writer of a comment says as their own words: the
// lines of paragraphs and headings. Quotations, code blocks, lists and HTML are left
// out, also what stands between the tags of HTML and in footnotes, as is the part of a
// line that a code span or a link of several lines covers.
//
// The blocks are CommonMark's: https://spec.commonmark.org/0.31.2/
// Lines are read up to maxLine bytes, so that a comment of one line with a
// hundred thousand quotations in each other takes no minute.
func Said(comment string) []string {
	source := []byte(strings.ToValidUTF8(cutLines(comment), "\ufffd"))
	shown, hidden := bytes.Clone(source), footnotes(source)
	var lines []string
	var open []string // elements of HTML that were opened, and not closed
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
				if len(bytes.TrimSpace(source[begins:at.Start])) == 0 && !hidden[begins] {
					lines = append(lines, string(shown[at.Start:at.Stop]))
				}
			}
		}
	}
	return lines
}

// footnotes are where the lines of footnotes begin: down to the next empty line, all is
// part of one. GitHub shows no footnote that nothing refers to.
// https://docs.github.com/en/get-started/writing-on-github, Basic writing and formatting syntax, Footnotes
func footnotes(source []byte) map[int]bool {
	begins, at, in := make(map[int]bool), 0, false
	for line := range bytes.Lines(source) {
		in = len(bytes.TrimSpace(line)) > 0 && (in || footnote.Match(line))
		begins[at] = in
		at += len(line)
	}
	return begins
}

var footnote = regexp.MustCompile(`^ {0,3}\[\^[^\]\s]+\]:`)

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
			util.Prioritized(parser.NewCodeSpanParser(), 100), util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewRawHTMLParser(), 400),
		),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)
}

// hide overwrites HTML, what stands in its elements, and code spans and links of several
// lines, in a block. It gives the elements that are open after it.
func hide(block ast.Node, source, shown []byte, open []string) []string {
	for n := block.FirstChild(); n != nil; n = n.NextSibling() {
		var covered []text.Segment
		switch span := n.(type) {
		case *ast.RawHTML:
			covered = span.Segments.Sliced(0, span.Segments.Len())
			open = depth(open, string(span.Segments.Value(source)))
		case *ast.Text:
			if len(open) > 0 {
				covered = []text.Segment{span.Segment}
			}
		case *ast.CodeSpan:
			for c := span.FirstChild(); c != nil; c = c.NextSibling() {
				if part, ok := c.(*ast.Text); ok {
					covered = append(covered, part.Segment)
				}
			}
			if len(covered) < 2 && len(open) == 0 {
				continue
			}
		case *ast.Link, *ast.Image: // a title or description can hold lines that nobody sees
			all := whole(n, block)
			if len(open) == 0 && !bytes.Contains(bytes.TrimSpace(all.Value(source)), []byte("\n")) {
				continue
			}
			covered = []text.Segment{all}
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

// whole is where a part of a block stands, with what belongs to it and is no text: from
// the end of the text before it to the beginning of the text after it.
func whole(n, block ast.Node) text.Segment {
	lines := block.Lines()
	at := text.NewSegment(lines.At(0).Start, lines.At(lines.Len()-1).Stop)
	if before, ok := n.PreviousSibling().(*ast.Text); ok {
		at.Start = before.Segment.Stop
	}
	if after, ok := n.NextSibling().(*ast.Text); ok {
		at.Stop = after.Segment.Start
	}
	return at
}

var (
	htmlComment = regexp.MustCompile(`(?s)<!--.*?(?:-->|\z)`)
	htmlTag     = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9-]*)[^>]*>`)
	voidTag     = regexp.MustCompile(`(?i)^(?:area|br|col|hr|img|input|link|meta|source|wbr)$`)
)

// depth gives the elements that are open after some HTML. As in a browser, a slash at
// its end closes no element, and neither does the end of another one.
func depth(open []string, html string) []string {
	for _, m := range htmlTag.FindAllStringSubmatch(htmlComment.ReplaceAllString(html, ""), -1) {
		name := strings.ToLower(m[2])
		switch {
		case voidTag.MatchString(name):
		case m[1] == "":
			open = append(open, name)
		default:
			if i := slices.Index(open, name); i >= 0 {
				open = slices.Delete(slices.Clone(open), i, i+1)
			}
		}
	}
	return open
}
