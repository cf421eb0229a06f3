package comment

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

const (
	roomForEnding = 900    // of the first comment
	roomForCount  = 200    // of warnings that have no room
	roomForAsking = 5_000  // that says who must approve
	roomForPage   = 400    // of any other: marker, heading, fences
	maxPages      = 12     // comments of one plan
	maxLine       = 10_000 // runes of a line; a longer one is continued on the next
)

// Comment is the plan in Markdown, in at most limit characters; what does not
// fit is counted.
func (v View) Comment(limit int) string {
	pages, _ := v.pages(limit, 1, v.markers())
	return pages[0]
}

// Text is the plan in Markdown for people alone, in at most limit characters.
func (v View) Text(limit int) string {
	pages, _ := v.pages(limit, 1, "")
	return pages[0]
}

// Comments are the plan in Markdown as comments of at most limit characters:
// verdict, table and how to approve, then every change, most dangerous first.
// What does not fit into a number of comments is counted in the first one.
func (v View) Comments(limit int) []string {
	pages, _ := v.pages(limit, maxPages, v.markers())
	return pages
}

// PageMarker begins the nth comment of a plan, from 2.
func PageMarker(n int) string { return fmt.Sprintf("<!-- waybill:plan:%d -->", n) }

// MaxPages is how many comments a plan has at most.
const MaxPages = maxPages

// piece is what stands together: a resource, or a part of a long one.
type piece struct {
	root  int // in the order of the pieces
	lines []string
	first bool // of a change, which it counts as
}

// beside are the plans of the roots that have one, where others have none: nothing of it
// can be approved.
func (v View) beside(limit int) string {
	var out strings.Builder
	out.WriteString("\n**The other roots would do this**, of which nothing can be approved, because a plan is made as a whole:\n\n")
	v.table(&out)
	v.warnings(&out, (limit-utf8.RuneCountInString(out.String()))/2)
	roots, pieces, total := v.changes(limit)
	body, rest := fill(roots, pieces, limit-utf8.RuneCountInString(out.String()))
	return text.NoCommand(out.String() + body + View{}.ending(1, started(rest), total))
}

// changes are the roots, those that destroy first, with the pieces of their changes and
// how many changes those are.
func (v View) changes(limit int) (roots []RootView, pieces []piece, total int) {
	roots = v.dangerous()
	for i, r := range roots {
		pieces = append(pieces, r.pieces(i, limit-roomForPage)...)
	}
	return roots, pieces, started(pieces)
}

// started counts the changes that begin in pieces.
func started(pieces []piece) (n int) {
	for _, p := range pieces {
		if p.first {
			n++
		}
	}
	return n
}

func (v View) pages(limit, most int, markers string) (pages []string, left int) {
	roots, pieces, total := v.changes(limit)
	head := markers + v.head(limit-utf8.RuneCountInString(markers))
	room := limit - utf8.RuneCountInString(head) - roomForEnding
	bodies := []string{}
	for len(bodies) < most {
		body, rest := fill(roots, pieces, room)
		bodies, pieces = append(bodies, body), rest
		if room = limit - roomForPage; len(rest) == 0 {
			break
		}
	}
	if left = started(pieces); len(pieces) > 0 && left == 0 {
		left = 1 // the rest of one that has begun
	}
	for i, body := range bodies {
		page := head + body + v.ending(len(bodies), left, total)
		if i > 0 {
			page = PageMarker(i+1) + "\n" + fmt.Sprintf(
				"**Plan** %s, part %d of %d\n", markdown.Code(v.Fingerprint.Short()), i+1, len(bodies),
			) + body
		}
		// What is printed in a job must hold no command of the runner's old form.
		pages = append(pages, text.NoCommand(page))
	}
	return pages, left
}

// markers are what machines read of the first comment.
func (v View) markers() string { return Marker + "\n" + v.claim() + "\n" }

// head is what people read first of it, with room for the ending in at most limit
// characters.
func (v View) head(limit int) string {
	var out strings.Builder
	out.WriteString(v.headline() + "\n\n")
	v.table(&out)
	if v.Stands != "" {
		out.WriteString("\n" + v.Stands + "\n")
	}
	asks := ""
	if v.Approval != "" {
		asks = "\n" + text.Cut(v.Approval, max(roomForAsking, limit/10), "… (the rest is in the log of the run)") + "\n"
	}
	v.warnings(&out, limit-roomForEnding-utf8.RuneCountInString(out.String()+asks))
	return out.String() + asks
}

