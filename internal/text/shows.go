package text

import "unicode"

// Shows reports whether text holds a character that people can see: a reason of
// blanks, or of characters of no width, is none.
func Shows(text string) bool {
	for _, r := range text {
		if unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, blanks) {
			return true
		}
	}
	return false
}

// blanks are symbols by their class that are drawn as nothing: the Braille
// pattern without dots, and the musical note without a head.
var blanks = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x2800, Hi: 0x2800, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}},
}
