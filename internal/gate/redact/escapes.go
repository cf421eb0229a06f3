package redact

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/waybill-dev/waybill/internal/text"
)

// escapes are the ways in which programs write a text between quotation marks.
var escapes = []func(string) string{jsonEscaped, plainJSONEscaped, hclEscaped, goEscaped, asciiEscaped, asShown}

// escapedForms are the forms that a text takes between quotation marks, and
// between those of a text that holds it: JSON within JSON, JSON in an address.
func escapedForms(secret string) []string {
	if !strings.ContainsFunc(secret, isEscaped) {
		return nil
	}
	var forms []string
	seen := map[string]bool{secret: true}
	level := []string{secret}
	for range 2 {
		var next []string
		for _, inner := range level {
			for _, escape := range escapes {
				if form := escape(inner); !seen[form] {
					seen[form] = true
					next = append(next, form)
				}
			}
		}
		forms, level = append(forms, next...), next
	}
	return forms
}

// isEscaped reports whether any of the ways writes a character otherwise.
func isEscaped(r rune) bool {
	return r > unicode.MaxASCII || r < ' ' || r == 0x7f || strings.ContainsRune(`"\$%<>&`, r)
}

func jsonEscaped(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return unquoted(string(quoted))
}

// plainJSONEscaped is JSON in which <, > and & stand as they are.
func plainJSONEscaped(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return text
	}
	return unquoted(strings.TrimSuffix(out.String(), "\n"))
}

func goEscaped(text string) string    { return unquoted(strconv.Quote(text)) }
func asciiEscaped(text string) string { return unquoted(strconv.QuoteToASCII(text)) }

// asShown is how a summary writes a text.
func asShown(s string) string { return text.Visible(s, "\t\r") }

func unquoted(text string) string { return text[1 : len(text)-1] }

// hclEscaped is the form of terraform's own language, which doubles the sign
// that begins a template.
func hclEscaped(text string) string {
	var out strings.Builder
	short := map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`, '"': `\"`, '\\': `\\`}
	for i, r := range text {
		switch {
		case short[r] != "":
			out.WriteString(short[r])
		case r == '$' || r == '%':
			out.WriteRune(r)
			if strings.HasPrefix(text[i+1:], "{") {
				out.WriteRune(r)
			}
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
