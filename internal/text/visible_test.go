package text_test

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/internal/text"
)

// Characters that do not show, and those that look like ASCII, are written out.
func TestVisible(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{
		0x00, 0x0a, 0x1b, 0x7f, 0x85, 0xa0, 0xad, 0x300, 0x34f, 0x489, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180e,
		0x200b, 0x200d, 0x202e, 0x2028,
		0x2060, 0x2066, 0x2800, 0x3000, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xfffc, 0x16fe4, 0x1d159, 0x1d173, 0xe0001,
		0xe0020, 0xe0100, 0xe01ef,
		0xff21, 0xff0f, 0x1d41a, 0x212a, 0x37e, 0x2024, 0x2010, 0x2212, 0x2215, 0xa789, 0x216c, // forms of ASCII, alone
	} {
		written := fmt.Sprintf(`\u%04x`, r)
		switch {
		case r > 0xffff:
			written = fmt.Sprintf(`\U%08x`, r)
		case r == '\n':
			written = `\n`
		case r < 0x80:
			written = fmt.Sprintf(`\x%02x`, r)
		}
		if got := text.Visible("a"+string(r)+"b", ""); got != "a"+written+"b" {
			t.Errorf("%U: %s", r, got)
		}
		if got := text.Quote("a" + string(r) + "b"); got != `"a`+written+`b"` {
			t.Errorf("%U between quotation marks: %s", r, got)
		}
	}
	for given, want := range map[string]string{
		"p\u0430yments":              `p\u0430yments`,              // Cyrillic in a word of ASCII
		"\u0441\u043e\u0441o":        `\u0441\u043e\u0441o`,        // ASCII in a word of Cyrillic
		"\u0441\u043e\u0441\u043e x": `\u0441\u043e\u0441\u043e x`, // nothing but look-alikes
		"adm\u03b9n":                 `adm\u03b9n`,
		"\uff41dmin":                 `\uff41dmin`,
		"a\xffb":                     `a\xffb`,
		`a\xffb`:                     `a\\xffb`,
		`a\u200bb`:                   `a\\u200bb`,
		`a\` + "\u200bb":             `a\\\u200bb`,
		`C:\temp\dir`:                `C:\temp\dir`,
		"Привет, мир":                "Привет, мир",
		"Καλημέρα κόσμε":             "Καλημέρα κόσμε",
		"日本2 café Straße “x” – €":    "日本2 café Straße “x” – €",
		"a\tb":                       `a\tb`,
	} {
		if got := text.Visible(given, ""); got != want {
			t.Errorf("%q: %s, want %s", given, got, want)
		}
	}
	if got := text.Visible("a\tb\rc", "\t\r"); got != "a\tb\rc" {
		t.Errorf("what is kept: %q", got)
	}
	if got := text.Quote(`a\u200b` + "\u200b"); got != `"a\\u200b\u200b"` {
		t.Errorf("between quotation marks: %s", got)
	}
}