// ending says where the rest is.
func (v View) ending(pages, left, total int) string {
	end := ""
	if pages > 1 {
		end = fmt.Sprintf("\n⚠️ This comment does not hold every change: %s below it go on.\n", text.Count(pages-1, "more comment"))
	}
	if left > 0 {
		end += fmt.Sprintf(
			"\n⚠️ **%d of %s are not shown here in full.** Read them in the log of the run before you approve: an approval covers "+
				"them too.\n",
			left, text.Count(total, "change"),
		)
	}
	if v.RunURL != "" {
		end += "\n" + markdown.Link("run", v.RunURL) + "\n"
	}
	return end
}

// dangerous are the roots, those that destroy first.
func (v View) dangerous() []RootView {
	roots := slices.Clone(v.Roots)
	rank := func(r RootView) int {
		switch {
		case r.Summary.Destroys():
			return 0
		case r.Summary.Changes():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(roots, func(a, b RootView) int { return rank(a) - rank(b) })
	return roots
}

// fill puts as many pieces as fit into a text, a block for each root, and gives
// the rest.
func fill(roots []RootView, pieces []piece, room int) (string, []piece) {
	var out strings.Builder
	for len(pieces) > 0 {
		root := pieces[0].root
		name := roots[root].heading()
		var lines []string
		used := 0
		for len(pieces) > 0 && pieces[0].root == root {
			size := 0
			for _, l := range pieces[0].lines {
				size += utf8.RuneCountInString(l) + 1
			}
			if used+size > room-120-utf8.RuneCountInString(name) {
				break
			}
			lines, used, pieces = append(lines, pieces[0].lines...), used+size, pieces[1:]
		}
		if len(lines) > 0 {
			text := "\n<details><summary>" + name + "</summary>\n\n" + markdown.Fence(
				"diff", strings.Join(lines, "\n"),
			) + "\n</details>\n"
			out.WriteString(text)
			room -= utf8.RuneCountInString(text)
		}
		if len(pieces) > 0 && pieces[0].root == root {
			return out.String(), pieces // it is full
		}
	}
	return out.String(), nil
}

// heading is the name of a root as it stands over its changes. It can be several times as
// long as the name.
func (r RootView) heading() string { return markdown.HTML(text.Clip(r.name())) }

// pieces of a root's changes, none of them longer than limit.
func (r RootView) pieces(root, limit int) (all []piece) {
	limit -= 200 + utf8.RuneCountInString(r.heading())
	add := func(lines []string) {
		for i, part := range split(lines, limit) {
			all = append(all, piece{root: root, lines: part, first: i == 0})
		}
	}
	for _, res := range r.Summary.Resources {
		add(res.Lines(""))
	}
	for _, res := range r.Summary.Outputs {
		add(res.Lines("output "))
	}
	for i, res := range r.Summary.Drift {
		lines := res.Lines("")
		if i == 0 {
			lines = append([]string{"# changed outside of terraform:"}, lines...)
		}
		add(lines)
	}
	return all
}

// split keeps lines together as far as limit allows.
func split(lines []string, limit int) (parts [][]string) {
	limit = max(limit, 100)
	var part []string
	used := 0
	for _, l := range lines {
		for _, piece := range wrap(l, min(limit-2, maxLine)) {
			n := utf8.RuneCountInString(piece) + 1
			if used+n > limit && len(part) > 0 {
				parts, part, used = append(parts, part), nil, 0
			}
			part, used = append(part, piece), used+n
		}
	}
	return append(parts, part)
}

// wrap continues a line that is too long on the next one.
func wrap(line string, limit int) []string {
	if utf8.RuneCountInString(line) <= limit {
		return []string{line}
	}
	var parts []string
	for runes := []rune(line); len(runes) > 0; {
		n := min(len(runes), limit)
		parts, runes = append(parts, string(runes[:n])), runes[n:]
	}
	return parts
}
