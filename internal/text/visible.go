package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible writes out what a terminal or a page would not show, would show
// elsewhere, or would show like something else: control characters, marks,
// blank letters, and look-alikes of ASCII. Two texts that differ never look the
// same for such a character. Characters in keep stay.
func Visible(s, keep string) string {
	if plainASCII(s, keep) {
		return s
	}
	return writeOut(s, keep, true)
}

// Quote is s between quotation marks, as Go writes it, with everything written
// out that Visible writes out.
func Quote(s string) string { return writeOut(strconv.Quote(s), "", false) }

// VisibleQuoted writes out what Visible does in a text whose backslashes are
// escaped already, such as JSON.
func VisibleQuoted(s string) string { return writeOut(s, "", false) }

func plainASCII(s, keep string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7f || c == '\\' || c < ' ' && strings.IndexByte(keep, c) < 0 {
			return false
		}
	}
	return true
}

// writeOut does it. A backslash that could be read as one of what it writes is
// doubled, where double says so: what was written so looks different.
func writeOut(s, keep string, double bool) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		word := wordAt(s[i:])
		if word > 0 {
			writeWord(&out, s[i:i+word])
			i += word
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[i])
		case r == '\\' && double:
			size = len(s[i:]) - len(strings.TrimLeft(s[i:], `\`))
			out.WriteString(s[i : i+size])
			if ambiguous(s[i+size:], keep) {
				out.WriteString(s[i : i+size])
			}
		case strings.ContainsRune(keep, r) || !hides(r) && !looksLikeASCII(r):
			out.WriteRune(r)
		default:
			writeRune(&out, r)
		}
		i += size
	}
	return out.String()
}

// ambiguous reports whether what follows a backslash is, or looks like, a
// character that is written out.
func ambiguous(rest, keep string) bool {
	r, size := utf8.DecodeRuneInString(rest)
	if size == 0 {
		return false
	}
	if r > unicode.MaxASCII || hides(r) && !strings.ContainsRune(keep, r) {
		return true
	}
	return len(rest) > 2 && strings.IndexByte("uUx", rest[0]) >= 0 && isHex(rest[1]) && isHex(rest[2])
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func writeRune(out *strings.Builder, r rune) {
	quoted := strconv.QuoteRuneToASCII(r)
	out.WriteString(quoted[1 : len(quoted)-1])
}

// wordAt is the length of the word that a text begins with.
func wordAt(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsNumber(r) || hides(r)
	})
	if end < 0 {
		return len(s)
	}
	return end
}

// writeWord writes out the characters of a word that are of another script than
// its ASCII letters, and all of a word in which every letter looks like ASCII.
func writeWord(out *strings.Builder, word string) {
	mixed := strings.ContainsFunc(word, func(r rune) bool { return r <= unicode.MaxASCII })
	alike := !strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune(alikes, r) })
	for _, r := range word {
		switch {
		case r <= unicode.MaxASCII:
			out.WriteRune(r)
		case alike, mixed && !belongs(r), looksLikeASCII(r):
			writeRune(out, r)
		default:
			out.WriteRune(r)
		}
	}
}

// belongs reports whether a letter can stand beside ASCII letters, and looks like
// none: é, ß, ł, and the scripts of East Asia.
func belongs(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) ||
		r >= 0xc0 && r <= 0x17f && !strings.ContainsRune("\u0131\u0138\u0149\u017f", r)
}

// alikes are the Cyrillic, Greek and Armenian letters that look like ASCII ones.
const alikes = "\u0430\u0441\u0501\u0435\u04bb\u0456\u0458\u04cf\u043e\u0440\u051b\u0455\u051d\u0445\u0443\u0475\u0410\u0412" +
	"\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u04ae\u050c\u051a\u051c\u03b1" +
	"\u03b9\u03bd\u03bf\u03c1\u03c5\u03c7\u03b3\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1" +
	"\u03a4\u03a5\u03a7\u03f2\u03f3\u03f9\u0578\u0585\u057d\u0581\u0570\u0555\u054d"

// formsOfASCII are signs and letters of their own that look like ASCII: hyphens,
// slashes, colons, stops, brackets, quotation marks.
const formsOfASCII = "\u0131\u017f\u2010\u2011\u2012\u2212\ufe63\u2215\u2044\u29f8\u2236\ua789\u02d0\u05c3\u0589\u0703\u2024\u201a" +
	"\u066b\u02b9\u02ba\u02c8\u02bc\u2032\u02bd\u01c3\u217c\u2223\u01c0\u2217\u204e\u2039\u203a\u02c2\u02c3\u1438" +
	"\u1433\u02dc\u223c\ufe68\u29f5\u2216\uff3f\u02cd\ufe4d\ufe55\ufe54\ufe52\ufe50\u037e"

// looksLikeASCII reports whether a character is another form of an ASCII one,
// whatever stands beside it.
func looksLikeASCII(r rune) bool {
	switch {
	case r >= 0xff01 && r <= 0xff5e, r >= 0x1d400 && r <= 0x1d7ff, r >= 0x2100 && r <= 0x214f && unicode.IsLetter(r), r >= 0x2160 &&
		r <= 0x217f:
		return true
	}
	return strings.ContainsRune(formsOfASCII, r)
}

// hides reports whether a character does not show, or shows as part of another.
func hides(r rune) bool {
	if !unicode.IsPrint(r) || unicode.In(
		r, unicode.Mn, unicode.Me, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
	) {
		return true
	}
	switch r {
	case 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0, 0xfffc, 0x1d159, 0x16fe4:
		return true
	}
	return false
}
