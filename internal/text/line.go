package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Count is a number and the noun it counts: 1 root, 2 roots.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// List joins the first items, at most limit, and counts the others: a, b and 3
// more.
func List(items []string, limit int) string {
	if len(items) <= limit {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:limit], ", ") + fmt.Sprintf(" and %d more", len(items)-limit)
}

// Cut shortens s to at most limit characters. What is cut ends in rest, such as
// an ellipsis.
func Cut(s string, limit int, rest string) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:max(0, limit-utf8.RuneCountInString(rest))]) + rest
}

// Commit is the short name of a commit. Any other revision, such as a branch,
// stays as it is.
func Commit(rev string) string {
	if len(rev) != 40 || strings.Trim(rev, "0123456789abcdef") != "" {
		return rev
	}
	return rev[:7]
}

// Printable drops control characters other than line breaks and tabs, and leaves
// no command to the runner.
func Printable(s string) string {
	return NoCommand(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// OneLine keeps text from outside on one line. It drops control characters and
// those that would turn the text around or that do not show.
func OneLine(s string) string {
	return NoCommand(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(s), " ")))
}

// FirstLine is the first line of s.
func FirstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// Flat keeps text from outside on one line, and cuts nothing.
func Flat(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(s)
}

// maxClip is the most characters that Clip leaves.
const maxClip = 251

// Clip is VisibleQuoted, cut where it is too long for a table or a heading.
func Clip(s string) string {
	return Cut(VisibleQuoted(s), maxClip, "…") // keys in addresses are quoted already
}

// Line is Clip with every run of white space as one blank.
func Line(s string) string { return strings.Join(strings.Fields(Clip(s)), " ") }
