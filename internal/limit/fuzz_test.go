package limit

import (
	"strings"
	"testing"
)

// FuzzYAML looks for files that pass without being measured and exceed a bound.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		"a: &a [1]\nb: *a\n", strings.Repeat("[", 300), strings.Repeat("- ", 300), strings.Repeat("? ", 250),
		strings.Repeat("{a: ", 210),
		"a:\n" + strings.Repeat(" ", 210) + "b: c\n", "&a [*a]", "--- a\n--- b\n", strings.Repeat("\t- ", 100),
		"%YAML 1.1\n---\n", "\xef\xbb\xbfa: b",
		"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "<<: &a {<<: *a}\n", strings.Repeat("-\n", 250),
		strings.Repeat("!!map ", 210), "\xff\xfea\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		documents, err := Documents("f", data)
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("the error does not begin with the file: %v", err)
		}
		if quick := YAML("f", data); quick == nil && TooMuch(err) {
			t.Errorf("it passes unmeasured, and %v", err)
		}
		if err == nil && len(documents) > 0 && YAML("f", data) != nil {
			t.Errorf("it parses, and is refused: %v", YAML("f", data))
		}
	})
}
