package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Count is a number and the noun it counts: 1 root, 2 roots.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Flat keeps text from outside on one line, and cuts nothing.
func Flat(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(s)
}

// maxClip is the most runes that Clip leaves.
const maxClip = 250

// Clip is VisibleQuoted, cut where it is too long for a table or a heading.
func Clip(s string) string {
	s = VisibleQuoted(s) // keys in addresses are quoted already
	if utf8.RuneCountInString(s) <= maxClip {
		return s
	}
	return string([]rune(s)[:maxClip]) + "…"
}

// Line is Clip with every run of white space as one blank.
func Line(s string) string { return strings.Join(strings.Fields(Clip(s)), " ") }
