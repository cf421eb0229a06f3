package redact

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// encodings are the forms of a secret in which providers and configurations write it
// without meaning to show it: base64, also within a longer text, hexadecimal, as a part
// of an address, and backwards. Somebody who wants to show a secret finds another form.
func encodings(secret string) []string {
	if len(secret) < minSecret {
		return nil
	}
	runes := []rune(secret)
	slices.Reverse(runes)
	forms := []string{
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)),
		hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		url.QueryEscape(secret), url.PathEscape(secret), string(runes),
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, e.EncodeToString([]byte(secret)))
		for before := range 3 { // bytes in front of it, of the group that it begins in
			text := e.EncodeToString(append(make([]byte, before), secret...))
			first, last := []int{0, 2, 3}[before], (before+len(secret))*8/6
			if inner := text[first:last]; len(inner) >= minSecret {
				forms = append(forms, inner)
			}
		}
	}
	return forms
}
