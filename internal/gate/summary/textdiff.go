package summary

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/strictjson"
	"github.com/waybill-dev/waybill/internal/text"
)

const (
	contextLines  = 2    // unchanged lines shown around a change
	maxLCS        = 1500 // lines compared with each other; beyond, a block counts as replaced
	shortValue    = 120  // runes of a value that is shown as it is
	aroundChange  = 40   // runes shown on either side of what differs in a long line
	maxDifference = 600  // runes of a difference that is shown on one line
)

// structured reports whether a text is shown line by line: it has several
// lines, or holds an object or a list in JSON.
func structured(text string) bool {
	return strings.Contains(strings.TrimRight(text, "\n"), "\n") || utf8.RuneCountInString(text) > shortValue && pretty(text) != text
}

// pretty lays out a text that is an object or a list in JSON. Numbers stay as
// they are written.
func pretty(text string) string {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
		return text
	}
	v, err := strictjson.Value([]byte(trimmed))
	if err != nil {
		return text
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if encoder.Encode(v) != nil {
		return text
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// lineDifference shows two texts as the lines that differ, with - and + before
// them, and some that do not. Every line that differs is there.
func lineDifference(before, after string) []string {
	a, b := splitLines(pretty(before)), splitLines(pretty(after))
	if len(a) == len(b) && strings.Join(a, "\n") == strings.Join(b, "\n") {
		a, b = splitLines(before), splitLines(after) // they differ in layout alone
	}
	edits := editLines(a, b)
	keep := make([]bool, len(edits))
	for i, e := range edits {
		if e[0] == ' ' {
			continue
		}
		for j := max(0, i-contextLines); j <= min(len(edits)-1, i+contextLines); j++ {
			keep[j] = true
		}
	}
	var lines []string
	for i, e := range edits {
		switch {
		case keep[i]:
			lines = append(lines, e)
		case i == 0 || keep[i-1]:
			lines = append(lines, "  …")
		}
	}
	return lines
}

func splitLines(whole string) []string {
	if whole == "" {
		return nil
	}
	lines := strings.Split(whole, "\n")
	for i := range lines {
		lines[i] = text.Visible(lines[i], "\t\r")
	}
	for i, l := range lines { // ends that do not show
		if trimmed := strings.TrimRight(l, " \t\r"); trimmed != l {
			lines[i] = trimmed + strings.NewReplacer(" ", "·", "\t", "→", "\r", "␍").Replace(l[len(trimmed):])
		}
	}
	return lines
}

// editLines turns a into b, line by line.
func editLines(a, b []string) []string {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	var edits []string
	for _, l := range a[:start] {
		edits = append(edits, "  "+l)
	}
	edits = append(edits, longestCommon(a[start:len(a)-end], b[start:len(b)-end])...)
	for _, l := range a[len(a)-end:] {
		edits = append(edits, "  "+l)
	}
	return edits
}

func longestCommon(a, b []string) (edits []string) {
	if len(a) > maxLCS || len(b) > maxLCS {
		for _, l := range a {
			edits = append(edits, "- "+l)
		}
		for _, l := range b {
			edits = append(edits, "+ "+l)
		}
		return edits
	}
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			edits = append(edits, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			edits = append(edits, "- "+a[i])
			i++
		default:
			edits = append(edits, "+ "+b[j])
			j++
		}
	}
	return edits
}

// narrow cuts what two long texts have in common at both ends, and leaves some
// of it: what differs is never cut.
func narrow(before, after string) (string, string) {
	a, b := []rune(before), []rune(after)
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	cut := func(text []rune) string {
		from, to := max(0, start-aroundChange), min(len(text), len(text)-end+aroundChange)
		out := string(text[from:to])
		if from > 0 {
			out = "…" + out
		}
		if to < len(text) {
			out += "…"
		}
		return out
	}
	return cut(a), cut(b)
}
