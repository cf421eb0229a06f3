package runner

import (
	"strings"
	"testing"
)

// A delimiter is drawn at random, so that it occurs in a value only by a
// chance too small to test; what happens then is tested here.
func TestAValueWithTheDelimiterIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"name", "a\nD1\nallowed<<X\ntrue\nX"}, {"nameD1", "value"}} {
		if text, err := heredoc(c[0], c[1], "D1"); err == nil || !strings.Contains(err.Error(), "contains the delimiter") {
			t.Errorf("heredoc(%q, %q) = %q, %v", c[0], c[1], text, err)
		}
	}
	if text, err := heredoc("name", "a\nb", "D1"); err != nil || text != "name<<D1\na\nb\nD1\n" {
		t.Errorf("%q %v", text, err)
	}
}
