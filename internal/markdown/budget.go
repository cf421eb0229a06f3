package markdown

import (
	"strings"
	"unicode/utf8"
)

// MaxComment is the most characters that GitHub takes for a comment, or for the
// body of a pull request or an issue.
const MaxComment = 65536

// MaxTitle is the most characters that GitHub takes for the title of a pull request or
// an issue.
const MaxTitle = 256

// Budget fills a text of a bounded length with sections, the more important ones
// first.
type Budget struct {
	room     int
	in, rest strings.Builder
}

// NewBudget has room for so many characters.
func NewBudget(room int) *Budget { return &Budget{room: room} }

// Must adds a section. One that is too long is cut at a line, and what fence it
// is in ends there; the whole section goes to the rest.
func (b *Budget) Must(section string) {
	if n := utf8.RuneCountInString(section); n <= b.room {
		b.in.WriteString(section)
		b.room -= n
		return
	}
	b.rest.WriteString(section)
	fence := ""
	for line := range strings.Lines(section) {
		n := utf8.RuneCountInString(line)
		if n+len(fence)+1 > b.room {
			break
		}
		b.in.WriteString(line)
		b.room -= n
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && strings.TrimSpace(line) == fence:
			fence = ""
		}
	}
	if fence != "" {
		b.in.WriteString(fence + "\n")
		b.room -= len(fence) + 1
	}
}

// May adds a section that fits as a whole; any other goes to the rest.
func (b *Budget) May(section string) {
	if n := utf8.RuneCountInString(section); n > b.room {
		b.rest.WriteString(section)
	} else {
		b.in.WriteString(section)
		b.room -= n
	}
}

// String is what fits.
func (b *Budget) String() string { return b.in.String() }

// Rest is what did not fit as a whole; empty if everything did.
func (b *Budget) Rest() string { return b.rest.String() }

// roomForNote is left for the note that something is missing.
const roomForNote = 400

// Comment is a comment with a section that must be there and others that may be
// left out. A note says so where something is missing.
func Comment(must string, may ...string) string {
	b := NewBudget(MaxComment - roomForNote)
	b.Must(must)
	for _, section := range may {
		b.May(section)
	}
	if b.Rest() == "" {
		return b.String()
	}
	return b.String() + "\n… cut here; the rest is in the summary of the run.\n"
}
